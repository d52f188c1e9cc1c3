"""What all parts share: the servers, the programs, and how often and how much is measured."""

import contextlib
import sys
import time

import workloads
from drain import Goal, drain

_DAY_MS = 24 * 3600 * 1000


class Bench:
    """Borrows the servers; the caller stops them."""

    def __init__(self, options, tools, kafka, redis):
        self.options, self.tools, self.kafka, self.redis = options, tools, kafka, redis
        self._group_count = 0

    @staticmethod
    def say(text, *arguments):
        print("bench: " + text % arguments, file=sys.stderr, flush=True)

    @property
    def runs(self):
        return range(self.options.runs)

    def workload(self, name, **changes):
        """A workload at this run's scale. Its records lie behind its timestamps by two days, so
        that none is from the future however many batches there are."""
        made = workloads.make(name, self.options.scale, **changes)
        made.start_ms = int(time.time() * 1000) - 2 * _DAY_MS
        workloads.limit_to_broker(made, self.kafka.bytes_max)
        return made

    def new_group(self):
        self._group_count += 1
        return "bench-%d" % self._group_count

    @contextlib.contextmanager
    def topics(self, partitions):
        made = self.kafka.topics(partitions)
        try:
            yield made
        finally:
            made.drop()

    @contextlib.contextmanager
    def filled(self, workload):
        """Topics that hold all of the workload's batches."""
        with self.topics(workload.partitions) as topics:
            self.tools.produce(topics, workload.options(), workload.batches)
            yield topics

    @contextlib.contextmanager
    def results(self, topics):
        name = topics.new_results()
        try:
            yield name
        finally:
            topics.drop_results(name)

    def seed(self, workload):
        """Redis as the workload finds it, without what was there."""
        self.redis.clear()
        self.tools.seed(self.redis, workload.options())

    def warm_up(self):
        """A drain that is not counted: a broker that was just started compiles its code first."""
        workload = self.workload("uniform")
        with self.filled(workload) as topics:
            self.drain(topics, workload)

    def drain(self, topics, workload, goal=None):
        """A worker in a fresh group on a fresh store takes the topic from its beginning."""
        self.seed(workload)
        goal = goal or Goal(workload.batches, workload.operations)
        with self.results(topics) as results:
            worker = self.tools.worker(topics, results, self.new_group(), self.redis,
                                       workload.settings)
            try:
                return drain([worker], self.redis, topics, results, goal)
            finally:
                worker.stop()
