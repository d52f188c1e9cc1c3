#include "tests/sim/sim_break.h"

#include "store/recognition.h"
#include "worker/cycle_internal.h"
#include "worker/publish.h"
#include "worker/watermark_judge.h"

enum { LETTERS = 16 }; /* of so many publications one forgets a letter */

static enum sim_break chosen;

void sim_break_choose(enum sim_break which)
{
    chosen = which;
}

bool sim_break_is(enum sim_break which)
{
    return chosen == which;
}

const char *sim_break_name(enum sim_break which)
{
    switch (which) {
    case SIM_BREAK_NOTHING:
        return "nothing";
    case SIM_BREAK_RECOGNITION:
        return "recognition";
    case SIM_BREAK_LOSS:
        return "loss";
    case SIM_BREAK_MARK:
        return "mark";
    case SIM_BREAK_SETTLE_FIRST:
        return "settle-first";
    case SIM_BREAK_LETTER:
        return "letter";
    case SIM_BREAK_HOLD:
        return "hold";
    case SIM_BREAK_CHECK:
        return "check";
    case SIM_BREAK_AUTO_COMMIT:
        return "auto-commit";
    case SIM_BREAK_COUNT:
        break;
    }
    return "";
}

/* The linker's names: __real_f is the worker's f, and its calls of f come to __wrap_f. */
enum verdict __real_recognise(const struct recognition_case *arrived);
enum verdict __wrap_recognise(const struct recognition_case *arrived);
struct watermark_judgement __real_watermark_judge(const struct watermark_case *partition);
struct watermark_judgement __wrap_watermark_judge(const struct watermark_case *partition);
struct span __real_watermark_expected(struct watermark *watermark, const struct record *record,
                                      struct arena *arena);
struct span __wrap_watermark_expected(struct watermark *watermark, const struct record *record,
                                      struct arena *arena);
enum cycle_outcome __real_cycle_apply(struct cycle *cycle, const struct work_context *context,
                                      struct error *error);
enum cycle_outcome __wrap_cycle_apply(struct cycle *cycle, const struct work_context *context,
                                      struct error *error);
enum publish_outcome __real_publish_all(const struct publish_parts *parts, struct outbox *outbox);
enum publish_outcome __wrap_publish_all(const struct publish_parts *parts, struct outbox *outbox);
bool __real_source_holds(struct record_source *source, const struct record *record);
bool __wrap_source_holds(struct record_source *source, const struct record *record);

enum verdict __wrap_recognise(const struct recognition_case *arrived)
{
    enum verdict verdict = __real_recognise(arrived);
    bool is_known = verdict == VERDICT_REDELIVERED || verdict == VERDICT_RESENT;
    return sim_break_is(SIM_BREAK_RECOGNITION) && is_known ? VERDICT_STALE : verdict;
}

struct watermark_judgement __wrap_watermark_judge(const struct watermark_case *partition)
{
    struct watermark_case blind = *partition;
    if (sim_break_is(SIM_BREAK_LOSS)) {
        blind.is_accepted = true;
    }
    return __real_watermark_judge(&blind);
}

struct span __wrap_watermark_expected(struct watermark *watermark, const struct record *record,
                                      struct arena *arena)
{
    return sim_break_is(SIM_BREAK_MARK) ? span_of_text("")
                                        : __real_watermark_expected(watermark, record, arena);
}

enum cycle_outcome __wrap_cycle_apply(struct cycle *cycle, const struct work_context *context,
                                      struct error *error)
{
    if (sim_break_is(SIM_BREAK_SETTLE_FIRST)) {
        source_settle(cycle->parts.source, cycle->now->run.records, cycle->now->run.count);
    }
    return __real_cycle_apply(cycle, context, error);
}

enum publish_outcome __wrap_publish_all(const struct publish_parts *parts, struct outbox *outbox)
{
    static unsigned count;
    count++;
    if (sim_break_is(SIM_BREAK_LETTER) && count % LETTERS == 0 && outbox->first != NULL) {
        outbox->first = outbox->first->next;
    }
    return __real_publish_all(parts, outbox);
}

bool __wrap_source_holds(struct record_source *source, const struct record *record)
{
    return sim_break_is(SIM_BREAK_HOLD) || __real_source_holds(source, record);
}
