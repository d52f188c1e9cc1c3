"""The plots, by gnuplot, as SVG."""

import os
import subprocess

from . import figures
from .figures import median, median_of

_HEAD = """set terminal svg size 760,440 dynamic background rgb 'white' font 'sans-serif,13'
set output %s
set grid
set key top left
"""
_GROWTH_LABELS = {"elements": "elements in a scene", "scenes": "scenes", "partitions": "partitions"}


def _quoted(text):
    return "'" + text.replace("'", "''") + "'"


def _block(name, rows):
    lines = [" ".join(str(cell) for cell in row) for row in rows]
    return "$%s << END\n%s\nEND\n" % (name, "\n".join(lines))


def _draw(directory, name, script):
    path = os.path.join(directory, name + ".svg")
    subprocess.run(["gnuplot"], input=_HEAD % _quoted(path) + script, text=True, check=True)
    return path


def _throughput(directory, results):
    rows = []
    kinds = ("ceiling_batch", "ceiling_operation", "worker", "peer")
    for name, entry in results["workloads"].items():
        speeds = [median_of(entry["runs"], kind, "ops_per_s") for kind in kinds]
        rows.append([name] + ["?" if speed is None else speed / 1e6 for speed in speeds])
    script = _block("speeds", rows) + """
set style data histograms
set style fill solid 0.8 noborder
set datafile missing '?'
set yrange [0:*]
set key top right
set ylabel 'millions of operations a second'
plot $speeds using 2:xtic(1) title 'ceiling by batch', '' using 3 title 'ceiling by operation', \\
     '' using 4 title 'worker', '' using 5 title 'Python peer'
"""
    return _draw(directory, "throughput", script)


def _costs(directory, results):
    rows = []
    for name, entry in results["workloads"].items():
        costs = [median_of(entry["runs"], "worker", key + "_us_per_op")
                 for key in ("worker", "redis", "broker")]
        if None not in costs:
            rows.append([name] + costs)
    if not rows:
        return None
    script = _block("costs", rows) + """
set style data histograms
set style histogram rowstacked
set style fill solid 0.8 noborder
set boxwidth 0.6
set yrange [0:*]
set ylabel 'CPU microseconds an operation'
plot $costs using 2:xtic(1) title 'worker', '' using 3 title 'Redis', '' using 4 title 'broker'
"""
    return _draw(directory, "costs", script)


def _tail(runs):
    """Points (share of the slowest, milliseconds) over all runs together."""
    counts = {}
    for run in runs:
        for end_us, count in run["buckets_us"]:
            counts[end_us] = counts.get(end_us, 0) + count
    total, below, points = sum(counts.values()), 0, []
    for end_us in sorted(counts):
        points.append((max(total - below, 1) / total, end_us / 1e3))
        below += counts[end_us]
    return points


def _latency(directory, results):
    script, curves = "", []
    for share, load in results["latency"]["loads"].items():
        for kind in ("echo", "worker"):
            name = "%s%s" % (kind, share)
            script += _block(name, _tail(load[kind]))
            style = "dashtype 2" if kind == "echo" else "linewidth 2"
            colour = {"10": 1, "50": 2, "80": 3}[share]
            curves.append("$%s using (1/$1):2 with steps linecolor %d %s title '%s, %s %% load'"
                          % (name, colour, style, kind, share))
    script += """
set logscale xy
set xrange [1:100000]
set xtics ('0 %' 1, '90 %' 10, '99 %' 100, '99.9 %' 1000, '99.99 %' 10000, '99.999 %' 100000)
set xlabel 'share of the batches'
set ylabel 'milliseconds from due to result'
plot """ + ", \\\n     ".join(curves) + "\n"
    return _draw(directory, "latency", script)


def _growth(directory, results, dimension):
    rows = [[value, figures.microseconds(runs)]
            + [median([run[key + "_us_per_op"] for run in runs])
               for key in ("worker", "redis", "broker")]
            for value, runs in results["growth"][dimension].items()]
    base = 2 if dimension == "partitions" else 10
    script = _block("times", rows) + """
set logscale x %d
set yrange [0:*]
set xlabel %s
set ylabel 'microseconds an operation'
plot $times using 1:2 with linespoints linewidth 2 title 'by the clock', \\
     '' using 1:3 with linespoints title 'CPU of the worker', \\
     '' using 1:4 with linespoints title 'CPU of Redis', \\
     '' using 1:5 with linespoints title 'CPU of the broker'
""" % (base, _quoted(_GROWTH_LABELS[dimension]))
    return _draw(directory, "growth-" + dimension, script)


def draw(directory, results):
    """Draws all that there is data for; returns the files."""
    made = []
    if results.get("workloads"):
        made += [_throughput(directory, results), _costs(directory, results)]
    if results.get("latency"):
        made.append(_latency(directory, results))
    made += [_growth(directory, results, dimension) for dimension in results.get("growth", {})]
    return [path for path in made if path]
