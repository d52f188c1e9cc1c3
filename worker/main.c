#include "worker/commands.h"

#include <stdio.h>
#include <string.h>

#include "worker/output.h"
#include "worker/version.h"

static const char help[] =
    "Usage: scenesync COMMAND [options]\n"
    "\n"
    "Applies batches of scene operations from Kafka to scenes in Redis.\n"
    "\n"
    "Commands:\n"
    "  worker            consume batches, apply them, publish results\n"
    "  topics            create the topics that are missing\n"
    "  doctor            check Kafka, Redis and the settings, and say what to do\n"
    "  broker            an in-memory Kafka broker, for development only\n"
    "  produce [FILE]    send batches, JSON lines, to the ops topic\n"
    "  results           print results as JSON lines\n"
    "  scene SESSION     print a stored scene as JSON\n"
    "  verify            compare scenes in Redis with what the topics make them\n"
    "\n"
    "  --help, --version; `scenesync COMMAND --help` says more of each.\n"
    "\n"
    "  scenesync produce batches.jsonl && scenesync results --count 1\n"
    "\n"
    "Exit codes: 0 done; 1 not everything was done; 64 wrong command line; 69 Kafka or Redis\n"
    "cannot be reached; 70 a failure that cannot be gone on after; 74 the worker got no further "
    "and\n"
    "left its group; 75 it was stopped with work in flight (drain time-out, second signal): it\n"
    "will be delivered again; 76 the store lost writes, and it was set to stop; 78 wrong "
    "setting.\n";

struct command {
    const char *name;
    int (*run)(int argc, char **argv);
};

static const struct command commands[] = {
    {"worker", command_worker}, {"topics", command_topics},   {"doctor", command_doctor},
    {"broker", command_broker}, {"produce", command_produce}, {"results", command_results},
    {"scene", command_scene},   {"verify", command_verify},
};

int main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "";
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0) {
        (void)fputs(help, stdout);
        return output_end();
    }
    if (strcmp(name, "--version") == 0) {
        version_print(stdout);
        return output_end();
    }
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        if (strcmp(name, commands[i].name) == 0) {
            return commands[i].run(argc - 1, argv + 1);
        }
    }
    (void)fprintf(stderr, "scenesync: %.64s%s; see scenesync --help\n", name,
                  argc > 1 ? ": no such command" : "a command is missing");
    return EXIT_CODE_USAGE;
}
