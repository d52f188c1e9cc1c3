"""Several runs of the same thing, in one number and how far they lay apart."""

import statistics


class Spread:
    """Median, least and greatest of some numbers."""

    def __init__(self, values):
        self.median = statistics.median(values)
        self.least, self.greatest = min(values), max(values)
        self.count = len(values)

    def map(self, change):
        """The same in another unit."""
        made = Spread.__new__(Spread)
        made.median, made.count = change(self.median), self.count
        made.least, made.greatest = sorted((change(self.least), change(self.greatest)))
        return made

    def to_json(self):
        return {"median": self.median, "min": self.least, "max": self.greatest,
                "count": self.count}


def spread(runs, *path):
    """Over the runs, of what stands at `path` in each; None where it stands in none of them."""
    values = []
    for run in runs:
        for key in path:
            run = run.get(key) if run is not None else None
        if run is not None:
            values.append(run)
    return Spread(values) if values else None


def ratio(runs, above, below):
    """Of two paths, taken within each run, so that what slowed a run down is in both."""
    values = []
    for run in runs:
        pair = [spread([run], *path) for path in (above, below)]
        if None not in pair and pair[1].median > 0:
            values.append(pair[0].median / pair[1].median)
    return Spread(values) if values else None
