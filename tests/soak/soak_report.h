/**
 * What a run did and found, as Markdown tables.
 *
 * Lifetime: nothing is kept. Threading: one thread.
 */
#ifndef SCENESYNC_TESTS_SOAK_REPORT_H
#define SCENESYNC_TESTS_SOAK_REPORT_H

#include <stdio.h>

#include "tests/ledger/ledger.h"
#include "tests/soak/soak_lanes.h"
#include "tests/soak/soak_producer.h"

struct soak_report {
    const struct soak_setup *setup;
    const struct soak_lanes *lanes;
    struct soak_produced produced;
    unsigned worker_findings, workers_fenced;
    int64_t faults_ms, settle_ms; /* how long they took */
    const struct ledger_counts *counts;
};

void soak_report_print(const struct soak_report *report, FILE *out);

#endif
