"""From produce to result, at shares of what the worker is able to do, beside the floor: a process
that only copies what it consumes, through clients with the worker's settings."""

from measure import spread
from processors import Busy
from tools import ToolError

LOADS_PERCENT = (10, 50, 80)
_WORKLOAD = "uniform"
_SECONDS, _SECONDS_MIN, _WARMUP_S = 10, 3, 5


def _throughput(bench, measured):
    """Batches per second of the worker, measured here where it has not been."""
    known = spread(measured.get(_WORKLOAD, []), "worker", "batches_per_s")
    if known:
        return known.median
    workload = bench.workload(_WORKLOAD)
    with bench.filled(workload) as topics:
        return bench.drain(topics, workload)["batches_per_s"]


def _answerer(bench, mode, topics, results):
    if mode == "echo":
        return bench.tools.echo(topics, results, bench.new_group())
    return bench.tools.worker(topics, results, bench.new_group(), bench.redis)


def _one(bench, mode, rate):
    workload = bench.workload(_WORKLOAD)
    seconds = max(_SECONDS_MIN, round(_SECONDS * min(bench.options.scale, 1)))
    bench.seed(workload)
    with bench.topics(workload.partitions) as topics, bench.results(topics) as results:
        answerer = _answerer(bench, mode, topics, results)
        try:
            with Busy(_WARMUP_S) as busy:
                found = bench.tools.call(
                    "bench_latency", "--bootstrap", topics.bootstrap, "--topic", topics.ops,
                    "--results", results, "--rate", rate, "--seconds", seconds,
                    "--warmup", _WARMUP_S, *workload.options())
            found["processors_busy"] = busy.share
        except ToolError as error:
            raise ToolError("%s\n%s" % (error, answerer.last_words()))
        finally:
            answerer.stop()
    bench.say("latency: %s at %d batches/s: p50 %d us, p99 %d us, p99.9 %d us, %d missing",
              mode, rate, found["p50_us"], found["p99_us"], found["p999_us"], found["missing"])
    return found


def measure(bench, throughput):
    """For each load a list of runs, echo and worker in turn."""
    batches_per_s = _throughput(bench, throughput)
    rates = {percent: max(1, round(batches_per_s * percent / 100)) for percent in LOADS_PERCENT}
    loads = [{"percent": percent, "rate": rates[percent], "runs": []} for percent in rates]
    for _number in bench.runs:
        for load in loads:
            load["runs"].append({mode: _one(bench, mode, load["rate"])
                                 for mode in ("echo", "worker")})
    return {"batches_per_s": batches_per_s, "loads": loads}
