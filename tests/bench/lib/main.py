"""Measures, and writes what came out: see README.md. Called by tests/bench/run."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile

import options as command_line
import growth
import latency
import long_run
import report
import scaling
import start
import throughput
from context import Bench
from drain import DrainError
from environment import describe
from offsets import OffsetsError
from servers import EmbeddedKafka, RealKafka, Redis, ServerError
from tools import ToolError, Tools

_EXIT_FAILED, _EXIT_INTERRUPTED = 1, 130


def _start_kafka(root, tools, directory):
    try:
        return RealKafka(os.path.join(root, "tests", "kafka", "broker"), directory)
    except subprocess.CalledProcessError:
        Bench.say("NO REAL KAFKA (see above why): the embedded broker stands in")
        return EmbeddedKafka(tools.worker_binary, directory)


def _parts(bench, measured):
    """Name and function of each part that is wanted, in order."""
    wanted = bench.options.parts
    kinds = [kind for kind in throughput.PARTS if kind in wanted]
    if kinds:
        yield "throughput", lambda: throughput.measure(bench, kinds)
    if "latency" in wanted:
        yield "latency", lambda: latency.measure(bench, measured.get("throughput", {}))
    for name, module in (("start", start), ("scaling", scaling), ("growth", growth)):
        if name in wanted:
            yield name, lambda module=module: module.measure(bench)
    if bench.options.minutes:
        yield "long_run", lambda: long_run.measure(bench)


def _measure(bench):
    """The parts one after the other; what is there is kept when a later one fails."""
    measured = {"environment": describe(bench)}
    bench.warm_up()
    for name, measure in _parts(bench, measured):
        measured[name] = measure()
        report.save(measured, bench.options)
    return measured


def _measure_in(options, directory):
    """Starts the servers, and ends them whatever happens."""
    tools = Tools(options.build, os.path.join(options.root, "tests", "bench"), directory)
    servers = []
    try:
        servers.append(Redis(directory))
        servers.append(_start_kafka(options.root, tools, directory))
        return _measure(Bench(options, tools, servers[1], servers[0]))
    finally:
        for server in servers:
            server.stop()


def _keep_logs(directory, output):
    kept = os.path.join(output, "logs")
    os.makedirs(kept, exist_ok=True)
    for name in os.listdir(directory):
        if name.endswith(".log"):
            shutil.copy(os.path.join(directory, name), kept)
    Bench.say("the logs are in %s", kept)


def _on_interrupt(action):
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, action)


def _interrupt(_number, _frame):
    _on_interrupt(signal.SIG_IGN)  # once is enough; the end takes a moment
    raise KeyboardInterrupt


def main():
    options = command_line.parse(sys.argv[1:])
    options.output = options.output or os.path.join(options.build, "results")
    _on_interrupt(_interrupt)
    directory = tempfile.mkdtemp(prefix="scenesync-bench.")
    try:
        measured = _measure_in(options, directory)
        report.write(measured, options)
    except KeyboardInterrupt:
        Bench.say("interrupted")
        return _EXIT_INTERRUPTED
    except (DrainError, OffsetsError, ServerError, ToolError) as error:
        Bench.say("%s", error)
        _keep_logs(directory, options.output)
        return _EXIT_FAILED
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
