"""Two workers on two partitions against one, and who used the processors meanwhile.

Unlike elsewhere the topic is filled when the workers have joined and were stopped (SIGSTOP), so
that all of them begin at the same time and no rebalance lies within what is measured.
"""

import re
import time

from drain import Goal, drain
from tools import ToolError

WORKERS = (1, 2)
_PARTITIONS, _JOIN_TIMEOUT_S = 2, 60
_ASSIGNED = re.compile(r'event="partitions assigned".*')


def _has_its_share(worker, topics, count):
    """By the worker's last word on what it was assigned."""
    said = _ASSIGNED.findall(worker.last_words())
    return bool(said) and said[-1].count(topics.ops + "/") == count


def _await_shares(workers, topics):
    deadline = time.monotonic() + _JOIN_TIMEOUT_S
    for worker in workers:
        while not _has_its_share(worker, topics, _PARTITIONS // len(workers)):
            if time.monotonic() > deadline or not worker.is_running():
                raise ToolError("a worker does not join:\n" + worker.last_words())
            time.sleep(0.05)


def _start(bench, topics, results, count):
    group = bench.new_group()
    return [bench.tools.worker(topics, results, group, bench.redis) for _number in range(count)]


def _one(bench, workload, count):
    # By 80 % neither has run out of batches, though the scenes are not shared out evenly.
    goal = Goal(workload.batches, workload.operations, begin=0.1, end=0.8)
    bench.seed(workload)
    with bench.topics(_PARTITIONS) as topics, bench.results(topics) as results:
        workers = _start(bench, topics, results, count)
        try:
            _await_shares(workers, topics)
            for worker in workers:
                worker.pause()
            bench.tools.produce(topics, workload.options(), workload.batches)
            for worker in workers:
                worker.resume()
            return drain(workers, bench.redis, topics, results, goal)
        finally:
            for worker in workers:
                worker.stop()


def measure(bench):
    """A list of runs, in each of which one worker and then two drain the same batches."""
    workload = bench.workload("uniform", partitions=_PARTITIONS)
    runs = []
    for _number in bench.runs:
        run = {str(count): _one(bench, workload, count) for count in WORKERS}
        runs.append(run)
        bench.say("scaling: one worker %d operations/s, two %d", run["1"]["ops_per_s"],
                  run["2"]["ops_per_s"])
    return runs
