import { randomUUID } from "node:crypto";
import { encode } from "@msgpack/msgpack";
import { Kafka } from "kafkajs";

const now = Date.now();
const batch = {
  session_id: "scene-1",
  batch_id: randomUUID(),
  client_id: "javascript-1",
  operations: [
    { op: "add", timestamp: now,
      element: { id: "chart", kind: { type: "Chart", data: { series: [1, 2, 3] } } } },
    { op: "update", timestamp: now + 1, id: "chart", changes: { transform: { rotation: 12.5 } } },
  ],
};
const producer = new Kafka({ brokers: ["127.0.0.1:9092"] }).producer();
await producer.connect();
await producer.send({
  topic: "scene.ops",
  messages: [{ key: batch.session_id, value: Buffer.from(encode(batch)) }],
});
await producer.disconnect();
