"""Redis and Kafka, started for the benchmarks alone."""

import glob
import os
import re
import subprocess
import time

import confluent_kafka.admin
import redis

from offsets import Offsets, OffsetsError
from process import Process

RETRY_TOPICS = 3
_EMBEDDED_RESULT_TOPICS = 60
_EMBEDDED_PARTITION_BYTES = 5 << 20
_START_TIMEOUT_S = 60


class ServerError(Exception):
    """A server does not do what it should."""


class Redis:
    """A server of its own that keeps nothing on disk, on a unix socket: the worker, its peer and
    the ceiling all use that."""

    def __init__(self, directory):
        self.path = os.path.join(directory, "redis.sock")
        self.url = "unix://" + self.path
        self._process = Process(
            ["redis-server", "--port", "0", "--unixsocket", self.path, "--save", "",
             "--appendonly", "no", "--dir", directory], os.path.join(directory, "redis.log"))
        self.pid = self._process.pid
        self._client = redis.Redis(unix_socket_path=self.path, socket_timeout=120)
        self._await()

    def _await(self):
        deadline = time.monotonic() + _START_TIMEOUT_S
        while True:
            try:
                self._client.ping()
                return
            except redis.ConnectionError:
                if time.monotonic() > deadline or not self._process.is_running():
                    raise ServerError("Redis does not start; see " + self._process.log)
                time.sleep(0.05)

    @property
    def version(self):
        return self._client.info("server")["redis_version"]

    def memory_bytes(self):
        return self._client.info("memory")["used_memory"]

    def clear(self):
        self._client.flushall()

    def input_bytes(self):
        return self._client.info("stats")["total_net_input_bytes"]

    def stop(self):
        self._process.stop()


class Topics:
    """A set of topics for one workload: the batches, and all that a worker writes to."""

    def __init__(self, kafka, prefix, partitions, bootstrap, broker_pid):
        self._kafka = kafka
        self.prefix, self.partitions = prefix, partitions
        self.bootstrap, self.broker_pid = bootstrap, broker_pid
        self.ops, self.dead_letter = prefix + "ops", prefix + "dlq"
        self.retry_prefix = prefix + "retry-"
        self._result_count = 0

    def names(self):
        retries = [self.retry_prefix + str(i + 1) for i in range(RETRY_TOPICS)]
        return [self.ops, self.dead_letter] + retries

    def new_results(self):
        """The name of a topic that is empty."""
        self._result_count += 1
        name = "%sresults-%d" % (self.prefix, self._result_count)
        self._kafka.make_results(self, name)
        return name

    def drop_results(self, name):
        self._kafka.drop(name)

    def drop(self):
        self._kafka.drop_set(self)

    def await_topics(self, names):
        """A topic that was made can be unknown for a moment."""
        offsets = Offsets(self.bootstrap)
        deadline = time.monotonic() + _START_TIMEOUT_S
        for name in names:
            while True:
                try:
                    offsets.count(name, self.partitions)
                    break
                except OffsetsError:
                    if time.monotonic() > deadline:
                        raise
                    time.sleep(0.05)
        offsets.close()


class RealKafka:
    """Apache Kafka, one node, as the tests start it (tests/kafka/broker)."""

    bytes_max = None

    def __init__(self, script, directory):
        self._script, self._directory = script, os.path.join(directory, "kafka")
        subprocess.run([script, "start", self._directory, "--owner", str(os.getpid())], check=True)
        with open(os.path.join(self._directory, "bootstrap")) as file:
            self._bootstrap = file.read().strip()
        with open(os.path.join(self._directory, "pid")) as file:
            self._pid = int(file.read())
        self._admin = confluent_kafka.admin.AdminClient({"bootstrap.servers": self._bootstrap})
        self._set_count = 0

    def name(self):
        jars = subprocess.run([self._script, "jars"], check=True, capture_output=True, text=True)
        for jar in glob.glob(os.path.join(jars.stdout.strip(), "kafka-clients-*.jar")):
            return "Apache Kafka " + re.search(r"kafka-clients-(.*)\.jar", jar).group(1)
        return "Apache Kafka"

    def _create(self, names, partitions):
        # Retry and dead-letter topics are judged by the record's own size limit.
        config = {"message.timestamp.type": "LogAppendTime", "max.message.bytes": "3145728",
                  "segment.bytes": str(64 << 20)}
        wanted = [confluent_kafka.admin.NewTopic(name, partitions, 1, config=config)
                  for name in names]
        for created in self._admin.create_topics(wanted).values():
            created.result()

    def topics(self, partitions):
        self._set_count += 1
        made = Topics(self, "set%d." % self._set_count, partitions, self._bootstrap, self._pid)
        self._create(made.names(), partitions)
        made.await_topics(made.names())
        return made

    def make_results(self, topics, name):
        self._create([name], topics.partitions)
        topics.await_topics([name])

    def drop(self, name):
        for dropped in self._admin.delete_topics([name]).values():
            dropped.result()

    def drop_set(self, topics):
        for name in topics.names():
            self.drop(name)

    def stop(self):
        subprocess.run([self._script, "kill", self._directory], check=False,
                       stderr=subprocess.DEVNULL)


class EmbeddedKafka:
    """`scenesync broker`: librdkafka's mock cluster, a process for each set of topics. It forgets
    a partition's oldest records beyond 5 MiB, so fewer batches fit."""

    bytes_max = _EMBEDDED_PARTITION_BYTES

    def __init__(self, binary, directory):
        self._binary, self._directory = binary, directory
        self._processes = {}

    def name(self):
        return "EMBEDDED broker (librdkafka's mock cluster, no real Kafka)"

    def topics(self, partitions):
        prefix = "set%d." % (len(self._processes) + 1)
        log = os.path.join(self._directory, prefix + "broker.log")
        names = Topics(self, prefix, partitions, "", 0).names()
        results = ["%sresults-%d" % (prefix, i + 1) for i in range(_EMBEDDED_RESULT_TOPICS)]
        process = Process([self._binary, "broker", "--partitions", str(partitions)]
                          + names + results, log)
        self._processes[prefix] = process
        made = Topics(self, prefix, partitions, self._await_address(process), process.pid)
        made.await_topics(names)
        return made

    @staticmethod
    def _await_address(process):
        deadline = time.monotonic() + _START_TIMEOUT_S
        while process.is_running() and time.monotonic() < deadline:
            with open(process.log) as file:
                address = re.search(r"^\S+:\d+$", file.read(), re.MULTILINE)
            if address:
                return address.group(0)
            time.sleep(0.05)
        raise ServerError("the embedded broker does not start; see " + process.log)

    def make_results(self, topics, name):
        topics.await_topics([name])

    def drop(self, name):
        """They end with the broker."""

    def drop_set(self, topics):
        self._processes[topics.prefix].stop()

    def stop(self):
        for process in self._processes.values():
            process.stop()
