"""SVG plots of what was measured, by gnuplot."""

import os
import subprocess

from measure import spread

_STYLE = """
set terminal svg size 760,440 dynamic font 'sans-serif,13' background '#ffffff'
set border 3 lc '#666666'
set tics nomirror out
set grid ytics lc '#dddddd'
set key outside bottom center horizontal
"""
_COLOURS = ("#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd", "#8c564b", "#17becf")


def _block(name, rows):
    return "$%s << END\n%s\nEND\n" % (name, "\n".join(rows))


def _gnuplot(script, output, name):
    path = os.path.join(output, name + ".svg")
    subprocess.run(["gnuplot"], input=_STYLE + "set output '%s'\n" % path.replace("'", "''")
                   + script, check=True, text=True)


def _cells(found):
    """Median, least, greatest."""
    return "%g %g %g" % (found.median, found.least, found.greatest)


_WHO = (("ceiling_batch", "ceiling, per batch"), ("ceiling_operation", "ceiling, per operation"),
        ("worker", "worker"), ("peer", "Python worker"))


def _throughput(throughput, output):
    measured = [(who, label) for who, label in _WHO
                if any(who in run for runs in throughput.values() for run in runs)]
    rows = [name + " " + " ".join(_cells(spread(runs, who, "ops_per_s")) for who, _ in measured)
            for name, runs in throughput.items()]
    bars = ", ".join("$data using %d:%d:%d:xtic(1) title '%s' lc rgb '%s'"
                     % (2 + 3 * i, 3 + 3 * i, 4 + 3 * i, label, _COLOURS[i])
                     for i, (_who, label) in enumerate(measured))
    _gnuplot(_block("data", rows) + """
set title 'Operations per second'
set style data histograms
set style histogram errorbars gap 1 lw 1
set style fill solid 0.85
set logscale y
set yrange [1000:*]
set format y '10^{%T}'
plot """ + bars + "\n", output, "throughput")


_PROCESSES = ("worker", "redis", "broker")


def _cost(throughput, output):
    rows = [name + " " + " ".join(_cells(spread(runs, "worker", who + "_us_per_op"))
                                  for who in _PROCESSES) for name, runs in throughput.items()]
    bars = ", ".join("$data using %d:xtic(1) title '%s' lc rgb '%s'"
                     % (2 + 3 * i, who, _COLOURS[i]) for i, who in enumerate(_PROCESSES))
    _gnuplot(_block("data", rows) + """
set title 'CPU time per operation, in µs'
set style data histograms
set style histogram rowstacked
set boxwidth 0.6
set style fill solid 0.85
set yrange [0:*]
plot """ + bars + "\n", output, "cost")


def _tail(runs, who):
    """Of all runs together: one in how many batches took longer than so many ms."""
    counts = {}
    for run in runs:
        for end_us, count in run[who]["buckets_us"]:
            counts[end_us] = counts.get(end_us, 0) + count
    total, below, rows = sum(counts.values()), 0, []
    for end_us in sorted(counts):
        rows.append("%g %g" % (total / (total - below), end_us / 1000))
        below += counts[end_us]
    return rows


def _latency(latency, output):
    blocks, lines = "", []
    for i, load in enumerate(latency["loads"]):
        for who, dash in (("echo", 3), ("worker", 1)):
            name = "%s%d" % (who, load["percent"])
            blocks += _block(name, _tail(load["runs"], who))
            lines.append("$%s using 1:2 with steps lw 2 dt %d lc rgb '%s' title '%s, %d %%'"
                         % (name, dash, _COLOURS[i], who, load["percent"]))
    _gnuplot(blocks + """
set title 'From produce to result, in ms, at shares of the throughput'
set xlabel 'percentile'
set logscale xy
set xtics ('0' 1, '50' 2, '90' 10, '99' 100, '99.9' 1000, '99.99' 10000)
plot """ + ", ".join(lines) + "\n", output, "latency")


_TIMES = (("us_per_op", "time"), ("worker_us_per_op", "worker's CPU"),
          ("redis_us_per_op", "Redis's CPU"))


def _growth(series, output, name):
    rows = [" ".join([str(point["size"])] + [_cells(spread(point["runs"], key))
                                             for key, _ in _TIMES]) for point in series["points"]]
    lines = ", ".join("$data using 1:%d:%d:%d with yerrorlines lw 2 pt 7 lc rgb '%s' title \"%s\""
                      % (2 + 3 * i, 3 + 3 * i, 4 + 3 * i, _COLOURS[i], label)
                      for i, (_key, label) in enumerate(_TIMES))
    _gnuplot(_block("data", rows) + """
set title 'Time per operation, in µs'
set xlabel '%s'
set logscale x
set yrange [0:*]
plot """ % series["label"] + lines + "\n", output, "growth-" + name.replace("_", "-"))


def _long_run(found, output):
    blocks, lines = "", []
    for (name, run), colour in zip(found["workloads"].items(), _COLOURS):
        blocks += _block(name, ["%g %g" % (sample["seconds"] / 60, sample["rss_bytes"] / (1 << 20))
                                for sample in run["samples"]])
        lines.append("$%s using 1:2 with lines lw 2 lc rgb '%s' title '%s'" % (name, colour, name))
    _gnuplot(blocks + """
set title 'Resident memory of the worker, in MiB'
set xlabel 'minutes'
set yrange [0:*]
plot """ + ", ".join(lines) + "\n", output, "memory")


def draw(measured, output):
    if "throughput" in measured:
        _throughput(measured["throughput"], output)
        if all("worker" in run for runs in measured["throughput"].values() for run in runs):
            _cost(measured["throughput"], output)
    if "latency" in measured:
        _latency(measured["latency"], output)
    for name, series in measured.get("growth", {}).items():
        _growth(series, output, name)
    if "long_run" in measured:
        _long_run(measured["long_run"], output)
