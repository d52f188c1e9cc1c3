/**
 * The commands of `scenesync` and what the process exits with.
 *
 * Each command gets its own name as argv[0] and returns an exit code. Threading: main thread only;
 * one command runs per process.
 */
#ifndef SCENESYNC_WORKER_COMMANDS_H
#define SCENESYNC_WORKER_COMMANDS_H

/** Exit codes; from 64 on with the meaning of sysexits(3). `scenesync --help` lists them. */
enum exit_code {
    EXIT_CODE_OK = 0,
    EXIT_CODE_FAILED = 1,       /* ran, but not everything was done: bad lines, no such scene */
    EXIT_CODE_USAGE = 64,       /* the command line is wrong */
    EXIT_CODE_UNAVAILABLE = 69, /* Kafka or Redis cannot be reached in time */
    EXIT_CODE_INTERNAL = 70,    /* a failure that the process cannot go on after */
    EXIT_CODE_STALLED = 74,     /* worker: got no further, left the group (watchdog.h) */
    EXIT_CODE_INTERRUPTED = 75, /* worker: drain deadline exceeded, or a second signal */
    EXIT_CODE_LOST_WRITES = 76, /* worker: the store lost writes, store.on_lost_writes is `stop` */
    EXIT_CODE_CONFIG = 78       /* a setting is wrong; nothing was touched */
};

int command_worker(int argc, char **argv);
int command_broker(int argc, char **argv);
int command_topics(int argc, char **argv);
int command_doctor(int argc, char **argv);
int command_produce(int argc, char **argv);
int command_results(int argc, char **argv);
int command_scene(int argc, char **argv);
int command_verify(int argc, char **argv);

#endif
