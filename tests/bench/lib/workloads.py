"""The workloads' sizes in a benchmark; what they are made of is in workload.h."""

from dataclasses import dataclass, field, replace

PARTITIONS = 12


@dataclass
class Workload:
    """`batches` go to the topic; the ceiling makes `ceiling_batches` and sends them `rounds`
    times. `sizes` replace the workload's own."""

    name: str
    batches: int
    operations: int
    ceiling_batches: int
    rounds: int
    batch_bytes: int
    partitions: int = PARTITIONS
    sizes: dict = field(default_factory=dict)
    settings: tuple = ()
    start_ms: int = 0

    def options(self):
        options = ["--workload", self.name, "--start-ms", str(self.start_ms)]
        for name, value in self.sizes.items():
            options += ["--" + name, str(value)]
        return options


# So many batches that draining them takes some seconds on a small machine.
_ALL = [
    Workload("uniform", 60000, 50, 10000, 5, 6600),
    Workload("drag", 60000, 50, 10000, 5, 6300),
    Workload("single", 400000, 1, 100000, 8, 260),
    Workload("hot", 30000, 50, 10000, 5, 6600, partitions=1),
    Workload("cold", 20000, 50, 20000, 2, 6600),
    Workload("conflict", 60000, 50, 10000, 5, 6600),
    Workload("large", 6000, 10, 500, 8, 115000),
]

_BATCHES_MIN = 100


def _scaled(count, scale):
    return max(_BATCHES_MIN, int(count * scale))


def limit_to_broker(workload, bytes_max):
    """The embedded broker keeps a few MiB of a partition; half of that, since keys are uneven."""
    if bytes_max is not None:
        room = bytes_max * workload.partitions // (2 * workload.batch_bytes)
        workload.batches = min(workload.batches, max(room, _BATCHES_MIN))


def make(name, scale, **changes):
    """The workload, with some members changed and then `scale` times the batches."""
    template = next(workload for workload in _ALL if workload.name == name)
    made = replace(template, **{"sizes": {}, **changes})
    made.batches = _scaled(made.batches, scale)
    made.ceiling_batches = _scaled(made.ceiling_batches, min(scale, 1))
    return made
