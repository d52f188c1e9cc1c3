"""The command line; called by tests/bench/run, which has built everything."""

import argparse
import json
import os
import sys

from . import figures, machine, parts, plots, report, workloads
from .bench import Bench
from .servers import EmbeddedKafka, RealKafka, Redis
from .tools import Tools

PARTS = ["ceiling", "worker", "peer", "latency", "growth", "scaling", "start"]
QUICK_SIZE, QUICK_RUNS = 0.15, 1
_BEGIN, _END = "<!-- table: begin -->", "<!-- table: end -->"

EPILOG = """\
parts:
  ceiling   a client that sends the same values by HSET, pipelined, and checks nothing
  worker    the topic is filled, then drained by one worker
  peer      a plain Python worker, on the same topic
  latency   produce to result at 10, 50 and 80 % of the worker's throughput, and a bare echo's
  growth    time per operation over elements per scene, scenes, partitions
  scaling   two workers on two partitions against one
  start     start of the process to the first result

Writes report.md, results.json and *.svg into the output directory. Exit: 0 measured (whether the
targets are met or not); 1 something failed; 64 wrong option; 69 packages are missing.
"""


def _list_of(known):
    def parse(text):
        chosen = [name for name in text.split(",") if name]
        for name in chosen:
            if name not in known:
                raise argparse.ArgumentTypeError(
                    "there is no '%s'; known: %s" % (name, ", ".join(known)))
        return [name for name in known if name in chosen]
    return parse


class _Parser(argparse.ArgumentParser):
    def error(self, message):
        print("bench: %s; see tests/bench/run --help" % message, file=sys.stderr)
        sys.exit(64)


def _arguments():
    parser = _Parser(
        prog="tests/bench/run", epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Builds a release of the worker and measures it on this machine, in one run "
                    "and in turns beside a ceiling, a peer and a floor.")
    parser.add_argument("--workloads", type=_list_of(workloads.NAMES), default=workloads.NAMES,
                        metavar="A,B", help="of " + ", ".join(workloads.NAMES) + " (all)")
    parser.add_argument("--parts", type=_list_of(PARTS), default=PARTS, metavar="A,B",
                        help="of " + ", ".join(PARTS) + " (all)")
    parser.add_argument("--runs", type=int, metavar="N", help="times each is measured (5)")
    parser.add_argument("--size", type=float, metavar="X",
                        help="times the batches, and the seconds (1)")
    parser.add_argument("--quick", action="store_true",
                        help="--runs %d --size %g: whether it works" % (QUICK_RUNS, QUICK_SIZE))
    parser.add_argument("--minutes", type=int, default=0, metavar="N",
                        help="also peak RSS after N minutes of each workload")
    parser.add_argument("--embedded", action="store_true",
                        help="the embedded broker, even where real Kafka can be had")
    parser.add_argument("--output", metavar="DIR", help="(build-bench/results)")
    parser.add_argument("--readme", action="store_true",
                        help="also write the tables into tests/bench/README.md")
    parser.add_argument("--render", action="store_true",
                        help="measure nothing: report again what the output directory has")
    # What tests/bench/run passes on.
    for name in ("--root", "--build", "--work"):
        parser.add_argument(name, default="", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    chosen.runs = chosen.runs or (QUICK_RUNS if chosen.quick else 5)
    chosen.size = chosen.size or (QUICK_SIZE if chosen.quick else 1)
    chosen.output = chosen.output or os.path.join(chosen.build, "results")
    return chosen


def _start_kafka(chosen):
    """The embedded broker takes the real one's place where that cannot be had."""
    script = os.path.join(chosen.root, "tests", "kafka", "broker")
    if not chosen.embedded:
        try:
            return RealKafka(script, chosen.work)
        except Exception as error:  # whatever the reason is: no Java, no jars, no memory
            parts.say("no real Kafka (%s): the embedded broker instead" % error)
    return EmbeddedKafka(os.path.join(chosen.build, "scenesync"), chosen.work)


def _save(chosen, results):
    os.makedirs(chosen.output, exist_ok=True)
    path = os.path.join(chosen.output, "results.json")
    with open(path + ".new", "w") as file:
        json.dump(results, file, indent=1)
    os.replace(path + ".new", path)


def _worker_speed(bench, chosen, results):
    """Batches per second of uniform, which the loads of the latency part are shares of."""
    runs = results.get("workloads", {}).get("uniform", {}).get("runs", [])
    known = figures.median_of(runs, "worker", "batches_per_s")
    if known is not None:
        return known
    workload = bench.workload("uniform", chosen.size)
    speed = bench.worker(workload)["batches_per_s"]
    bench.drop_topics(workload)
    return speed


def _measure(bench, chosen, results):
    def has(part):
        return part in chosen.parts

    few = min(chosen.runs, 3)
    kinds = [part for part in ("ceiling", "worker", "peer") if has(part)]
    if kinds:
        parts.throughput(bench, chosen.workloads, chosen.size, chosen.runs, kinds, results)
        _save(chosen, results)
    if has("start"):
        parts.start(bench, chosen.size, chosen.runs, results)
    if has("latency"):
        speed = _worker_speed(bench, chosen, results)
        parts.latency(bench, chosen.size, few, speed, results)
        _save(chosen, results)
    if has("scaling"):
        parts.scaling(bench, chosen.size, few, results)
        _save(chosen, results)
    if has("growth"):
        parts.growth(bench, chosen.size, few, results)
    if chosen.minutes > 0:
        parts.memory(bench, chosen.workloads, chosen.size, chosen.minutes, results)
    _save(chosen, results)


def _measure_all(chosen):
    redis = kafka = None
    try:
        redis = Redis(chosen.work)
        kafka = _start_kafka(chosen)
        tools = Tools(chosen.build, os.path.join(chosen.root, "tests", "bench"), chosen.work)
        results = {"machine": machine.describe(chosen.root, kafka, redis)}
        _measure(Bench(tools, kafka, redis), chosen, results)
        return results
    finally:
        for server in (kafka, redis):
            if server is not None:
                server.stop()


def _write_readme(chosen, text):
    path = os.path.join(chosen.root, "tests", "bench", "README.md")
    with open(path) as file:
        before, _, rest = file.read().partition(_BEGIN)
    _, _, after = rest.partition(_END)
    with open(path, "w") as file:
        file.write(before + _BEGIN + "\n" + text + _END + after)


def _report(chosen, results):
    text = report.markdown(results)
    with open(os.path.join(chosen.output, "report.md"), "w") as file:
        file.write(text)
    plots.draw(chosen.output, results)
    print("\n" + text)
    parts.say("report.md, results.json and plots are in " + chosen.output)
    if chosen.readme:
        _write_readme(chosen, text)


def main():
    chosen = _arguments()
    if chosen.render:
        with open(os.path.join(chosen.output, "results.json")) as file:
            results = json.load(file)
    else:
        results = _measure_all(chosen)
    _report(chosen, results)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
