"""Memory over time: one worker that takes round after round of new batches."""

import time

from offsets import Offsets
from process import cpu_seconds, peak_rss_bytes, rss_bytes
from tools import ToolError

_INTERVAL_S, _TIMEOUT_S = 0.2, 300


def _await_answers(offsets, topics, results, worker, count):
    deadline = time.monotonic() + _TIMEOUT_S
    while offsets.count(results, topics.partitions) < count:
        if time.monotonic() > deadline or not worker.is_running():
            raise ToolError("the long run stands still:\n" + worker.last_words())
        time.sleep(_INTERVAL_S)


def _rounds(bench, topics, results, worker, workload):
    """What the worker holds after each round. Producing stops while it drains, so the topic never
    needs to keep more than a round."""
    offsets = Offsets(topics.bootstrap)
    samples, produced = [], 0
    began = time.monotonic()
    while time.monotonic() - began < bench.options.minutes * 60:
        bench.tools.produce(topics, workload.options(), workload.batches, skip=produced)
        produced += workload.batches
        _await_answers(offsets, topics, results, worker, produced)
        samples.append({"seconds": time.monotonic() - began, "batches": produced,
                        "rss_bytes": rss_bytes(worker.pid),
                        "worker_cpu_seconds": cpu_seconds(worker.pid),
                        "redis_bytes": bench.redis.memory_bytes()})
    offsets.close()
    return samples


def measure(bench):
    workload = bench.workload("uniform")
    bench.seed(workload)
    with bench.topics(workload.partitions) as topics, bench.results(topics) as results:
        worker = bench.tools.worker(topics, results, bench.new_group(), bench.redis)
        try:
            samples = _rounds(bench, topics, results, worker, workload)
            peak = peak_rss_bytes(worker.pid)
        finally:
            worker.stop()
    bench.say("long run: %d batches, at most %d MiB", samples[-1]["batches"], peak >> 20)
    return {"minutes": bench.options.minutes, "operations": workload.operations,
            "peak_rss_bytes": peak, "samples": samples}
