"""How much gets done: by a client that only writes (the ceiling), by the worker, by its peer."""

from drain import Goal, TooQuickError, drain

PARTS = ("ceiling", "worker", "peer")
# It takes one in so many batches, but enough for its producer's first connect not to matter.
_PEER_SHARE, _PEER_BATCHES_MIN = 20, 3000
_PEER_SECONDS_MAX = 30


def _ceiling(bench, workload, *mode):
    bench.seed(workload)
    done = bench.tools.call("bench_ceiling", "--redis", bench.redis.url,
                            "--batches", workload.ceiling_batches, "--rounds", workload.rounds,
                            *workload.options(), *mode)
    done["ops_per_s"] = done["operations"] / done["seconds"]
    return done


def _peer(bench, topics, workload):
    bench.seed(workload)
    batches = min(workload.batches, max(_PEER_BATCHES_MIN, workload.batches // _PEER_SHARE))
    goal = Goal(batches, workload.operations, seconds_max=_PEER_SECONDS_MAX)
    with bench.results(topics) as results:
        peer = bench.tools.peer(topics, results, bench.new_group(), bench.redis)
        try:
            return drain([peer], bench.redis, topics, results, goal)
        finally:
            peer.stop()


def _one_run(bench, topics, workload, parts):
    run = {}
    if "ceiling" in parts:
        run["ceiling_batch"] = _ceiling(bench, workload)
        run["ceiling_operation"] = _ceiling(bench, workload, "--per-operation")
    if "worker" in parts:
        run["worker"] = bench.drain(topics, workload)
    if "peer" in parts:
        run["peer"] = _peer(bench, topics, workload)
    return run


def _say(bench, name, run):
    rates = ", ".join("%s %s" % (what.replace("_", " per "), format(round(done["ops_per_s"]), ","))
                      for what, done in run.items())
    bench.say("%s: %s operations/s", name, rates)


def _runs(bench, workload, parts):
    runs = []
    with bench.filled(workload) as topics:
        for _number in bench.runs:
            run = _one_run(bench, topics, workload, parts)
            runs.append(run)
            _say(bench, workload.name, run)
    return runs


def measure(bench, parts):
    """For each workload a list of runs, in each of which all parts follow one another: what else
    the machine does meanwhile, it does to all of them. A workload of which the embedded broker
    keeps too little is left out."""
    measured = {}
    for name in bench.options.workloads:
        workload = bench.workload(name)
        bench.say("%s: %d batches of %d", name, workload.batches, workload.operations)
        try:
            measured[name] = _runs(bench, workload, parts)
        except TooQuickError as error:
            bench.say("%s is left out: %s", name, error)
    return measured
