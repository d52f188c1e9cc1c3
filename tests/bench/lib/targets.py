"""What the worker is meant to reach, and whether it did. A target over several runs is judged by
the median of the runs' own ratios."""

from dataclasses import dataclass

from measure import Spread, ratio, spread

_MIB = 1 << 20


@dataclass
class Verdict:
    name: str
    wanted: str
    found: Spread
    unit: str
    passed: bool

    def to_json(self):
        return {"name": self.name, "wanted": self.wanted, "unit": self.unit,
                "found": self.found.to_json(), "passed": self.passed}


def _at_least(name, found, bound, unit="×"):
    return found and Verdict(name, "≥ %g %s" % (bound, unit), found, unit, found.median >= bound)


def _at_most(name, found, bound, unit):
    return found and Verdict(name, "≤ %g %s" % (bound, unit), found, unit, found.median <= bound)


_OPS = ("ops_per_s",)
_WORKER, _PEER = ("worker",) + _OPS, ("peer",) + _OPS
_PER_BATCH, _PER_OPERATION = ("ceiling_batch",) + _OPS, ("ceiling_operation",) + _OPS

_RATIOS = (
    ("uniform", _PER_BATCH, "ceiling, a command per batch", 0.45),
    ("uniform", _PER_OPERATION, "ceiling, a command per operation", 0.75),
    ("uniform", _PEER, "Python worker", 10),
    ("drag", _PER_OPERATION, "ceiling, a command per operation", 2),
    ("single", _PER_OPERATION, "ceiling, a command per operation", 0.22),
    ("cold", _PER_OPERATION, "ceiling, a command per operation", 0.35),
)
_AGAINST_UNIFORM = (("hot", 0.5), ("conflict", 0.8))


def _against_uniform(throughput, name, bound):
    """The workloads follow one another, so runs are paired by their number alone."""
    pairs = [{"a": a, "b": b} for a, b in zip(throughput.get(name, []),
                                              throughput.get("uniform", []))]
    return _at_least("%s / uniform" % name, ratio(pairs, ("a",) + _WORKER, ("b",) + _WORKER),
                     bound)


def _of_throughput(throughput):
    for name, below, label, bound in _RATIOS:
        yield _at_least("%s / %s" % (name, label),
                        ratio(throughput.get(name, []), _WORKER, below), bound)
    for name, bound in _AGAINST_UNIFORM:
        yield _against_uniform(throughput, name, bound)
    uniform = throughput.get("uniform", [])
    yield _at_most("worker's CPU per operation, uniform",
                   spread(uniform, "worker", "worker_us_per_op"), 1.0, "µs")


def _of_memory(measured):
    peaks = [run["worker"]["peak_rss_bytes"] / _MIB
             for runs in measured.get("throughput", {}).values() for run in runs
             if "worker" in run]
    if "long_run" in measured:
        peaks += [run["peak_rss_bytes"] / _MIB
                  for run in measured["long_run"]["workloads"].values()]
    if peaks:
        found = Spread(peaks)
        yield Verdict("peak RSS, all workloads", "all ≤ 64 + 256 MiB", found, "MiB",
                      found.greatest <= 64 + 256)


def _of_latency(measured):
    for load in measured.get("latency", {}).get("loads", []):
        if load["percent"] == 50:
            above = Spread([(run["worker"]["p99_us"] - run["echo"]["p99_us"]) / 1000
                            for run in load["runs"]])
            yield _at_most("p99 at 50 % load above echo's", above, 3, "ms")


def farthest_from_median(points):
    """By how many percent the cheapest and the dearest point lie away from the median of all; the
    median of what is returned is the farther one."""
    times = [spread(point["runs"], "us_per_op").median for point in points]
    middle = Spread(times).median
    found = Spread([(time / middle - 1) * 100 for time in times])
    found.median = max(found.least, found.greatest, key=abs)
    return found


def _of_growth(measured):
    for series in measured.get("growth", {}).values():
        found = farthest_from_median(series["points"])
        passed = -15 <= found.least and found.greatest <= 15
        yield Verdict("time per operation by " + series["label"], "all within ±15 %", found, "%",
                      passed)


def judge(measured):
    """A verdict on each target of which everything was measured."""
    start = measured.get("start", {}).get("seconds")
    verdicts = [*_of_throughput(measured.get("throughput", {})), *_of_memory(measured),
                *_of_latency(measured), *_of_growth(measured),
                start and _at_most("start to first result, new group", Spread(start), 4, "s")]
    return [verdict for verdict in verdicts if verdict]
