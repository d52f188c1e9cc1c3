"""Processes that are measured: what they used, and their end."""

import os
import signal
import subprocess

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid):
    """User and system time of all threads, in steps of 10 ms."""
    with open("/proc/%d/stat" % pid) as stat:
        fields = stat.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S


def _memory_bytes(pid, name):
    with open("/proc/%d/status" % pid) as status:
        for line in status:
            if line.startswith(name):
                return int(line.split()[1]) * 1024
    return 0


def rss_bytes(pid):
    return _memory_bytes(pid, "VmRSS:")


def peak_rss_bytes(pid):
    return _memory_bytes(pid, "VmHWM:")


def machine_busy_seconds():
    """What all processors together were busy with, anybody's work."""
    with open("/proc/stat") as stat:
        user, nice, system, _idle, _iowait, irq, softirq = map(
            int, stat.readline().split()[1:8])
    return (user + nice + system + irq + softirq) / _TICKS_PER_S


# What measures can be killed too, and must leave nothing that runs.
_DIES_WITH_PARENT = ["setpriv", "--pdeathsig", "KILL"]
_LOG_TAIL_BYTES = 2000


class Process:
    """A child with its output in a file."""

    def __init__(self, arguments, log):
        self.log = log
        with open(log, "ab") as output:
            self._child = subprocess.Popen(_DIES_WITH_PARENT + arguments, stdin=subprocess.DEVNULL,
                                           stdout=output, stderr=output)
        self.pid = self._child.pid

    def is_running(self):
        return self._child.poll() is None

    def pause(self):
        self._child.send_signal(signal.SIGSTOP)

    def resume(self):
        self._child.send_signal(signal.SIGCONT)

    def last_words(self):
        with open(self.log, errors="replace") as log:
            return log.read()[-_LOG_TAIL_BYTES:]

    def stop(self, timeout_s=20):
        """Ends it, with SIGKILL if SIGTERM is not enough. Returns its exit code."""
        if self.is_running():
            self.resume()  # one that is paused would not hear of it
            self._child.terminate()
        try:
            return self._child.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self._child.kill()
            return self._child.wait()
