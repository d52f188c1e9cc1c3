#include "tests/soak/soak_report.h"

static void print_row(FILE *out, const char *what, uint64_t count)
{
    (void)fprintf(out, "| %s | %llu |\n", what, (unsigned long long)count);
}

static void print_faults(const struct soak_report *report, FILE *out)
{
    unsigned total = 0;
    (void)fprintf(out, "\n| injected | times |\n|---|---|\n");
    for (int fault = 0; fault < SOAK_FAULT_COUNT; fault++) {
        const unsigned count = soak_lanes_count(report->lanes, (enum soak_fault)fault);
        total += count;
        if (count > 0) {
            print_row(out, soak_fault_name((enum soak_fault)fault), count);
        }
    }
    print_row(out, "all", total);
}

static void print_produced(const struct soak_report *report, FILE *out)
{
    const struct soak_produced *const produced = &report->produced;
    (void)fprintf(out, "\n| produced | count |\n|---|---|\n");
    print_row(out, "new batches", produced->batches[SOAK_BATCH_NEW]);
    print_row(out, "batches sent again", produced->batches[SOAK_BATCH_RESENT]);
    print_row(out, "identities used twice", produced->batches[SOAK_BATCH_REUSED]);
    print_row(out, "messages that are no batch", produced->batches[SOAK_BATCH_POISON]);
    print_row(out, "operations", produced->operations);
    print_row(out, "bytes", produced->bytes);
    print_row(out, "acknowledged by Kafka", produced->acknowledged);
}

void soak_report_print(const struct soak_report *report, FILE *out)
{
    (void)fprintf(out, "\n### Seed %llu: %lld s under faults, settled %.1f s later\n\n",
                  (unsigned long long)report->setup->seed, (long long)report->faults_ms / 1000,
                  (double)report->settle_ms / 1000);
    (void)fprintf(out, "%d workers, %d partitions, %d scenes, %u batches/s; %s.\n", SOAK_WORKERS,
                  SOAK_PARTITIONS, SOAK_SCENES, report->setup->batches_per_s,
                  soak_setup_text(report->setup));
    print_faults(report, out);
    print_produced(report, out);
    (void)fprintf(out, "\n| workers that | count |\n|---|---|\n");
    print_row(out, "Kafka fenced for their static names, started again", report->workers_fenced);
    print_row(out, "ended by themselves, or wrongly", report->worker_findings);
    (void)fprintf(out, "\n");
    ledger_print(report->counts, out);
}
