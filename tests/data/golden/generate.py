#!/usr/bin/env python3
"""Writes golden batches with Python's msgpack, and what each must decode to.

Run it in this folder with python3-msgpack installed; the files it writes are committed, so that
the tests need no Python. Each NAME.msgpack is a message as a client would send it, NAME.json says
what decoding must give: `error` alone where the batch is refused, otherwise the identity, the
strategy and the operations in the order of the batch.
"""

import json
import uuid

import msgpack

ID = uuid.UUID("6ba7b810-9dad-11d1-80b4-00c04fd430c8")
NOW = 1700000000123


def write(name, message, expected, **options):
    packed = message if isinstance(message, bytes) else msgpack.packb(message, **options)
    with open(f"python-{name}.msgpack", "wb") as file:
        file.write(packed)
    with open(f"python-{name}.json", "w", encoding="utf-8") as file:
        json.dump(expected, file, indent=2)
        file.write("\n")


def element(element_id, **more):
    return {"id": element_id, "kind": {"type": "Text", "data": {"content": "grüße"}}, **more}


def decoded(operations, **more):
    return {"session_id": "scene-1", "strategy": "last_write_wins", "operations": operations, **more}


write(
    "tagged",
    {
        "v": 1,
        "session_id": "scene-1",
        "batch_id": str(ID).upper(),
        "client_id": "tablet",
        "strategy": "remote_wins",
        "operations": [
            {"op": "add", "element": element("e1", transform={"x": 1.5, "z_index": -3}), "timestamp": NOW},
            {"op": "update", "id": "e1", "changes": {"transform": {"x": 2}}, "timestamp": NOW + 1, "base_version": 7},
            {"op": "remove", "id": "e1", "timestamp": NOW + 2},
            {"op": "interaction", "event": {"type": "tap", "at": [1, 2]}, "timestamp": NOW + 3},
        ],
    },
    decoded(
        [
            {"kind": "add", "id": "e1", "timestamp": NOW},
            {"kind": "update", "id": "e1", "timestamp": NOW + 1, "base_version": 7},
            {"kind": "remove", "id": "e1", "timestamp": NOW + 2},
            {"kind": "interaction", "timestamp": NOW + 3},
        ],
        batch_id=str(ID),
        client_id="tablet",
        strategy="remote_wins",
    ),
)

write(
    "externally-tagged",
    {
        "operations": [
            {"AddElement": {"element": element(ID.bytes, parent=None), "timestamp": NOW}},
            {"UpdateElement": {"id": str(ID), "changes": {}, "timestamp": NOW}},
            {"RemoveElement": {"id": ID.bytes, "timestamp": NOW, "base_version": 1}},
            {"Interaction": {"event": None, "timestamp": NOW}},
        ],
        "batch_id": ID.bytes,
        "session_id": "scene-1",
    },
    decoded(
        [
            {"kind": "add", "id": str(ID), "timestamp": NOW},
            {"kind": "update", "id": str(ID), "timestamp": NOW},
            {"kind": "remove", "id": str(ID), "timestamp": NOW, "base_version": 1},
            {"kind": "interaction", "timestamp": NOW},
        ],
        batch_id=str(ID),
    ),
)

# `time.time() * 1000` is a float with a fraction, in double and in single precision.
for name, options in (("float64", {}), ("float32", {"use_single_float": True})):
    write(
        f"timestamps-{name}",
        {
            "v": 1.0,
            "session_id": "scene-1",
            "operations": [{"op": "remove", "id": "e1", "timestamp": 4096.75, "base_version": 3.0}],
        },
        decoded([{"kind": "remove", "id": "e1", "timestamp": 4096, "base_version": 3}]),
        **options,
    )

# Some operations are broken; the others are not.
write(
    "broken-operations",
    {
        "session_id": "scene-1",
        "operations": [
            {"op": "remove", "id": "e1", "timestamp": NOW},
            {"op": "remove", "id": "e1", "timestamp": -1},
            {"op": "add", "element": {"id": "e1"}, "timestamp": NOW},
            ["remove", "e1", NOW],
            {"op": "interaction", "event": msgpack.ExtType(1, b"x"), "timestamp": NOW},
            {"op": "interaction", "event": {1: 2}, "timestamp": NOW},
            {"op": "remove", "id": "e1", "timestamp": 2**63 - 1},
        ],
    },
    decoded(
        [
            {"kind": "remove", "id": "e1", "timestamp": NOW},
            {"kind": "invalid"},
            {"kind": "invalid"},
            {"kind": "invalid"},
            {"kind": "invalid", "well_formed": False},
            {"kind": "invalid", "well_formed": False},
            {"kind": "remove", "id": "e1", "timestamp": 2**63 - 1},
        ]
    ),
)

write("empty", {"session_id": "scene-1", "operations": None}, decoded([]))
write("old-raw", {b"session_id": b"scene-1", b"operations": []}, decoded([]), use_bin_type=False)
write("bin-keys", {b"session_id": "scene-1", b"operations": []}, {"error": "wrong_type"})
write("bin-session", {"session_id": b"scene-1", "operations": []}, {"error": "wrong_type"})
write("array", [1, "scene-1", []], {"error": "not_a_map"})
write("two", msgpack.packb({"session_id": "scene-1", "operations": []}) * 2, {"error": "not_messagepack"})
write("cut", msgpack.packb({"session_id": "scene-1", "operations": ["abc"]})[:-1], {"error": "not_messagepack"})
