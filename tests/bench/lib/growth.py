"""Whether an operation costs the same when everything else grows."""

from contextlib import ExitStack

from drain import Goal

_BATCHES = 30000
# Later than elsewhere, since the first touch of each element reads it from Redis.
_BEGIN, _END = 0.4, 0.9

# Beyond the default; the workload's largest scene is at the limit and a little above.
_MORE_ELEMENTS = "limits.max_elements=20000"
_WITHOUT_CACHE = "store.cache_bytes=0"

# Few scenes where they are large, and small ones where they are many: else a store has no room.
_SCENES_OF_ELEMENTS, _SCENES_OF_DRAG = 20, 200
_ELEMENTS_OF_SCENES, _OPERATIONS_OF_SCENES = 10, 10


class _Series:
    """What grows, and how the workload changes with it."""

    def __init__(self, label, sizes, changes_of, workload="uniform"):
        self.label, self.sizes, self.changes_of = label, sizes, changes_of
        self.workload = workload


def _elements(elements):
    return {"sizes": {"scenes": _SCENES_OF_ELEMENTS, "elements": elements},
            "settings": (_MORE_ELEMENTS,)}


def _elements_of_drag(elements):
    return {"sizes": {"scenes": _SCENES_OF_DRAG, "elements": elements},
            "settings": (_MORE_ELEMENTS, _WITHOUT_CACHE)}


def _scenes(*settings):
    def changes(scenes):
        return {"sizes": {"scenes": scenes, "elements": _ELEMENTS_OF_SCENES,
                          "operations": _OPERATIONS_OF_SCENES},
                "operations": _OPERATIONS_OF_SCENES, "batches": 2 * _BATCHES,
                "settings": settings}
    return changes


def _partitions(partitions):
    return {"partitions": partitions}


_ELEMENTS, _SCENES = (10, 100, 1000, 10000), (100, 1000, 10000, 100000, 1000000)
_SERIES = {
    "elements": _Series("elements per scene", _ELEMENTS, _elements),
    "elements_drag": _Series("elements per scene, drag, nothing cached", _ELEMENTS,
                             _elements_of_drag, "drag"),
    "scenes": _Series("scenes", _SCENES, _scenes()),
    "scenes_uncached": _Series("scenes, nothing cached", _SCENES, _scenes(_WITHOUT_CACHE)),
    "partitions": _Series("partitions", (1, 4, 16, 64), _partitions),
}


def _measure_series(bench, series):
    points = [{"size": size, "runs": []} for size in series.sizes]
    made = [bench.workload(series.workload, **{"batches": _BATCHES, **series.changes_of(size)})
            for size in series.sizes]
    with ExitStack() as stack:
        topics = [stack.enter_context(bench.filled(workload)) for workload in made]
        for _number in bench.runs:
            for point, workload, filled in zip(points, made, topics):
                goal = Goal(workload.batches, workload.operations, _BEGIN, _END)
                run = bench.drain(filled, workload, goal)
                point["runs"].append(run)
                bench.say("growth: %d %s: %.3f us per operation, the worker's CPU %.3f us",
                          point["size"], series.label, run["us_per_op"], run["worker_us_per_op"])
    return {"label": series.label, "points": points}


def measure(bench):
    """For each series its points, and for each point its runs, all sizes in turn."""
    return {name: _measure_series(bench, series) for name, series in _SERIES.items()}
