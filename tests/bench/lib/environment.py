"""On what was measured; numbers mean little without it."""

import os
import platform
import subprocess
import time


def _first_value(path, name):
    with open(path) as file:
        for line in file:
            if line.startswith(name):
                return line.partition(":")[2].strip()
    return "unknown"


def _commit(root):
    """Of the checkout, marked where it has other changes; a copy without git has none."""
    done = subprocess.run(["git", "-C", root, "describe", "--always", "--dirty", "--exclude=*"],
                          capture_output=True, text=True)
    return done.stdout.strip() or "unknown"


def _librdkafka(binary):
    said = subprocess.run([binary, "--version"], capture_output=True, text=True).stdout.split("\n")
    return next((line for line in said if line.startswith("librdkafka")), "librdkafka")


def describe(bench):
    memory_kib = int(_first_value("/proc/meminfo", "MemTotal").split()[0])
    return {
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "commit": _commit(bench.options.root),
        "processor": _first_value("/proc/cpuinfo", "model name"),
        "processors": os.cpu_count(),
        "memory_gib": round(memory_kib / (1 << 20)),
        "kernel": platform.release().partition("-")[0],
        "kafka": bench.kafka.name(),
        "redis": bench.redis.version,
        "librdkafka": _librdkafka(bench.tools.worker_binary),
        "runs": bench.options.runs,
        "scale": bench.options.scale,
    }
