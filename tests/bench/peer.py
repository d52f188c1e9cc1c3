"""The worker's peer: what a user would write first, in Python.

Per batch: one pipeline reads the scene's version and the elements that the batch touches, plain
dictionaries take the operations (the last write wins, by timestamp), one script writes all of it if
the version is still the same, and a result is produced. Offsets are committed when the results of
what was consumed together have been acknowledged.

It is as quick as plain code gets here: librdkafka consumes 500 messages at once and produces in the
background, hiredis parses Redis's answers, MessagePack is C, the script is called by its hash, and
only what a batch touches is read and written. What it lacks, beside the worker: it knows no batch
again that is delivered twice, checks no operation and no limit, fills in no defaults, retries
nothing later, has no dead letters, and does not notice when Redis has lost writes.
"""

import argparse
import signal
import time

import msgpack
import redis
from confluent_kafka import Consumer, Producer

CONSUMED_AT_ONCE = 500
ATTEMPTS_MAX = 8

# KEYS: scene, elements. ARGV: the version it was read at, the change of the number of elements,
# the time, then pairs of id and value.
COMMIT = """
if (redis.call('HGET', KEYS[1], 'version') or '0') ~= ARGV[1] then
    return 0
end
redis.call('HSET', KEYS[1], 'version', ARGV[1] + 1, 'updated_at', ARGV[3])
redis.call('HINCRBY', KEYS[1], 'element_count', ARGV[2])
if #ARGV > 3 then
    redis.call('HSET', KEYS[2], unpack(ARGV, 4))
end
return 1
"""


def merge(target, patch):
    """JSON Merge Patch (RFC 7396)."""
    for key, value in patch.items():
        if isinstance(value, dict):
            child = target.get(key)
            if not isinstance(child, dict):
                child = target[key] = {}
            merge(child, value)
        elif value is None:
            target.pop(key, None)
        else:
            target[key] = value


def element_id(operation):
    return operation["element"]["id"] if operation["op"] == "add" else operation["id"]


def apply_operation(operation, state):
    """Returns the element's new (timestamp, element), or a reason why it stays as it is. `state` is
    None for an element that is unknown; its element is None where it was removed."""
    kind, timestamp = operation["op"], operation["timestamp"]
    present = state is not None and state[1] is not None
    if state is not None and timestamp < state[0]:
        return None, "stale timestamp"
    if kind == "add":
        return (timestamp, operation["element"]), None
    if not present:
        return None, "element not found"
    if kind == "remove":
        return (timestamp, None), None
    merge(state[1], operation["changes"])
    return (timestamp, state[1]), None


class Worker:
    def __init__(self, arguments):
        self._results = arguments.results
        self._redis = redis.Redis(unix_socket_path=arguments.redis)
        self._commit = self._redis.register_script(COMMIT)
        self._producer = Producer({
            "bootstrap.servers": arguments.bootstrap, "enable.idempotence": True,
            "linger.ms": 5, "partitioner": "murmur2_random"})
        self._consumer = Consumer({
            "bootstrap.servers": arguments.bootstrap, "group.id": arguments.group,
            "auto.offset.reset": "earliest", "enable.auto.commit": False})
        self._consumer.subscribe([arguments.topic])

    def _read(self, session, ids):
        pipeline = self._redis.pipeline(transaction=False)
        pipeline.hget("scene:{%s}" % session, "version")
        pipeline.hmget("scene:{%s}:elements" % session, ids)
        version, values = pipeline.execute()
        state = {}
        for identifier, value in zip(ids, values):
            if value is not None:
                _version, timestamp, element = msgpack.unpackb(value)
                state[identifier] = (timestamp, element)
        return int(version or 0), state

    def _write(self, session, version, state, changed, count_change):
        arguments = [version, count_change, int(time.time() * 1000)]
        for identifier in changed:
            arguments += [identifier, msgpack.packb((version + 1, *state[identifier]))]
        keys = ["scene:{%s}" % session, "scene:{%s}:elements" % session]
        return self._commit(keys=keys, args=arguments) == 1

    def _attempt(self, batch):
        """Returns the conflicts, or None where somebody else wrote the scene meanwhile."""
        ids = list({element_id(operation) for operation in batch["operations"]})
        version, state = self._read(batch["session_id"], ids)
        present_before = sum(element is not None for _timestamp, element in state.values())
        conflicts, changed = [], set()
        for index, operation in enumerate(batch["operations"]):
            identifier = element_id(operation)
            new_state, reason = apply_operation(operation, state.get(identifier))
            if reason is None:
                state[identifier] = new_state
                changed.add(identifier)
            else:
                conflicts.append({"index": index, "reason": reason})
        present_after = sum(element is not None for _timestamp, element in state.values())
        written = self._write(batch["session_id"], version, state, changed,
                              present_after - present_before)
        return conflicts if written else None

    def _handle(self, message):
        batch = msgpack.unpackb(message.value())
        conflicts = None
        for _attempt in range(ATTEMPTS_MAX):
            conflicts = self._attempt(batch)
            if conflicts is not None:
                break
        failed = conflicts is None
        result = {"session_id": batch["session_id"], "batch_id": batch["batch_id"],
                  "success": not failed and not conflicts, "conflicts": conflicts or [],
                  "synced_count": 0 if failed else len(batch["operations"]) - len(conflicts)}
        self._producer.produce(self._results, msgpack.packb(result), key=message.key())

    def run(self, is_stopping):
        while not is_stopping():
            messages = self._consumer.consume(CONSUMED_AT_ONCE, timeout=0.1)
            for message in messages:
                if message.error():
                    raise RuntimeError(message.error())
                self._handle(message)
                self._producer.poll(0)
            if messages:
                self._producer.flush()
                self._consumer.commit(asynchronous=False)
        self._consumer.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    for name in ("bootstrap", "topic", "results", "group", "redis"):
        parser.add_argument("--" + name, required=True)
    signals = []
    signal.signal(signal.SIGTERM, lambda number, _frame: signals.append(number))
    Worker(parser.parse_args()).run(lambda: bool(signals))


if __name__ == "__main__":
    main()
