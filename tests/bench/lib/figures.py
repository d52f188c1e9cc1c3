"""Figures from what was measured: medians, spreads, ratios, and the targets."""

import statistics

MIB = 1 << 20
CACHE_BYTES = 256 * MIB  # store.cache_bytes


def values(runs, kind, key):
    return [run[kind][key] for run in runs if kind in run]


def median(numbers):
    return statistics.median(numbers) if numbers else None


def median_of(runs, kind, key):
    return median(values(runs, kind, key))


def ratio(runs, kind, against):
    """The median of the runs' ratios: what was measured in the same run shares its noise."""
    return median([run[kind]["ops_per_s"] / run[against]["ops_per_s"]
                   for run in runs if kind in run and against in run])


def _runs(results, name):
    return results.get("workloads", {}).get(name, {}).get("runs", [])


def against_uniform(results, name):
    """Run by run, too, although whole workloads lie between them."""
    pairs = zip(values(_runs(results, name), "worker", "ops_per_s"),
                values(_runs(results, "uniform"), "worker", "ops_per_s"))
    return median([one / other for one, other in pairs])


def latency_median(results, share, kind, key):
    load = results.get("latency", {}).get("loads", {}).get(share)
    return median([run[key] for run in load[kind]]) if load else None


def microseconds(measured):
    return median([1e6 / run["ops_per_s"] for run in measured])


def flatness(points):
    """How far the time of an operation is from the middle of its extremes, in per cent."""
    times = [microseconds(measured) for measured in points.values()]
    middle = (max(times) + min(times)) / 2
    return (max(times) - middle) / middle * 100


def scaling_ratio(results):
    entry = results.get("scaling")
    if not entry:
        return None
    return median([two["ops_per_s"] / one["ops_per_s"]
                   for one, two in zip(entry["1"], entry["2"])])


def peak_rss_bytes(results):
    peaks = [peak for name in results.get("workloads", {})
             for peak in values(_runs(results, name), "worker", "peak_rss_bytes")]
    peaks += [measured["peak_rss_bytes"]
              for measured in results.get("memory", {}).get("workloads", {}).values()]
    return max(peaks) if peaks else None


def _latency_above_echo_ms(results):
    worker = latency_median(results, "50", "worker", "p99_us")
    echo = latency_median(results, "50", "echo", "p99_us")
    return None if worker is None else (worker - echo) / 1e3


def _throughput_targets(results):
    for name, against, label, wanted in (
            ("uniform", "ceiling_batch", "the ceiling by batch", 0.45),
            ("uniform", "ceiling_operation", "the ceiling by operation", 0.75),
            ("uniform", "peer", "the peer", 10),
            ("drag", "ceiling_operation", "the ceiling by operation", 2),
            ("single", "ceiling_operation", "the ceiling by operation", 0.22),
            ("cold", "ceiling_operation", "the ceiling by operation", 0.35)):
        yield "%s, times %s" % (name, label), wanted, ratio(_runs(results, name), "worker", against)
    for name, wanted in (("hot", 0.5), ("conflict", 0.8)):
        yield "%s, times uniform" % name, wanted, against_uniform(results, name)


def _cost_targets(results):
    yield "worker's CPU on uniform, us an operation", 1.0, median_of(
        _runs(results, "uniform"), "worker", "worker_us_per_op")
    peak = peak_rss_bytes(results)
    yield "peak RSS, MiB", (64 * MIB + CACHE_BYTES) / MIB, None if peak is None else peak / MIB
    yield "p99 at 50 % load above the echo's, ms", 3, _latency_above_echo_ms(results)
    yield "start to first result, s", 4, median(results.get("start", {}).get("seconds", []))
    for dimension, points in results.get("growth", {}).items():
        yield "growth with %s, within +-%%" % dimension, 15, flatness(points)


def targets(results):
    """(what, wanted, reached, is it met), for all that was measured."""
    for what, wanted, reached in _throughput_targets(results):
        if reached is not None:
            yield what, ">= %g" % wanted, reached, reached >= wanted
    for what, wanted, reached in _cost_targets(results):
        if reached is not None:
            yield what, "<= %g" % wanted, reached, reached <= wanted


def limit_of_scaling(results):
    """What two workers spend their time with, in processors."""
    runs = results["scaling"]["2"]
    return {name: median([run[name + "_cores"] for run in runs])
            for name in ("worker", "redis", "broker", "others")}
