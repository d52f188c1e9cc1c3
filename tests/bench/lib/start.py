"""From a worker's start to its first result, in a group that nobody was in before."""

import time

from offsets import Offsets
from tools import ToolError

_BATCHES, _STARTS_PER_RUN = 1000, 3
_INTERVAL_S, _TIMEOUT_S = 0.002, 60


def _await_result(offsets, topics, results, worker):
    deadline = time.monotonic() + _TIMEOUT_S
    while offsets.count(results, topics.partitions) == 0:
        if time.monotonic() > deadline or not worker.is_running():
            raise ToolError("no result after the start:\n" + worker.last_words())
        time.sleep(_INTERVAL_S)


def _one(bench, topics, workload):
    bench.seed(workload)
    offsets = Offsets(topics.bootstrap)
    with bench.results(topics) as results:
        group = bench.new_group()
        began = time.monotonic()
        worker = bench.tools.worker(topics, results, group, bench.redis)
        try:
            _await_result(offsets, topics, results, worker)
            return time.monotonic() - began
        finally:
            worker.stop()
            offsets.close()


def measure(bench):
    """The seconds of each start."""
    workload = bench.workload("uniform", batches=_BATCHES)
    with bench.filled(workload) as topics:
        seconds = [_one(bench, topics, workload) for _number in bench.runs
                   for _start in range(_STARTS_PER_RUN)]
    bench.say("start: first results after %s s", ", ".join("%.2f" % value for value in seconds))
    return {"seconds": seconds}
