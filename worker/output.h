/**
 * The end of what a command prints: whether all of it has arrived.
 *
 * Threading: main thread only.
 */
#ifndef SCENESYNC_WORKER_OUTPUT_H
#define SCENESYNC_WORKER_OUTPUT_H

/**
 * Writes what is still kept back of stdout. Returns EXIT_CODE_OK, or EXIT_CODE_FAILED after one
 * line on stderr where some of it could not be written: a full disk must not pass for success.
 */
__attribute__((warn_unused_result)) int output_end(void);

#endif
