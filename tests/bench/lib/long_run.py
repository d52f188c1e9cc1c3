"""Memory over time: one worker that takes round after round of new batches."""

import time

from offsets import Offsets
from process import cpu_seconds, peak_rss_bytes, rss_bytes
from tools import ToolError

_INTERVAL_S, _TIMEOUT_S = 0.2, 300
# The broker keeps all of a topic until the end, so beyond this the rounds pause in between.
_TOPIC_BYTES_MAX = 16 << 30


def _await_answers(offsets, topics, results, worker, count):
    deadline = time.monotonic() + _TIMEOUT_S
    while offsets.count(results, topics.partitions) < count:
        if time.monotonic() > deadline or not worker.is_running():
            raise ToolError("the long run stands still:\n" + worker.last_words())
        time.sleep(_INTERVAL_S)


def _pause(began, seconds, topic_bytes):
    """Waits until so many bytes are due."""
    due = began + seconds * min(1, topic_bytes / _TOPIC_BYTES_MAX)
    time.sleep(max(0, due - time.monotonic()))


def _rounds(bench, topics, results, worker, workload):
    """What the worker holds after each round: a backlog that it drains while nobody produces."""
    offsets = Offsets(topics.bootstrap)
    samples, produced = [], 0
    began, seconds = time.monotonic(), bench.options.minutes * 60
    while time.monotonic() - began < seconds:
        bench.tools.produce(topics, workload.options(), workload.batches, skip=produced)
        produced += workload.batches
        _await_answers(offsets, topics, results, worker, produced)
        samples.append({"seconds": time.monotonic() - began, "batches": produced,
                        "rss_bytes": rss_bytes(worker.pid),
                        "worker_cpu_seconds": cpu_seconds(worker.pid),
                        "redis_bytes": bench.redis.memory_bytes()})
        _pause(began, seconds, produced * workload.batch_bytes)
    offsets.close()
    return samples


def _one(bench, workload):
    bench.seed(workload)
    with bench.topics(workload.partitions) as topics, bench.results(topics) as results:
        worker = bench.tools.worker(topics, results, bench.new_group(), bench.redis,
                                    workload.settings)
        try:
            samples = _rounds(bench, topics, results, worker, workload)
            peak = peak_rss_bytes(worker.pid)
        finally:
            worker.stop()
    bench.say("long run: %s: %d batches, at most %d MiB", workload.name, samples[-1]["batches"],
              peak >> 20)
    return {"operations": workload.operations, "peak_rss_bytes": peak, "samples": samples}


def measure(bench):
    """What each workload's worker came to, one after the other."""
    return {"minutes": bench.options.minutes,
            "workloads": {name: _one(bench, bench.workload(name))
                          for name in bench.options.workloads}}
