#include "tests/support/ledger_history_messages.h"

#include "tests/support/ledger_history_records.h"
#include "tests/support/message_writer.h"
#include "tests/support/messages.h"

enum { RETRY_DELAY_MS = 100 };

/* --- Results --- */

static void print_reason(struct message_writer *out, const struct model_verdict *verdict)
{
    if (strcmp(verdict->reason, "StaleTimestamp") == 0) {
        message_print(out, "{'StaleTimestamp':{'local':%llu,'remote':%llu}}",
                      (unsigned long long)verdict->stale_local_ms,
                      (unsigned long long)verdict->stale_remote_ms);
    } else {
        message_print(out, "'%s'", verdict->reason);
    }
}

/* `bodies`: of this attempt's operations; else a mark where one would be. */
static void print_conflicts(struct message_writer *out, const struct model_run *run,
                            bool with_bodies)
{
    const char *comma = "";
    message_print(out, "'conflicts':[");
    for (uint32_t i = 0; i < run->batch->operation_count; i++) {
        const struct model_verdict *const verdict = &run->verdicts[i];
        if (!verdict->has_conflict) {
            continue;
        }
        message_print(out, "%s{'index':%u,'reason':", comma, (unsigned)i);
        print_reason(out, verdict);
        message_print(out,
                      ",'resolution':'%s','resolved':%s,'local':{'version':%llu,'timestamp':%llu,"
                      "'removed':%s}",
                      verdict->resolution, verdict->standing != MODEL_PENDING ? "true" : "false",
                      (unsigned long long)verdict->local.version,
                      (unsigned long long)verdict->local.timestamp_ms,
                      verdict->local.is_removed ? "true" : "false");
        if (with_bodies && verdict->standing == MODEL_SYNCED && verdict->attempt == run->attempt) {
            message_print(out, ",'operation':");
            message_print_raw(out, run->batch->operations[i].raw);
        }
        message_print(out, "}");
        comma = ",";
    }
    message_print(out, "],");
}

static void print_error(struct message_writer *out, const struct model_verdict *verdict)
{
    if (strcmp(verdict->code, "stale_timestamp") == 0) {
        message_print(out, "'stale timestamp (local=%llu, remote=%llu): kept'",
                      (unsigned long long)verdict->stale_local_ms,
                      (unsigned long long)verdict->stale_remote_ms);
    } else {
        const bool is_found = strcmp(verdict->code, "element_already_exists") == 0;
        message_print(out, "'%s'",
                      is_found ? "element already exists" : "element not found: never added");
    }
}

static void print_failures(struct message_writer *out, const struct model_run *run,
                           bool with_pending)
{
    const char *comma = "";
    message_print(out, "'failed_operations':[");
    for (uint32_t i = 0; i < run->batch->operation_count; i++) {
        const struct model_verdict *const verdict = &run->verdicts[i];
        if (verdict->standing == MODEL_SYNCED ||
            (verdict->standing == MODEL_PENDING && !with_pending)) {
            continue;
        }
        message_print(out, "%s{'index':%u,'code':'%s','error':", comma, (unsigned)i, verdict->code);
        print_error(out, verdict);
        message_print(out,
                      ",'retryable':%s,'operation':", verdict->is_retryable ? "true" : "false");
        message_print_raw(out, run->batch->operations[i].raw);
        message_print(out, "}");
        comma = ",";
    }
    message_print(out, "],");
}

static void print_versions(struct message_writer *out, const struct history_batch *batch)
{
    message_print(out, "'attempt_versions':[");
    for (uint32_t i = 0; i < batch->run.attempt; i++) {
        message_print(out, "%s%llu", i == 0 ? "" : ",", (unsigned long long)batch->versions[i]);
    }
    message_print(out, "]");
}

static void print_identity(struct message_writer *out, struct span session_id, struct span batch_id,
                           struct span client_id)
{
    message_print(out, "'v':1,'session_id':'%.*s','batch_id':'%.*s',", SPAN_ARGS(session_id),
                  SPAN_ARGS(batch_id));
    if (client_id.size > 0) {
        message_print(out, "'client_id':'%.*s',", SPAN_ARGS(client_id));
    }
}

static void print_source(struct message_writer *out, const struct history_record *source)
{
    message_print(out, "'source':{'topic':'%s','partition':%d,'offset':%lld}",
                  source->record.topic_name, (int)source->record.partition,
                  (long long)source->record.offset);
}

static void print_result(struct message_writer *out, const struct history *history,
                         const struct history_batch *batch, bool with_bodies)
{
    const struct model_counts counts = model_run_counts(&batch->run);
    const uint32_t attempt = batch->run.attempt;
    message_print(out, "{");
    print_identity(out, batch->session_id, batch->batch_id, batch->client_id);
    message_print(out, "'success':%s,'final':%s,'attempts':%u,'strategy':'%s',",
                  counts.failed + counts.pending == 0 ? "true" : "false",
                  counts.pending == 0 ? "true" : "false", (unsigned)attempt,
                  model_strategy_name(batch->batch.strategy));
    message_print(
        out,
        "'synced_count':%llu,'conflict_count':%llu,'failed_count':%llu,'pending_count':%llu,"
        "'clamped_count':%llu,",
        (unsigned long long)counts.synced, (unsigned long long)counts.conflicts,
        (unsigned long long)counts.failed, (unsigned long long)counts.pending,
        (unsigned long long)counts.clamped);
    print_conflicts(out, &batch->run, with_bodies);
    print_failures(out, &batch->run, true);
    message_print(out, "'scene_version':%llu,", (unsigned long long)batch->versions[attempt - 1]);
    if (attempt > 1) {
        print_versions(out, batch);
        message_print(out, ",");
    }
    if (counts.pending > 0) {
        message_print(out, "'next_attempt_at':%lld,", (long long)history->now_ms + RETRY_DELAY_MS);
    }
    message_print(out, "'duration_ms':1,'timestamp':%lld,", (long long)history->now_ms);
    print_source(out, batch->source);
    message_print(out, "}");
}

static void publish(struct history *history, struct span key, struct span value, bool is_final,
                    bool is_success)
{
    struct history_record *const result = history_add_record(history, LEDGER_RESULTS, 0, 0);
    result->record.key = key;
    result->record.value = value;
    history_add_header(result, "scenesync-final", span_of_text(is_final ? "1" : "0"));
    history_add_header(result, "scenesync-success", span_of_text(is_success ? "1" : "0"));
}

void history_publish_result(struct history *history, struct history_batch *batch)
{
    static struct message_writer out;
    const struct model_counts counts = model_run_counts(&batch->run);
    const int64_t now_ms = history->now_ms;
    out.size = 0;
    print_result(&out, history, batch, true);
    publish(history, batch->session_id, message_of(out.bytes), counts.pending == 0,
            counts.failed + counts.pending == 0);
    history->now_ms = now_ms;
    out.size = 0;
    print_result(&out, history, batch, false);
    batch->result = bytes_keep(span_make(out.bytes, out.size + 1));
    history->now_ms = now_ms + HISTORY_TICK_MS;
}

/* --- Requeues and dead letters --- */

static void print_operations(struct message_writer *out, const struct model_run *run,
                             bool exhausted)
{
    const char *comma = "";
    message_print(out, "'strategy':'%s','operations':[", model_strategy_name(run->batch->strategy));
    for (uint32_t i = 0; i < run->batch->operation_count; i++) {
        const struct model_verdict *const verdict = &run->verdicts[i];
        if (exhausted ? verdict->is_out_of_retries : verdict->standing == MODEL_PENDING) {
            message_print(out, "%s", comma);
            message_print_raw(out, run->batch->operations[i].raw);
            comma = ",";
        }
    }
    message_print(out, "]");
}

struct span history_indexes_of(const struct model_run *run, bool exhausted)
{
    static struct message_writer out;
    out.size = 0;
    for (uint32_t i = 0; i < run->batch->operation_count; i++) {
        const struct model_verdict *const verdict = &run->verdicts[i];
        if (exhausted ? verdict->is_out_of_retries : verdict->standing == MODEL_PENDING) {
            message_print(&out, "%s%u", out.size == 0 ? "" : ",", (unsigned)i);
        }
    }
    return bytes_keep(span_make(out.bytes, out.size));
}

void history_requeue(struct history *history, struct history_batch *batch)
{
    static struct message_writer out;
    const struct model_counts counts = model_run_counts(&batch->run);
    const long long not_before_ms = (long long)history->now_ms + RETRY_DELAY_MS;
    out.size = 0;
    message_print(&out, "{");
    print_identity(&out, batch->session_id, batch->batch_id, batch->client_id);
    print_operations(&out, &batch->run, false);
    message_print(&out, ",'retry':{'attempt':%u,'not_before':%lld,'arrival':%llu,",
                  (unsigned)batch->run.attempt + 1, not_before_ms,
                  (unsigned long long)batch->run.arrival_ms);
    print_source(&out, batch->source);
    const struct span indexes = history_indexes_of(&batch->run, false);
    message_print(&out,
                  ",'total':%u,'indexes':[%.*s],'synced_count':%llu,'clamped_count':%llu,"
                  "'duration_ms':1,",
                  (unsigned)batch->batch.operation_count, SPAN_ARGS(indexes),
                  (unsigned long long)counts.synced, (unsigned long long)counts.clamped);
    print_conflicts(&out, &batch->run, false);
    print_failures(&out, &batch->run, false);
    print_versions(&out, batch);
    message_print(&out, "}}");
    struct history_record *const record = history_add_record(
        history, LEDGER_RETRY, batch->run.attempt, batch->source->record.partition);
    record->record.key = batch->session_id;
    record->record.value = message_of(out.bytes);
    history_copy_headers(record, batch->source, false);
    history_add_header(record, "scenesync-attempt",
                       bytes_of_format("%u", (unsigned)batch->run.attempt + 1));
    history_add_header(record, "scenesync-not-before", bytes_of_format("%lld", not_before_ms));
}

static struct history_record *add_dead_letter(struct history *history,
                                              const struct history_record *from, const char *code,
                                              bool with_own)
{
    struct history_record *const dead = history_add_record(history, LEDGER_DEAD, 0, 0);
    dead->record.key = from->record.key;
    dead->record.value = from->record.value;
    history_copy_headers(dead, from, with_own);
    history_add_header(dead, "scenesync-error-code", span_of_text(code));
    history_add_header(dead, "scenesync-error", span_of_text("a sentence"));
    history_add_header(dead, "scenesync-source", history_place_of(from));
    history_add_header(dead, "scenesync-failed-at",
                       bytes_of_format("%lld", (long long)history->now_ms));
    return dead;
}

void history_bury(struct history *history, struct history_batch *batch,
                  const struct history_record *from)
{
    static struct message_writer out;
    const struct span indexes = history_indexes_of(&batch->run, true);
    if (indexes.size == 0) {
        return;
    }
    out.size = 0;
    message_print(&out, "{");
    print_identity(&out, batch->session_id, bytes_of_format("%.*s:dlq", SPAN_ARGS(batch->batch_id)),
                   batch->client_id);
    print_operations(&out, &batch->run, true);
    message_print(&out, "}");
    struct history_record *const dead = add_dead_letter(history, from, "retries_exhausted", false);
    dead->record.value = message_of(out.bytes);
    history_add_header(dead, "scenesync-batch-id", batch->batch_id);
    history_add_header(dead, "scenesync-indexes", indexes);
}

void history_refuse(struct history *history, const struct history_record *sent,
                    const struct model_batch *batch, const char *code)
{
    static struct message_writer out;
    (void)add_dead_letter(history, sent, code, true);
    if (span_is_absent(batch->session_id)) {
        return;
    }
    const struct span assigned = bytes_of_format("%.*s@%lld", SPAN_ARGS(history_place_of(sent)),
                                                 (long long)sent->record.timestamp_ms);
    out.size = 0;
    message_print(&out, "{");
    print_identity(&out, batch->session_id,
                   span_is_absent(batch->batch_id) ? assigned : batch->batch_id, batch->client_id);
    message_print(
        &out,
        "'success':false,'final':true,'attempts':1,'strategy':'%s','synced_count':0,"
        "'conflict_count':0,'failed_count':0,'pending_count':0,'clamped_count':0,'conflicts':[],"
        "'failed_operations':[],'scene_version':0,'duration_ms':0,'timestamp':%lld,",
        model_strategy_name(history->settings.strategy), (long long)sent->record.timestamp_ms);
    print_source(&out, sent);
    message_print(&out, ",'error_code':'%s','error':'a sentence'}", code);
    publish(history, bytes_keep(batch->session_id), message_of(out.bytes), true, false);
}
