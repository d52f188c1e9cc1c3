#include "tests/support/ledger_history_records.h"

#include <stdio.h>
#include <stdlib.h>

#include "tests/support/message_writer.h"
#include "tests/support/messages.h"

void history_must(bool condition, const char *what)
{
    if (!condition) {
        (void)fprintf(stderr, "a test's history: %s\n", what);
        abort();
    }
}

static const char *const topic_names[] = {[LEDGER_OPS] = "scene.ops",
                                          [LEDGER_RETRY] = "scene.ops.retry-",
                                          [LEDGER_RESULTS] = "scene.results",
                                          [LEDGER_DEAD] = "scene.ops.dlq"};

static int64_t next_offset(const struct history *history, const struct ledger_record *record)
{
    int64_t offset = 0;
    for (size_t i = 0; i < history->record_count; i++) {
        const struct ledger_record *const other = &history->records[i].record;
        if (strcmp(other->topic_name, record->topic_name) == 0 &&
            other->partition == record->partition) {
            offset = other->offset + 1;
        }
    }
    return offset;
}

struct history_record *history_add_record(struct history *history, enum ledger_topic topic,
                                          uint32_t tier, int32_t partition)
{
    history_must(history->record_count < HISTORY_RECORDS_MAX, "too many records");
    struct history_record *const added = &history->records[history->record_count];
    const struct span name = tier == 0
                                 ? span_of_text(topic_names[topic])
                                 : bytes_of_format("%s%u", topic_names[topic], (unsigned)tier);
    added->record = (struct ledger_record){
        .topic = topic,
        .topic_name =
            (const char *)bytes_keep(bytes_of_format("%.*s%c", SPAN_ARGS(name), '\0')).data,
        .tier = tier,
        .partition = partition,
        .timestamp_ms = history->now_ms,
        .log_append_time = true,
        .headers = added->headers,
    };
    added->record.offset = next_offset(history, &added->record);
    history->record_count++;
    history->now_ms += HISTORY_TICK_MS;
    return added;
}

void history_add_header(struct history_record *record, const char *name, struct span value)
{
    history_must(record->record.header_count < HISTORY_HEADERS_MAX, "too many headers");
    record->headers[record->record.header_count++] =
        (struct ledger_header){.name = name, .value = value};
}

struct span history_place_of(const struct history_record *record)
{
    return bytes_of_format("%s/%d/%lld", record->record.topic_name, (int)record->record.partition,
                           (long long)record->record.offset);
}

void history_copy_headers(struct history_record *to, const struct history_record *from,
                          bool with_own)
{
    for (size_t i = 0; i < from->record.header_count; i++) {
        const struct ledger_header *const header = &from->headers[i];
        if (with_own || strncmp(header->name, "scenesync-", 10) != 0) {
            history_add_header(to, header->name, header->value);
        }
    }
}
