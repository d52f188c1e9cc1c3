"""The tables: printed, and written as Markdown beside the JSON with every run's numbers."""

import json
import os

import plots
from measure import Spread, ratio, spread
from targets import judge

_BEGIN, _END = "<!-- results: begin -->", "<!-- results: end -->"
_MIB = 1 << 20


def _number(value):
    """Three digits that matter, thousands set apart."""
    if abs(value) >= 1000:
        return format(round(value, 2 - len(str(int(abs(value)))) + 1), ",.0f")
    return "%.3g" % value


def _median(found):
    return _number(found.median) if found else "–"


def _range(found):
    if not found:
        return "–"
    if found.count == 1:
        return _number(found.median)
    return "%s (%s..%s)" % tuple(map(_number, (found.median, found.least, found.greatest)))


def _table(head, rows):
    """Cells padded, so that it reads well before it is rendered too."""
    widths = [max(len(row[i]) for row in [head] + rows) for i in range(len(head))]

    def line(cells):
        padded = [cells[0].ljust(widths[0])]
        padded += [cell.rjust(width) for cell, width in zip(cells[1:], widths[1:])]
        return "| " + " | ".join(padded) + " |"

    ruler = "|" + "|".join(["-" * (widths[0] + 2)]
                           + ["-" * (width + 1) + ":" for width in widths[1:]]) + "|"
    return "\n".join([line(head), ruler] + [line(row) for row in rows])


def _section(title, text, table):
    return "\n".join(["### " + title, ""] + ([text, ""] if text else []) + [table])


def _environment(found):
    return ("%(date)s, commit %(commit)s: %(processors)d × %(processor)s, %(memory_gib)d GiB, "
            "Linux %(kernel)s; %(kafka)s, Redis %(redis)s, %(librdkafka)s. Runs: %(runs)d, scale "
            "%(scale)g; numbers are medians (least..greatest)." % found)


def _targets(verdicts):
    rows = [[v.name, v.wanted, "%s %s" % (_range(v.found), v.unit),
             "pass" if v.passed else "**miss**"] for v in verdicts]
    return _section("Targets", "", _table(["", "wanted", "found", ""], rows))


_WHO = ("ceiling_batch", "ceiling_operation", "worker", "peer")


def _throughput(throughput):
    head = ["workload", "ceiling, per batch", "ceiling, per operation", "worker",
            "worker, batches/s", "Python", "× per batch", "× per operation", "× Python"]
    rows = []
    for name, runs in throughput.items():
        rates = [_median(spread(runs, who, "ops_per_s")) for who in _WHO]
        ratios = [_range(ratio(runs, ("worker", "ops_per_s"), (who, "ops_per_s")))
                  for who in _WHO if who != "worker"]
        batches = _median(spread(runs, "worker", "batches_per_s"))
        rows.append([name] + rates[:3] + [batches] + rates[3:] + ratios)
    return _section("Throughput", "Operations per second; behind them what the worker reaches of "
                    "the others.", _table(head, rows))


def _cost(throughput):
    head = ["workload", "worker", "Redis", "broker", "bytes to Redis", "peak RSS, MiB",
            "Python's own"]
    rows = []
    for name, runs in throughput.items():
        cells = [_range(spread(runs, "worker", key))
                 for key in ("worker_us_per_op", "redis_us_per_op", "broker_us_per_op")]
        peak = spread(runs, "worker", "peak_rss_bytes")
        rows.append([name] + cells + [
            _median(spread(runs, "worker", "redis_bytes_per_op")),
            _range(peak.map(lambda value: value / _MIB)),
            _median(spread(runs, "peer", "worker_us_per_op"))])
    return _section("Cost of an operation", "CPU seconds per million operations, which is µs per "
                    "operation, of each process while the worker drains.", _table(head, rows))


def _latency(latency):
    rows = []
    for load in latency["loads"]:
        for who in ("echo", "worker"):
            times = [_range(spread(load["runs"], who, key).map(lambda us: us / 1000))
                     for key in ("p50_us", "p99_us", "p999_us")]
            missing = sum(run[who]["missing"] for run in load["runs"])
            busy = spread(load["runs"], who, "processors_busy")
            rows.append(["%d %%" % load["percent"], _number(load["rate"]), who] + times
                        + [str(missing), "%.0f %%" % (100 * busy.median) if busy else "–"])
    return _section("Latency", "From produce to result, in ms, at shares of the worker's own "
                    "%s batches/s." % _number(latency["batches_per_s"]),
                    _table(["load", "batches/s", "", "p50", "p99", "p99.9", "unanswered",
                            "processors busy"], rows))


def _growth(growth):
    rows = []
    for series in growth.values():
        for point in series["points"]:
            cells = [_range(spread(point["runs"], key))
                     for key in ("us_per_op", "worker_us_per_op", "redis_us_per_op")]
            rows.append([series["label"], format(point["size"], ",")] + cells)
    return _section("Growth", "Time per operation, and what of it is the worker's and Redis's CPU "
                    "time, in µs.",
                    _table(["", "how many", "time", "worker", "Redis"], rows))


def _scaling(runs):
    rows = [[workers, _range(spread(runs, workers, "ops_per_s"))]
            + [_median(spread(runs, workers, who + "_cores"))
               for who in ("worker", "redis", "broker", "bench", "others")]
            for workers in ("1", "2")]
    gained = _range(ratio(runs, ("2", "ops_per_s"), ("1", "ops_per_s")))
    text = ("Two do %s times what one does. Behind the rate: how many processors each kept busy, "
            "the workers taken together." % gained)
    return _section("Two workers, two partitions", text, _table(
        ["workers", "operations/s", "workers", "Redis", "broker", "this benchmark",
         "anything else"], rows))


def _start(found):
    row = ["new group, topic with batches", _range(Spread(found["seconds"]))]
    return _section("Start to first result", "", _table(["", "s"], [row]))


def _long_run(found):
    rows = []
    for name, run in found["workloads"].items():
        samples = run["samples"]
        middle, last = samples[(len(samples) - 1) // 2], samples[-1]
        rows.append([name, format(last["batches"], ","), _number(samples[0]["rss_bytes"] / _MIB),
                     _number(middle["rss_bytes"] / _MIB), _number(last["rss_bytes"] / _MIB),
                     _number(run["peak_rss_bytes"] / _MIB), _number(last["redis_bytes"] / _MIB)])
    return _section("Memory over %g minutes" % found["minutes"],
                    "Resident memory of the worker in MiB: after the first round of batches, "
                    "after half of the rounds and after all; its peak; Redis's memory at the end.",
                    _table(["workload", "batches", "first", "half", "last", "peak", "Redis"],
                           rows))


def _markdown(measured, verdicts):
    sections = [_environment(measured["environment"])]
    if verdicts:
        sections.append(_targets(verdicts))
    throughput = measured.get("throughput")
    if throughput:
        sections.append(_throughput(throughput))
        if all("worker" in run for runs in throughput.values() for run in runs):
            sections.append(_cost(throughput))
    for name, write_section in (("latency", _latency), ("growth", _growth),
                                ("scaling", _scaling), ("start", _start), ("long_run", _long_run)):
        if name in measured:
            sections.append(write_section(measured[name]))
    return "\n\n".join(sections) + "\n"


def _put_between_markers(path, text):
    with open(path) as file:
        before, rest = file.read().split(_BEGIN)
    after = rest.split(_END)[1]
    with open(path, "w") as file:
        file.write(before + _BEGIN + "\n" + text + _END + after)


def save(measured, options):
    """Writes the numbers of every run."""
    os.makedirs(options.output, exist_ok=True)
    verdicts = [verdict.to_json() for verdict in judge(measured)]
    with open(os.path.join(options.output, "results.json"), "w") as file:
        json.dump({**measured, "targets": verdicts}, file, indent=1)


def write(measured, options):
    """Prints the tables, writes them and the plots."""
    save(measured, options)
    text = _markdown(measured, judge(measured))
    with open(os.path.join(options.output, "results.md"), "w") as file:
        file.write(text)
    if options.readme:
        _put_between_markers(os.path.join(options.root, "tests", "bench", "README.md"), text)
    plots.draw(measured, options.output)
    print(text)
    print("Written to", options.output)
