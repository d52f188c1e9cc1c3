"""How many of the machine's processors were busy, whoever it was."""

import statistics
import threading

_INTERVAL_S = 0.5


def _times():
    """Busy and all ticks of all processors since the start."""
    with open("/proc/stat", encoding="ascii") as stat:
        ticks = [int(field) for field in stat.readline().split()[1:9]]
    idle = ticks[3] + ticks[4]  # idle, waiting for a disk
    return sum(ticks) - idle, sum(ticks)


class Busy:
    """Looks twice a second while it is open; `share` is the median of what was seen since
    `after_s`: 1 where all processors were busy. None where it was open for too short a time."""

    def __init__(self, after_s):
        self.share = None
        self._after = round(after_s / _INTERVAL_S)
        self._shares = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def _look(self):
        busy, total = _times()
        while not self._ended.wait(_INTERVAL_S):
            busy_now, total_now = _times()
            self._shares.append((busy_now - busy) / max(1, total_now - total))
            busy, total = busy_now, total_now

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_exception):
        self._ended.set()
        self._thread.join()
        seen = self._shares[self._after:]
        self.share = statistics.median(seen) if seen else None
