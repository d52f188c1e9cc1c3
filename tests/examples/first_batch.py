import time, uuid
import msgpack
from confluent_kafka import Producer

now = int(time.time() * 1000)
batch = {
    "session_id": "scene-1",
    "batch_id": str(uuid.uuid4()),
    "client_id": "python-1",
    "operations": [
        {"op": "add", "timestamp": now,
         "element": {"id": "title", "kind": {"type": "Text", "data": {"content": "Hello"}}}},
        {"op": "update", "timestamp": now + 1, "id": "title",
         "changes": {"transform": {"x": 40, "y": 25.5}}},
    ],
}
producer = Producer({"bootstrap.servers": "127.0.0.1:9092", "partitioner": "murmur2_random"})
producer.produce("scene.ops", key=batch["session_id"], value=msgpack.packb(batch))
producer.flush()
