#include "worker/redis_options.h"

static uint64_t read_monotonic_ms(void *context)
{
    const struct clock *clock = context;
    return clock_monotonic_ms(clock);
}

bool redis_options_of(const struct settings *settings, struct clock *clock,
                      struct redis_store_options *out, struct error *error)
{
    *out = (struct redis_store_options){
        .username = settings->redis_username,
        .password = settings->redis_password,
        .tls = {.ca = settings->redis_tls_ca_file,
                .certificate = settings->redis_tls_certificate_file,
                .key = settings->redis_tls_key_file},
        .key_prefix = settings->redis_key_prefix,
        .group = settings_kafka_property(settings, "group.id"),
        .connect_timeout_ms = (int)settings->redis_connect_timeout_ms,
        .command_timeout_ms = (int)settings->redis_command_timeout_ms,
        .retention = {.dedupe_batches_max = settings->dedupe_batches_max,
                      .dedupe_bytes_max = settings->dedupe_bytes_max,
                      .dedupe_window_ms = settings->dedupe_window_ms,
                      .tombstones_max = settings->tombstones_max,
                      .tombstone_retention_ms = settings->tombstone_retention_ms},
        .monotonic_ms = read_monotonic_ms,
        .clock_context = clock,
    };
    return redis_address_parse(settings->redis_url, &out->address, error);
}
