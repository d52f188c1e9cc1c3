"""One measurement of each kind, on servers that are running."""

import time

from . import workloads
from .drain import drain
from .process import cpu_seconds

_HOUR_MS = 3600 * 1000


class Bench:
    """Servers, tools, and topics that are filled once and then used by every run."""

    def __init__(self, tools, kafka, redis):
        self.tools, self.kafka, self.redis = tools, kafka, redis
        # Timestamps rise by a millisecond a batch, and must not overtake the clock.
        self.start_ms = int(time.time() * 1000) - _HOUR_MS
        self._filled = {}
        self._group_count = 0

    def workload(self, name, size):
        return workloads.make(name, size, self.kafka.bytes_max)

    def options(self, workload):
        return workload.options(self.start_ms)

    def group(self):
        self._group_count += 1
        return "bench-%d" % self._group_count

    def seed(self, workload):
        self.tools.seed(self.redis, self.options(workload))

    def filled_topics(self, workload):
        """Topics with the workload's batches, which whoever has a fresh group reads from the
        beginning."""
        if workload.label not in self._filled:
            topics = self.kafka.topics(workload.partitions)
            self.tools.produce(topics, self.options(workload), workload.batches)
            self._filled[workload.label] = topics
        return self._filled[workload.label]

    def drop_topics(self, workload):
        topics = self._filled.pop(workload.label, None)
        if topics is not None:
            topics.drop()

    def ceiling(self, workload, per_operation):
        self.seed(workload)
        mode = ["--per-operation"] if per_operation else []
        redis_before = cpu_seconds(self.redis.pid)
        made = self.tools.call(
            "bench_ceiling", "--redis", self.redis.url, "--batches", workload.ceiling_batches,
            "--rounds", workload.rounds, *mode, *self.options(workload))
        redis_cpu = cpu_seconds(self.redis.pid) - redis_before
        return {"ops_per_s": made["operations"] / made["seconds"], "seconds": made["seconds"],
                "redis_us_per_op": redis_cpu / made["operations"] * 1e6,
                "client_us_per_op": made["client_cpu_seconds"] / made["operations"] * 1e6,
                "redis_bytes_per_op": made["bytes"] / made["operations"]}

    def _drain(self, workload, start, seconds_max=None):
        topics = self.filled_topics(workload)
        self.seed(workload)
        results = topics.new_results()
        process = start(topics, results)
        try:
            return drain([process], self.redis, topics, results, workload, seconds_max)
        finally:
            process.stop()
            topics.drop_results(results)

    def worker(self, workload):
        return self._drain(workload, lambda topics, results: self.tools.worker(
            topics, results, self.group(), self.redis, workload.settings))

    def peer(self, workload, seconds_max):
        return self._drain(workload, lambda topics, results: self.tools.peer(
            topics, results, self.group(), self.redis), seconds_max)
