"""Throughput: a topic that was filled before is drained, and looked at from outside.

Every 50 ms a sample is taken: how many results there are (the end offsets of the results topic),
and what each process has used so far. What counts lies between the first sample with 10 % of the
batches answered and the first with 90 %: joining the group, the first fetches and the last,
half-empty cycle are outside, and the numbers and the times of both ends are exact, whatever the
interval was.
"""

import time
from dataclasses import dataclass

from offsets import Offsets
from process import cpu_seconds, machine_busy_seconds, peak_rss_bytes

_INTERVAL_S = 0.05
_STALL_S = 60


class DrainError(Exception):
    """The batches were not all answered, or not as they should."""


class TooQuickError(DrainError):
    """It was over before there was anything to measure."""


@dataclass
class Goal:
    """How many batches have to be answered, which part of them counts, and after how many seconds
    from the first result on fewer will do."""

    batches: int
    operations: int
    begin: float = 0.1
    end: float = 0.9
    seconds_max: float = float("inf")


@dataclass
class Sample:
    seconds: float
    answered: int
    worker_cpu: float
    redis_cpu: float
    broker_cpu: float
    own_cpu: float
    busy: float
    input_bytes: int


class _Watch:
    def __init__(self, workers, redis, topics, results):
        self._workers, self._redis, self._topics = workers, redis, topics
        self._results = results
        self._offsets = Offsets(topics.bootstrap)

    def take(self):
        answered = self._offsets.count(self._results, self._topics.partitions)
        return Sample(seconds=time.monotonic(), answered=answered,
                      worker_cpu=sum(cpu_seconds(worker.pid) for worker in self._workers),
                      redis_cpu=cpu_seconds(self._redis.pid),
                      broker_cpu=cpu_seconds(self._topics.broker_pid),
                      own_cpu=time.process_time(), busy=machine_busy_seconds(),
                      input_bytes=self._redis.input_bytes())

    def require_running(self):
        for worker in self._workers:
            if not worker.is_running():
                raise DrainError("it ended before it was done:\n" + worker.last_words())

    def require_no_retries(self):
        for name in self._topics.names():
            if name != self._topics.ops and self._offsets.count(name, self._topics.partitions) > 0:
                raise DrainError("%s is not empty: not every batch succeeded" % name)

    def close(self):
        self._offsets.close()


def _collect(watch, goal):
    samples = [watch.take()]
    changed_s = began_s = samples[0].seconds
    while samples[-1].answered < goal.batches:
        watch.require_running()
        time.sleep(_INTERVAL_S)
        sample = watch.take()
        if samples[-1].answered == 0:
            began_s = sample.seconds
        if sample.answered != samples[-1].answered:
            changed_s = sample.seconds
        elif sample.seconds - changed_s > _STALL_S:
            raise DrainError("only %d of %d batches were answered"
                             % (sample.answered, goal.batches))
        samples.append(sample)
        if sample.seconds - began_s > goal.seconds_max:
            break
    return samples


def _window(samples, goal):
    """The samples between which it counts."""
    done = samples[-1].answered
    begin = next(s for s in samples if s.answered >= max(1, done * goal.begin))
    end = next(s for s in samples if s.answered >= done * goal.end)
    if end.answered <= begin.answered:
        raise TooQuickError("too quick to be measured: take a larger --scale")
    return begin, end


def _summary(begin, end, operations):
    seconds = end.seconds - begin.seconds
    batches = end.answered - begin.answered
    done = batches * operations
    used = {name: getattr(end, name) - getattr(begin, name)
            for name in ("worker_cpu", "redis_cpu", "broker_cpu", "own_cpu", "busy")}
    others = used["busy"] - sum(used[name] for name in used if name != "busy")
    return {
        "seconds": seconds,
        "batches": batches,
        "batches_per_s": batches / seconds,
        "ops_per_s": done / seconds,
        "us_per_op": seconds / done * 1e6,
        "worker_us_per_op": used["worker_cpu"] / done * 1e6,
        "redis_us_per_op": used["redis_cpu"] / done * 1e6,
        "broker_us_per_op": used["broker_cpu"] / done * 1e6,
        "worker_cores": used["worker_cpu"] / seconds,
        "redis_cores": used["redis_cpu"] / seconds,
        "broker_cores": used["broker_cpu"] / seconds,
        "bench_cores": used["own_cpu"] / seconds,
        "others_cores": max(0.0, others / seconds),
        "redis_bytes_per_op": (end.input_bytes - begin.input_bytes) / done,
    }


def drain(workers, redis, topics, results, goal):
    """Watches workers that were just started until the goal is reached; returns what they did."""
    watch = _Watch(workers, redis, topics, results)
    try:
        samples = _collect(watch, goal)
        summary = _summary(*_window(samples, goal), goal.operations)
        summary["peak_rss_bytes"] = max(peak_rss_bytes(worker.pid) for worker in workers)
        watch.require_no_retries()
    finally:
        watch.close()
    return summary
