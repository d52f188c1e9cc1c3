"""The report: tables as Markdown, which is also what is printed."""

from . import figures
from .figures import MIB, median, median_of, ratio, values


def _table(heads, rows):
    cells = [heads] + [[str(cell) for cell in row] for row in rows]
    widths = [max(len(row[i]) for row in cells) for i in range(len(heads))]

    def line(row):
        first = row[0].ljust(widths[0])
        rest = [cell.rjust(width) for cell, width in zip(row[1:], widths[1:])]
        return "| " + " | ".join([first] + rest) + " |"

    rule = "|" + "|".join([":" + "-" * (widths[0] + 1)]
                          + ["-" * (width + 1) + ":" for width in widths[1:]]) + "|"
    return "\n".join([line(cells[0]), rule] + [line(row) for row in cells[1:]])


def _number(value, form="%.2f"):
    return "-" if value is None else form % value


def _spread(numbers, scale, form):
    """Median (smallest..largest)."""
    if not numbers:
        return "-"
    text = form % (median(numbers) * scale)
    if len(numbers) > 1:
        text += " (%s..%s)" % (form % (min(numbers) * scale), form % (max(numbers) * scale))
    return text


def _throughput(results):
    heads = ["workload", "ceiling by batch", "ceiling by operation", "worker", "peer",
             "batches/s", "x batch", "x operation", "x peer", "x uniform"]
    rows = []
    for name, entry in results["workloads"].items():
        runs = entry["runs"]
        speeds = [_spread(values(runs, kind, "ops_per_s"), 1e-6, "%.3f")
                  for kind in ("ceiling_batch", "ceiling_operation", "worker", "peer")]
        rows.append([name] + speeds + [
            _number(median_of(runs, "worker", "batches_per_s"), "%.0f"),
            _number(ratio(runs, "worker", "ceiling_batch")),
            _number(ratio(runs, "worker", "ceiling_operation")),
            _number(ratio(runs, "worker", "peer"), "%.1f"),
            _number(figures.against_uniform(results, name))])
    return ("### Throughput\n\nMillions of operations a second, median (smallest..largest) of %d "
            "runs; ratios are the worker's, medians of each run's own.\n\n%s"
            % (max(len(entry["runs"]) for entry in results["workloads"].values()),
               _table(heads, rows)))


def _costs(results):
    heads = ["workload", "worker us/op", "Redis us/op", "broker us/op", "Redis us/op, ceiling",
             "peak RSS MiB", "bytes/op to Redis", "peer us/op", "others, CPUs"]
    rows = []
    for name, entry in results["workloads"].items():
        runs = entry["runs"]
        costs = [_number(median_of(runs, "worker", key + "_us_per_op"), "%.3f")
                 for key in ("worker", "redis", "broker")]
        peak = median_of(runs, "worker", "peak_rss_bytes")
        rows.append([name] + costs + [
            _number(median_of(runs, "ceiling_batch", "redis_us_per_op"), "%.3f"),
            _number(None if peak is None else peak / MIB, "%.0f"),
            _number(median_of(runs, "worker", "redis_bytes_per_op"), "%.0f"),
            _number(median_of(runs, "peer", "worker_us_per_op"), "%.1f"),
            _number(median_of(runs, "worker", "others_cores"))])
    return ("### Costs\n\nCPU microseconds per operation, which is CPU seconds per million of them, "
            "of each process while the worker drains. *others*: processors that everything else on "
            "the machine kept busy meanwhile.\n\n" + _table(heads, rows))


def _latency(results):
    heads = ["load", "batches/s", "", "p50 ms", "p99 ms", "p99.9 ms", "missing"]
    rows = []
    for share, load in results["latency"]["loads"].items():
        for kind in ("echo", "worker"):
            runs = load[kind]
            rows.append([share + " %", load["rate"], kind]
                        + [_spread([run[key] for run in runs], 1e-3, "%.2f")
                           for key in ("p50_us", "p99_us", "p999_us")]
                        + [sum(run["missing"] for run in runs)])
    return ("### Latency\n\nFrom when a batch of `uniform` was due to its result, at shares of the "
            "worker's throughput (%.0f batches/s); *echo* consumes and produces, nothing else.\n\n%s"
            % (results["latency"]["batches_per_s"], _table(heads, rows)))


def _growth(results):
    parts = ["### Growth\n\nMicroseconds per operation: as the clock has it, and each process's CPU."]
    for dimension, points in results["growth"].items():
        rows = [[value, _spread([1e6 / run["ops_per_s"] for run in runs], 1, "%.3f")]
                + [_number(median([run[key + "_us_per_op"] for run in runs]), "%.3f")
                   for key in ("worker", "redis", "broker")]
                + [_number(median([run["peak_rss_bytes"] for run in runs]) / MIB, "%.0f")]
                for value, runs in points.items()]
        parts.append(_table([dimension, "clock", "worker", "Redis", "broker", "peak RSS MiB"], rows))
    return "\n\n".join(parts)


def _scaling(results):
    entry, used = results["scaling"], figures.limit_of_scaling(results)
    processors = results["machine"]["processors"]
    total = sum(used.values())
    if used["redis"] > 0.9:
        limit = "Redis, which has one thread, is what limits them"
    elif total > 0.9 * processors:
        limit = "the machine is what limits them: all of its processors are busy"
    else:
        limit = "neither Redis nor the processors are used up"
    return ("### Two workers\n\nOn two partitions of `uniform`: one worker %s, two %s M ops/s, "
            "x %.2f. With two, the workers keep %.2f of %d processors busy, Redis %.2f, the broker "
            "%.2f, everything else %.2f: %s." % (
                _spread([run["ops_per_s"] for run in entry["1"]], 1e-6, "%.3f"),
                _spread([run["ops_per_s"] for run in entry["2"]], 1e-6, "%.3f"),
                figures.scaling_ratio(results), used["worker"], processors, used["redis"],
                used["broker"], used["others"], limit))


def _start(results):
    return ("### Start\n\nFrom the start of the process, with a group that is new, to the first "
            "result: %s s." % _spread(results["start"]["seconds"], 1, "%.2f"))


def _memory(results):
    entry = results["memory"]
    rows = [[name, _number(measured["backlog_bytes"] / MIB, "%.0f"), measured["batches_per_s"],
             _number(measured["peak_rss_bytes"] / MIB, "%.0f")]
            for name, measured in entry["workloads"].items()]
    return ("### Memory\n\nPeak RSS of the worker: after a backlog, and after %d more minutes at "
            "half the speed.\n\n%s" % (entry["minutes"], _table(
                ["workload", "backlog MiB", "batches/s", "at the end MiB"], rows)))


def _targets(results):
    rows = [[what, wanted, "%.2f" % reached, "met" if met else "MISSED"]
            for what, wanted, reached, met in figures.targets(results)]
    return "### Targets\n\n" + _table(["", "wanted", "reached", ""], rows) if rows else ""


def _machine(results):
    machine = results["machine"]
    return ("%s, commit %s. %d processors (%s), Linux %s; %s; Redis %s on a unix socket, without "
            "persistence; librdkafka %s. Other work on the machine at the beginning: load %s." % (
                machine["date"], machine["commit"], machine["processors"], machine["processor"],
                machine["kernel"], machine["kafka"], machine["redis"], machine["librdkafka"],
                machine["load"]))


_SECTIONS = (("workloads", _throughput), ("workloads", _costs), ("latency", _latency),
             ("growth", _growth), ("scaling", _scaling), ("start", _start), ("memory", _memory))


def markdown(results):
    parts = [_machine(results)]
    parts += [write(results) for key, write in _SECTIONS if key in results]
    parts.append(_targets(results))
    return "\n\n".join(part for part in parts if part) + "\n"
