"""What was measured on."""

import datetime
import os
import platform
import subprocess

import confluent_kafka


def _processor():
    with open("/proc/cpuinfo") as info:
        for line in info:
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.machine()


def _commit(root):
    def git(*words):
        done = subprocess.run(["git", "-c", "safe.directory=" + root, "-C", root] + list(words),
                              capture_output=True, text=True)
        return done.stdout.strip()
    changed = git("status", "--porcelain", "--untracked-files=no", "protocol", "store", "worker")
    return (git("rev-parse", "--short", "HEAD") or "unknown") + (" with changes" if changed else "")


def describe(root, kafka, redis):
    return {"date": datetime.date.today().isoformat(), "commit": _commit(root),
            "processors": len(os.sched_getaffinity(0)), "processor": _processor(),
            "kernel": platform.release(), "kafka": kafka.name(), "redis": redis.version,
            "librdkafka": confluent_kafka.libversion()[0],
            "load": "%.1f" % os.getloadavg()[0]}
