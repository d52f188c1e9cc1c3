#!/usr/bin/env python3
"""Writes the seeds that fuzzing starts from, into seeds/.

Run it in this folder with python3-msgpack installed; what it writes is committed. Batches are there
in tests/data/golden too. A seed is small and shows a feature; the fuzzers find the rest.
"""

import json
import pathlib

import msgpack

NOW = 1700000000123
SOURCE = {"topic": "scene.ops", "partition": 3, "offset": 42}


def write(target, name, data):
    folder = pathlib.Path("seeds", target)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data if isinstance(data, bytes) else data.encode())


def element(element_id="a", **more):
    return {"id": element_id, "kind": {"type": "Text", "data": {"content": "grüße"}}, **more}


TRANSFORM = {"x": 1.5, "y": -2, "width": 1e300, "height": 7, "rotation": 0.25, "z_index": 3.0, "own": [1, None]}
REMOVE = {"op": "remove", "id": "a", "timestamp": NOW}

CONFLICT = {
    "index": 0,
    "reason": {"StaleTimestamp": {"local": NOW, "remote": 5}},
    "resolution": "keep_local",
    "resolved": True,
    "local": {"version": 7, "timestamp": NOW, "removed": False},
}
CONFLICTS = [
    CONFLICT,
    {**CONFLICT, "index": 1, "reason": "ElementNotFound", "resolved": False},
    {**CONFLICT, "index": 2, "reason": "ConcurrentModification", "resolution": "keep_remote", "operation": REMOVE},
    {**CONFLICT, "index": 3, "reason": "ElementAlreadyExists", "resolution": "merge", "operation": None},
]
FAILURES = [
    {"index": 0, "code": "stale_timestamp", "error": "stale timestamp (local=2, remote=1)", "retryable": False,
     "operation": REMOVE},
    {"index": 1, "code": "element_not_found", "error": "element not found", "retryable": True, "operation": None},
]
RESULT = {
    "v": 1, "session_id": "scene-1", "batch_id": "b", "client_id": "c", "success": False, "final": False,
    "attempts": 2, "strategy": "last_write_wins", "synced_count": 2, "conflict_count": 4, "failed_count": 1,
    "pending_count": 1, "clamped_count": 1, "conflicts": CONFLICTS, "failed_operations": FAILURES,
    "scene_version": 9, "attempt_versions": [8, 9], "next_attempt_at": NOW + 100, "duration_ms": 12,
    "timestamp": NOW, "source": SOURCE,
}
RETRY = {
    "attempt": 2, "not_before": NOW, "arrival": NOW, "source": SOURCE, "total": 4, "indexes": [1], "synced_count": 2,
    "clamped_count": 1, "duration_ms": 12, "attempt_versions": [8], "conflicts": CONFLICTS,
    "failed_operations": FAILURES[:1],
}
BATCH = {"session_id": "scene-1", "batch_id": "b", "client_id": "c", "strategy": "local_wins"}


def batches():
    adds = [
        {"op": "add", "element": element(transform=TRANSFORM, parent=bytes(16), selected=True), "timestamp": NOW},
        {"AddElement": {"element": element(interactive=None, deep={"er": {"and": {"deeper": []}}}), "timestamp": 1.5}},
        {"UpdateElement": {"id": bytes(range(16)), "changes": {"kind": {"type": 1}}, "timestamp": 1}},
        {"op": "update", "id": "A", "changes": {"x": None}, "timestamp": NOW, "base_version": 3},
    ]
    write("batch", "adds", msgpack.packb({**BATCH, "operations": adds}))
    write("batch", "retry", msgpack.packb({**BATCH, "operations": [REMOVE], "retry": RETRY}))
    write("batch", "merge", msgpack.packb({**BATCH, "strategy": "merge", "operations": None}))
    write("batch", "many-keys", msgpack.packb({**{f"key-{i}": i for i in range(20)}, **BATCH, "operations": []}))
    write("batch", "proto", msgpack.packb({**BATCH, "operations": [{"__proto__": 1, **REMOVE}, 5, []]}))
    # Two faults at a time: the order of the checks says which one counts.
    write("batch", "faults-key-version", msgpack.packb({5: 1, "v": 2, **BATCH, "operations": []}))
    write("batch", "faults-proto-session", msgpack.packb({"__proto__": 1, "session_id": "!", "operations": []}))
    write("batch", "faults-batch-id-client", msgpack.packb({**BATCH, "batch_id": "a b", "client_id": 5, "operations": []}))
    write("batch", "faults-strategy-operations", msgpack.packb({**BATCH, "strategy": "none", "operations": 5}))
    write("batch", "faults-operations-retry", msgpack.packb({**BATCH, "retry": {"attempt": 1}}))
    write("batch", "faults-twice-version",
          b"\x84" + b"".join(map(msgpack.packb, ["session_id", "s", "v", 2, "x", 1, "x", 2])))


def patches():
    def patch(name, document, changes):
        write("patch", name, msgpack.packb(document) + msgpack.packb(changes))

    many = {f"key-{i}": {"i": i} for i in range(20)}
    patch("nothing", element(), {})
    patch("transform", element(transform=TRANSFORM),
          {"transform": {"x": "left", "y": 1e300, "z_index": 7.0, "own": None, "new": {}}, "id": "b"})
    patch("drag", element(transform=TRANSFORM), {"transform": {name: TRANSFORM[name] for name in list(TRANSFORM)[:2]}})
    patch("text", element(), {"kind": {"data": {"content": "xyz"}}})
    patch("flag", element(selected=False), {"selected": True})
    patch("kind", element(), {"kind": {"data": {"content": "x" * 40, "size": {"h": 2}}, "type": "Shape"}})
    patch("no-kind", element(), {"kind": {"type": None}})
    patch("known", element(parent="b"), {"parent": bytes(16), "selected": True, "interactive": None, "tags": ["a", None]})
    patch("many", element(**many), {key: {"j": 1} if i % 2 else None for i, key in enumerate(many)})
    patch("foreign", {"kind": 5, "transform": []}, {"kind": {"type": "T"}, "transform": {"x": 1}})


def results():
    write("result", "pending", msgpack.packb(RESULT))
    write("result", "refused", msgpack.packb({"v": 1, "session_id": "s", "final": True, "attempts": 1,
                                              "error_code": "too_deep", "error": "nested", "truncated": True}))
    write("result", "retry", msgpack.packb(RETRY))
    write("result", "conflicts", msgpack.packb(CONFLICTS))
    write("result", "failures", msgpack.packb(FAILURES))
    write("result", "source", msgpack.packb(SOURCE))
    marked = {**RESULT, "failed_operations": [{**failure, "operation": True} for failure in FAILURES]}
    write("result", "record", b"2 scene.ops/3 42\n" + msgpack.packb([bytes(16), NOW, [1], marked]))


def settings():
    file = """; a comment
[kafka]
bootstrap.servers = a:9092,b:9092
consumer.fetch.min.bytes = 1
producer.linger.ms: 5
sasl.password = secret ; not a comment

[retry]
max_retries = 5
  initial_delay_ms=10
backoff_multiplier = 1.50
redis.url = redis://user@host:1/2
[conflict]
strategy = LocalWins
allow_batch_strategy = FALSE
"""
    write("settings", "file", "f" + file)
    write("settings", "unknown", "f[retry]\nmax_retrys = 1\n")
    write("settings", "no-value", "f[limits]\nmax_depth\n")
    for i, text in enumerate(["limits.max_depth=129", "kafka.acks=1", "kafka.consumer.x.y=z", "topics.ops=a b",
                              "http.listen=[::1]:80", "store.on_lost_writes=accept", "redis.password=p",
                              "redis.url=unix:///run/redis?db=3", "tombstones.retention_ms=99999999999999999999"]):
        write("settings", f"set-{i}", "s" + text)
    write("settings", "environment", "eSCENESYNC_RETRY_MAX_RETRIES=7\0SCENESYNC_KAFKA_SSL_CA_LOCATION=/x\0"
          "SCENESYNC_SERVICE_HOST=10.0.0.1\0PATH=/bin\0")
    write("settings", "environment-unknown", "eSCENESYNC_LIMITS_DEPTH=7\0")


def jsons():
    batch = {"session_id": "s", "operations": [{"op": "add", "element": element(), "timestamp": NOW}]}
    write("json", "batch", json.dumps(batch))
    write("json", "numbers", "[0,-1,9223372036854775807,-9223372036854775808,1.0,-0.0,1e-7,5e-324,1.7976931348623157e308,"
          "0.1,123456789.125]")
    write("json", "strings", '["","\\u0000","\\ud83d\\ude00","grüße","\\"\\\\\\/\\b\\f\\n\\r\\t",true,false,null,{}]')
    write("json", "twice", '{"a":1,"a":2}')
    write("json", "overflow", "[9223372036854775808]")
    write("json", "unfinished", '{"a":[1,')
    write("json", "message", msgpack.packb({"uuid": bytes(16), "bin": b"x", "ext": msgpack.ExtType(5, b"y"),
                                            "big": 2**64 - 1, "list": [1.5, None, True]}))


batches()
patches()
results()
settings()
jsons()
