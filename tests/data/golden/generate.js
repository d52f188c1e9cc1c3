// Writes golden batches with the two usual JavaScript encoders, as generate.py does with Python's.
//
// Needs `npm install @msgpack/msgpack msgpackr` somewhere; run it in this folder with NODE_PATH set
// to that node_modules. The files it writes are committed, so that the tests need no Node.
"use strict";

const fs = require("fs");
const { encode } = require("@msgpack/msgpack");
const { Packr } = require("msgpackr");

const UUID = "6ba7b810-9dad-11d1-80b4-00c04fd430c8";
const UUID_BYTES = Buffer.from(UUID.replace(/-/g, ""), "hex");
const NOW = 1700000000123;

// The encoder of a client that follows the protocol's advice, and the one of a client that does not.
const advised = new Packr({ useRecords: false, encodeUndefinedAsNil: true });
const records = new Packr();
const undefinedAsExtension = new Packr({ useRecords: false });

function write(name, bytes, expected) {
  fs.writeFileSync(`${name}.msgpack`, bytes);
  fs.writeFileSync(`${name}.json`, JSON.stringify(expected, null, 2) + "\n");
}

const batch = {
  v: 1,
  session_id: "scene-1",
  batch_id: UUID_BYTES,
  client_id: undefined,
  strategy: "LocalWins",
  operations: [
    {
      op: "add",
      element: {
        id: UUID.toUpperCase(),
        kind: { type: "Image", data: { url: "https://example.org/ü.png", size: [640, 480] } },
        transform: { x: -0.5, y: 1e21, rotation: 0 },
        parent: null,
      },
      timestamp: NOW,
    },
    { UpdateElement: { id: UUID_BYTES, changes: { selected: true }, timestamp: NOW + 1 } },
    { op: "remove", id: "e1", timestamp: NOW + 0.5, base_version: 2 ** 40 },
    { Interaction: { event: "tap", timestamp: NOW } },
  ],
};

const expected = {
  session_id: "scene-1",
  batch_id: UUID,
  strategy: "local_wins",
  operations: [
    { kind: "add", id: UUID, timestamp: NOW },
    { kind: "update", id: UUID, timestamp: NOW + 1 },
    { kind: "remove", id: "e1", timestamp: NOW, base_version: 2 ** 40 },
    { kind: "interaction", timestamp: NOW },
  ],
};

write("msgpack-js", encode(batch), expected);
write("msgpack-js-bigint", encode(
  { session_id: "scene-1", operations: [{ op: "remove", id: "e1", timestamp: BigInt(NOW) }] },
  { useBigInt64: true },
), {
  session_id: "scene-1",
  strategy: "last_write_wins",
  operations: [{ kind: "remove", id: "e1", timestamp: NOW }],
});
write("msgpackr", advised.pack(batch), expected);
write("msgpackr-records", records.pack(batch), { error: "not_messagepack", says: "useRecords: false" });
// The key of the batch map that holds `undefined` is optional, but an extension type all the same.
write("msgpackr-undefined", undefinedAsExtension.pack(batch), { error: "wrong_type", says: "client_id" });
write("msgpackr-undefined-inside", undefinedAsExtension.pack({
  session_id: "scene-1",
  operations: [{ op: "interaction", event: undefined, timestamp: NOW }, { op: "remove", id: "e1", timestamp: NOW }],
}), {
  session_id: "scene-1",
  strategy: "last_write_wins",
  operations: [
    { kind: "invalid", well_formed: false, says: "encodeUndefinedAsNil: true" },
    { kind: "remove", id: "e1", timestamp: NOW },
  ],
});
