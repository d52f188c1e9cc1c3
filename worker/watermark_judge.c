#include "worker/watermark_judge.h"

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

struct watermark_judgement watermark_judge(const struct watermark_case *partition)
{
    struct watermark_judgement judgement = {.start = partition->committed, .replay_until = -1};
    int64_t found = larger(partition->found, 0);
    /* Kafka forgets a group's offsets with the topic; the store does not. */
    judgement.is_recreated = partition->committed < 0 && partition->known < 0 &&
                             partition->log_end >= 0 && found > partition->log_end;
    if (judgement.is_recreated) {
        return judgement;
    }
    int64_t done = larger(partition->known, partition->committed);
    judgement.mark = larger(found, done);
    if (found >= done) {
        return judgement; /* all that was acknowledged is there */
    }
    judgement.is_lost = true;
    judgement.lost_from = found;
    judgement.lost_until = done;
    if (partition->is_accepted) {
        judgement.start = done;
        return judgement;
    }
    /* Offsets are committed last: Kafka may be behind what is left in the store. */
    bool is_committed_lower = partition->committed >= 0 && partition->committed < found;
    judgement.start = is_committed_lower ? partition->committed : found;
    judgement.mark = found;
    judgement.replay_until = done;
    return judgement;
}
