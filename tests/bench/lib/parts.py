"""The parts of a benchmark: what is measured, in which order, and how often.

Whatever is compared is measured in turns, so that the machine's moods meet all of it alike. Each
part fills its own key of `results`; medians and ratios are the report's.
"""

import re
import time

from .drain import drain
from .offsets import Offsets
from .process import peak_rss_bytes
from .workloads import Workload, limit_to_broker

PEER_SECONDS = 6
LATENCY_SHARES = (10, 50, 80)
_START_BATCHES = 1000
_START_TIMEOUT_S = 60
_SETTLED_TIMEOUT_S = 60
_TOPICS_READ = 4  # the batches and three retries


def say(text):
    print("bench: " + text, flush=True)


def _million(value):
    return "%.3f M ops/s" % (value / 1e6)


def _measure_once(bench, workload, kinds):
    run = {}
    if "ceiling" in kinds:
        run["ceiling_batch"] = bench.ceiling(workload, False)
        run["ceiling_operation"] = bench.ceiling(workload, True)
    if "worker" in kinds:
        run["worker"] = bench.worker(workload)
    if "peer" in kinds:
        run["peer"] = bench.peer(workload, PEER_SECONDS)
    return run


def _describe(run):
    return ", ".join("%s %s" % (kind, _million(measured["ops_per_s"]))
                     for kind, measured in run.items())


def throughput(bench, names, size, runs, kinds, results):
    """Ceiling, worker and peer in turns, for every workload."""
    for name in names:
        workload = bench.workload(name, size)
        entry = {"batches": workload.batches, "operations": workload.operations,
                 "partitions": workload.partitions, "runs": []}
        results.setdefault("workloads", {})[name] = entry
        for number in range(runs):
            run = _measure_once(bench, workload, kinds)
            entry["runs"].append(run)
            say("%s, run %d of %d: %s" % (name, number + 1, runs, _describe(run)))
        bench.drop_topics(workload)


def _latency_once(bench, workload, rate, seconds, is_worker):
    topics = bench.kafka.topics(workload.partitions)
    results = topics.new_results()
    if is_worker:
        bench.seed(workload)
        process = bench.tools.worker(topics, results, bench.group(), bench.redis)
    else:
        process = bench.tools.echo(topics, results, bench.group())
    try:
        return bench.tools.call(
            "bench_latency", "--bootstrap", topics.bootstrap, "--topic", topics.ops, "--results",
            results, "--rate", rate, "--seconds", seconds, *bench.options(workload))
    finally:
        process.stop()
        topics.drop_results(results)
        topics.drop()


def latency(bench, size, runs, batches_per_s, results):
    """Echo and worker in turns, at shares of the worker's throughput."""
    workload = bench.workload("uniform", size)
    seconds = max(3, int(10 * min(size, 1)))
    entry = {"batches_per_s": batches_per_s, "loads": {}}
    results["latency"] = entry
    for share in LATENCY_SHARES:
        load = {"rate": max(1, int(batches_per_s * share / 100)), "echo": [], "worker": []}
        entry["loads"][str(share)] = load
    for number in range(runs):
        for share, load in entry["loads"].items():
            for kind in ("echo", "worker"):
                measured = _latency_once(bench, workload, load["rate"], seconds, kind == "worker")
                load[kind].append(measured)
                say("latency at %s %%, run %d of %d: %s p50 %.2f ms, p99 %.2f ms, p99.9 %.2f ms" % (
                    share, number + 1, runs, kind, measured["p50_us"] / 1e3,
                    measured["p99_us"] / 1e3, measured["p999_us"] / 1e3))


def _growth_points(size):
    """Few operations in a batch, fewer than the smallest scene has elements: otherwise small
    scenes would be cheap because operations of one batch meet on the same element."""
    few = {"operations": 5}
    small = max(100, int(150000 * size))
    uniform = max(100, int(40000 * size))
    for elements in (10, 100, 1000, 10000):
        yield "elements", elements, Workload(
            "uniform", small, 5, 0, 0, 700, sizes={"scenes": 100, "elements": elements, **few},
            settings=("limits.max_elements=1000000",), label="elements-%d" % elements)
    for scenes in (100, 1000, 10000, 100000, 1000000):
        yield "scenes", scenes, Workload(
            "uniform", small, 5, 0, 0, 700, sizes={"scenes": scenes, "elements": 10, **few},
            label="scenes-%d" % scenes)
    for partitions in (1, 4, 16, 64):
        yield "partitions", partitions, Workload(
            "uniform", uniform, 50, 0, 0, 6600, partitions=partitions,
            label="partitions-%d" % partitions)


def growth(bench, size, runs, results):
    """The worker alone, over one dimension after the other, the points of each in turns."""
    points = list(_growth_points(size))
    entry = results["growth"] = {}
    for dimension in dict.fromkeys(point[0] for point in points):
        entry[dimension] = {}
        chosen = [(value, workload) for name, value, workload in points if name == dimension]
        for number in range(runs):
            for value, workload in chosen:
                limit_to_broker(workload, bench.kafka.bytes_max)
                measured = bench.worker(workload)
                entry[dimension].setdefault(str(value), []).append(measured)
                say("growth, %d %s, run %d of %d: %.3f us an operation" % (
                    value, dimension, number + 1, runs, 1e6 / measured["ops_per_s"]))
        for _value, workload in chosen:
            bench.drop_topics(workload)


def _assigned(worker):
    with open(worker.log) as log:
        found = re.findall(r'event="?partitions assigned"?.*\bassigned=(\d+)', log.read())
    return int(found[-1]) if found else 0


def _await_assignment(workers, partitions):
    """Until the group has settled and each worker has its share."""
    share = partitions * _TOPICS_READ // len(workers)
    deadline = time.monotonic() + _SETTLED_TIMEOUT_S
    while any(_assigned(worker) != share for worker in workers):
        if time.monotonic() > deadline:
            raise TimeoutError("the group does not settle; see " + workers[0].log)
        time.sleep(0.2)
    time.sleep(1)


def _scaling_once(bench, workload, worker_count):
    """The workers stand still while the topic is filled, so that all of them begin at once."""
    topics = bench.kafka.topics(workload.partitions)
    bench.seed(workload)
    results, group, workers = topics.new_results(), bench.group(), []
    try:
        for _number in range(worker_count):
            workers.append(bench.tools.worker(topics, results, group, bench.redis))
        _await_assignment(workers, workload.partitions)
        for worker in workers:
            worker.pause()
        bench.tools.produce(topics, bench.options(workload), workload.batches)
        for worker in workers:
            worker.resume()
        return drain(workers, bench.redis, topics, results, workload)
    finally:
        for worker in workers:
            worker.stop()
        topics.drop_results(results)
        topics.drop()


def scaling(bench, size, runs, results):
    """Two workers against one, both on two partitions."""
    workload = bench.workload("uniform", size)
    workload.partitions, workload.label = 2, "scaling"
    limit_to_broker(workload, bench.kafka.bytes_max)
    entry = results["scaling"] = {"1": [], "2": []}
    for number in range(runs):
        for count in (1, 2):
            measured = _scaling_once(bench, workload, count)
            entry[str(count)].append(measured)
            say("scaling, %d worker%s, run %d of %d: %s" % (
                count, "s"[:count - 1], number + 1, runs, _million(measured["ops_per_s"])))


def _start_once(bench, workload):
    topics = bench.filled_topics(workload)
    bench.seed(workload)
    results = topics.new_results()
    offsets = Offsets(topics.bootstrap)
    began = time.monotonic()
    worker = bench.tools.worker(topics, results, bench.group(), bench.redis)
    try:
        while offsets.count(results, topics.partitions) == 0:
            if time.monotonic() - began > _START_TIMEOUT_S or not worker.is_running():
                raise TimeoutError("no first result; see " + worker.log)
            time.sleep(0.005)
        return time.monotonic() - began
    finally:
        offsets.close()
        worker.stop()
        topics.drop_results(results)


def start(bench, size, runs, results):
    """From the start of the process, with a group that is new, to the first result."""
    workload = bench.workload("uniform", size)
    workload.batches, workload.label = min(workload.batches, _START_BATCHES), "start"
    results["start"] = {"seconds": []}
    for number in range(runs):
        results["start"]["seconds"].append(_start_once(bench, workload))
        say("start, run %d of %d: %.2f s" % (number + 1, runs, results["start"]["seconds"][-1]))
    bench.drop_topics(workload)


def _memory_once(bench, workload, minutes):
    """A backlog as fast as it goes, then a steady stream at half of that."""
    topics = bench.filled_topics(workload)
    bench.seed(workload)
    results = topics.new_results()
    worker = bench.tools.worker(topics, results, bench.group(), bench.redis, workload.settings)
    try:
        drained = drain([worker], bench.redis, topics, results, workload)
        rate = max(1, int(drained["batches_per_s"] / 2))
        bench.tools.call("bench_produce", "--bootstrap", topics.bootstrap, "--topic", topics.ops,
                         "--batches", rate * 60 * minutes, "--skip", workload.batches,
                         "--rate", rate, *bench.options(workload))
        return {"backlog_bytes": drained["peak_rss_bytes"],
                "peak_rss_bytes": peak_rss_bytes(worker.pid), "batches_per_s": rate}
    finally:
        worker.stop()
        topics.drop_results(results)


def memory(bench, names, size, minutes, results):
    entry = results["memory"] = {"minutes": minutes, "workloads": {}}
    for name in names:
        workload = bench.workload(name, size)
        entry["workloads"][name] = measured = _memory_once(bench, workload, minutes)
        say("memory, %s: peak RSS after %d minutes %.0f MiB" % (
            name, minutes, measured["peak_rss_bytes"] / (1 << 20)))
        bench.drop_topics(workload)
