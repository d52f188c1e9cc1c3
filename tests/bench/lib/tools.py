"""The C tools, the worker and its peer, and how they are called."""

import json
import os
import subprocess

from process import Process


class ToolError(Exception):
    """A tool failed."""


class Tools:
    """Programs of one build, and where their logs go."""

    def __init__(self, build, source, directory):
        self._build, self._source, self._directory = build, source, directory
        self._log_count = 0

    @property
    def worker_binary(self):
        return os.path.join(self._build, "scenesync")

    def _path(self, name):
        return os.path.join(self._build, "tests", "bench", name)

    def _log(self, name):
        self._log_count += 1
        return os.path.join(self._directory, "%03d-%s.log" % (self._log_count, name))

    def call(self, name, *arguments):
        """Runs a tool to its end; returns the JSON object that it prints."""
        done = subprocess.run([self._path(name)] + [str(word) for word in arguments],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True)
        if done.returncode != 0:
            raise ToolError("%s: %s" % (name, done.stderr.strip() or "exit code %d"
                                        % done.returncode))
        return json.loads(done.stdout)

    def start(self, name, *arguments):
        return Process([self._path(name)] + [str(word) for word in arguments], self._log(name))

    def seed(self, redis, options):
        """Adds the scenes that the workload begins with."""
        return self.call("bench_seed", "--redis", redis.url, *options)

    def produce(self, topics, options, batches, skip=0):
        return self.call("bench_produce", "--bootstrap", topics.bootstrap, "--topic", topics.ops,
                         "--batches", batches, "--skip", skip, *options)

    @staticmethod
    def _settings(topics, results, group):
        return ["--set", "kafka.bootstrap.servers=" + topics.bootstrap,
                "--set", "kafka.group.id=" + group, "--set", "topics.ops=" + topics.ops,
                "--set", "topics.results=" + results,
                "--set", "topics.retry_prefix=" + topics.retry_prefix,
                "--set", "topics.dead_letter=" + topics.dead_letter]

    def worker(self, topics, results, group, redis, extra=()):
        arguments = [self.worker_binary, "worker"] + self._settings(topics, results, group)
        arguments += ["--set", "redis.url=" + redis.url]
        for setting in extra:
            arguments += ["--set", setting]
        return Process(arguments, self._log("worker"))

    def echo(self, topics, results, group):
        return self.start("bench_echo", *self._settings(topics, results, group))

    def peer(self, topics, results, group, redis):
        return Process(["/usr/bin/python3", "-B", os.path.join(self._source, "peer.py"),
                        "--bootstrap", topics.bootstrap, "--topic", topics.ops,
                        "--results", results, "--group", group, "--redis", redis.path],
                       self._log("peer"))
