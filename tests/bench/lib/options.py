"""The command line of tests/bench/run. Only the standard library, since this is read before the
packages are there."""

import argparse
import sys

PARTS = ("ceiling", "worker", "peer", "latency", "growth", "scaling", "start")
WORKLOADS = ("uniform", "drag", "single", "hot", "cold", "conflict", "large")
EXIT_USAGE = 64


class _Parser(argparse.ArgumentParser):
    def error(self, message):
        print("bench: %s; see tests/bench/run --help" % message, file=sys.stderr)
        sys.exit(EXIT_USAGE)


def _some_of(known):
    def parse(text):
        chosen = text.split(",")
        for word in chosen:
            if word not in known:
                raise argparse.ArgumentTypeError(
                    "there is no '%s'; known: %s" % (word, ",".join(known)))
        return [word for word in known if word in chosen]
    return parse


def _positive(kind):
    def parse(text):
        value = kind(text)
        if value <= 0:
            raise ValueError
        return value
    parse.__name__ = "number above 0"
    return parse


def parse(words):
    parser = _Parser(add_help=False, allow_abbrev=False)
    parser.add_argument("--workloads", type=_some_of(WORKLOADS), default=list(WORKLOADS))
    parser.add_argument("--parts", type=_some_of(PARTS), default=list(PARTS))
    parser.add_argument("--runs", type=_positive(int))
    parser.add_argument("--scale", type=_positive(float))
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--minutes", type=_positive(float))
    parser.add_argument("--output")
    parser.add_argument("--readme", action="store_true")
    # From tests/bench/run itself.
    parser.add_argument("--build", default="", help=argparse.SUPPRESS)
    parser.add_argument("--root", default="", help=argparse.SUPPRESS)
    options = parser.parse_args(words)
    options.runs = options.runs or (1 if options.quick else 5)
    options.scale = options.scale or (0.2 if options.quick else 1.0)
    return options


if __name__ == "__main__":
    parse(sys.argv[1:])
