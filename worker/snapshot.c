#include "worker/snapshot.h"

bool snapshot_board_init(struct snapshot_board *board)
{
    board->latest = (struct snapshot){0};
    return pthread_mutex_init(&board->mutex, NULL) == 0;
}

void snapshot_board_deinit(struct snapshot_board *board)
{
    (void)pthread_mutex_destroy(&board->mutex);
}

void snapshot_board_post(struct snapshot_board *board, const struct snapshot *snapshot)
{
    if (pthread_mutex_trylock(&board->mutex) != 0) {
        return;
    }
    board->latest = *snapshot;
    (void)pthread_mutex_unlock(&board->mutex);
}

void snapshot_board_read(struct snapshot_board *board, struct snapshot *out)
{
    (void)pthread_mutex_lock(&board->mutex);
    *out = board->latest;
    (void)pthread_mutex_unlock(&board->mutex);
}
