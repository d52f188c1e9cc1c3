#include "worker/metrics.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/batches.h"
#include "tests/support/sent_batch.h"
#include "worker/metrics_text.h"

enum { PAGE_BYTES_MAX = 1 << 20 };

static struct settings settings;
static struct snapshot snapshot;
static struct metrics_view view;

static void setup(void)
{
    cr_assert(settings_init(&settings));
    snapshot = (struct snapshot){0};
    view = (struct metrics_view){.settings = &settings, .snapshot = &snapshot};
}

static void teardown(void)
{
    settings_deinit(&settings);
}

TestSuite(metrics, .init = setup, .fini = teardown);

static const char *text_of_buffer(struct buffer *buffer)
{
    buffer_append(buffer, "", 1);
    cr_assert(!buffer->failed);
    const char *const text = (const char *)arena_copy(test_arena(), buffer_span(buffer)).data;
    buffer_deinit(buffer);
    return text;
}

static const char *page(void)
{
    struct buffer out;
    buffer_init(&out, PAGE_BYTES_MAX);
    metrics_write(&view, &out);
    return text_of_buffer(&out);
}

static void expect(const char *line)
{
    const char *const text = page();
    char whole[512];
    (void)snprintf(whole, sizeof(whole), "\n%s\n", line);
    cr_assert_not_null(strstr(text, whole), "%s is not in\n%s", line, text);
}

Test(metrics, counters_have_their_labels)
{
    snapshot.stats.operations[OPERATION_UPDATE][OPERATION_FAILED] = 7;
    snapshot.stats.conflicts[CONFLICT_STALE_TIMESTAMP][RESOLUTION_KEEP_LOCAL] = 5;
    snapshot.stats.requeues[2] = 4;
    snapshot.stats.dead_letters[ERROR_NOT_A_MAP] = 3;
    expect("scenesync_operations_total{kind=\"update\",outcome=\"failed\"} 7");
    expect("scenesync_conflicts_total{reason=\"StaleTimestamp\",resolution=\"keep_local\"} 5");
    expect("scenesync_requeues_total{tier=\"2\"} 4");
    expect("scenesync_dead_letters_total{code=\"not_a_map\"} 3");
    expect("scenesync_dead_letters_total{code=\"retries_exhausted\"} 0");
}

Test(metrics, a_tier_that_is_no_more_is_shown_while_it_counts)
{
    cr_assert_null(strstr(page(), "tier=\"50\""));
    snapshot.stats.requeues[50] = 1;
    expect("scenesync_requeues_total{tier=\"50\"} 1");
}

Test(metrics, histograms_cumulate)
{
    durations_note(&snapshot.stats.commit, &durations_bounds_commit, 1);
    durations_note(&snapshot.stats.commit, &durations_bounds_commit, 40);
    durations_note(&snapshot.stats.commit, &durations_bounds_commit, 60000);
    expect("scenesync_commit_duration_seconds_bucket{db_system_name=\"redis\",le=\"0.001\"} 1");
    expect("scenesync_commit_duration_seconds_bucket{db_system_name=\"redis\",le=\"0.05\"} 2");
    expect("scenesync_commit_duration_seconds_bucket{db_system_name=\"redis\",le=\"+Inf\"} 3");
    expect("scenesync_commit_duration_seconds_sum{db_system_name=\"redis\"} 60.041");
    expect("scenesync_commit_duration_seconds_count{db_system_name=\"redis\"} 3");
}

Test(metrics, what_is_not_known_of_a_partition_is_left_out)
{
    struct partition_lag lags[] = {
        {.topic = "scene.ops", .number = 1, .committed = -1, .end = 9, .lag = 4},
    };
    lags[0].processable_lag = -1;
    view.lags = lags;
    view.lag_count = 1;
    expect("kafka_consumergroup_lag{consumergroup=\"scenesync\",topic=\"scene.ops\","
           "partition=\"1\"} 4");
    expect("kafka_topic_partition_current_offset{topic=\"scene.ops\",partition=\"1\"} 9");
    cr_assert_null(strstr(page(), "scenesync_processable_lag{"));
    cr_assert_null(strstr(page(), "kafka_consumergroup_current_offset{"));
}

Test(metrics, what_kafka_told_long_ago_is_left_out_and_counted)
{
    struct partition_lag lags[] = {
        {.topic = "scene.ops", .number = 1, .committed = 5, .end = 9, .lag = 4},
        {.topic = "scene.ops", .number = 2, .committed = 5, .end = 9, .lag = 4},
        {.topic = "scene.ops", .number = 3, .committed = 5, .end = -1, .lag = -1},
    };
    lags[0].age_ms = LAG_MONITOR_AGE_MS_MAX - 1;
    lags[1].age_ms = LAG_MONITOR_AGE_MS_MAX;
    lags[2].age_ms = UINT64_MAX;
    view.lags = lags;
    view.lag_count = 3;
    static const char *const names[] = {"kafka_consumergroup_lag{consumergroup=\"scenesync\",",
                                        "scenesync_processable_lag{consumergroup=\"scenesync\",",
                                        "kafka_topic_partition_current_offset{"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        cr_expect_not_null(
            strstr(page(), text_of_format("%stopic=\"scene.ops\",partition=\"1\"}", names[i])));
        cr_expect_null(
            strstr(page(), text_of_format("%stopic=\"scene.ops\",partition=\"2\"}", names[i])));
    }
    expect("kafka_consumergroup_current_offset{consumergroup=\"scenesync\",topic=\"scene.ops\","
           "partition=\"2\"} 5");
    expect("scenesync_unknown_lag_partitions 2");
}

Test(metrics, label_values_are_escaped)
{
    struct buffer out;
    buffer_init(&out, PAGE_BYTES_MAX);
    struct metrics_sample sample = metrics_sample_of(&out, "x");
    metrics_label(&sample, "l", "a\"b\\c\nd");
    metrics_value_int(&sample, -1);
    cr_assert_str_eq(text_of_buffer(&out), "x{l=\"a\\\"b\\\\c\\nd\"} -1\n");
}

Test(metrics, the_manual_lists_each)
{
    char *help = NULL;
    size_t size = 0;
    FILE *const file = open_memstream(&help, &size);
    metrics_print_help(file);
    (void)fclose(file);
    FILE *const manual = fopen(TESTS_DATA_DIR "/../../deploy/README.md", "r");
    cr_assert_not_null(manual);
    struct buffer text;
    buffer_init(&text, PAGE_BYTES_MAX);
    char part[4096];
    for (size_t got = fread(part, 1, sizeof(part), manual); got > 0;
         got = fread(part, 1, sizeof(part), manual)) {
        buffer_append(&text, part, got);
    }
    (void)fclose(manual);
    cr_assert_not_null(strstr(text_of_buffer(&text), help),
                       "deploy/README.md lacks what `scenesync worker --help-metrics` prints");
    free(help);
}
