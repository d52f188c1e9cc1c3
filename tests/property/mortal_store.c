#include "tests/property/mortal_store.h"

#include <stdlib.h>

struct mortal_store {
    struct store base;
    struct store *within;
    struct doom *doom;
};

static struct mortal_store *self(struct store *base)
{
    return (struct mortal_store *)base;
}

/* Whether the request still reaches the store within; where not, nothing will be heard of it. */
static bool reaches(struct store *base, enum store_status *status)
{
    struct doom *doom = self(base)->doom;
    bool was_dead = doom->is_dead;
    bool dies = doom_meets(doom);
    *status = STORE_IN_FLIGHT;
    if (dies && (was_dead || !doom->is_after)) {
        *status = STORE_UNKNOWN;
        return false;
    }
    return true;
}

static void submit_load(struct store *base, struct scene_load *load)
{
    if (reaches(base, &load->status)) {
        store_submit_load(self(base)->within, load);
    }
}

static void submit_commit(struct store *base, struct scene_commit *commit)
{
    if (reaches(base, &commit->status)) {
        store_submit_commit(self(base)->within, commit);
    }
}

static void submit_watermark(struct store *base, struct watermark_request *request)
{
    if (reaches(base, &request->status)) {
        store_submit_watermark(self(base)->within, request);
    }
}

static size_t poll_within(struct store *base, int timeout_ms)
{
    return store_poll(self(base)->within, timeout_ms);
}

static bool is_ready(const struct store *base)
{
    return store_is_ready(((const struct mortal_store *)base)->within);
}

static uint64_t epoch(const struct store *base)
{
    return store_epoch(((const struct mortal_store *)base)->within);
}

static void destroy(struct store *base)
{
    free(base);
}

struct store *mortal_store_create(struct store *within, struct doom *doom)
{
    static const struct store_interface interface = {
        .submit_load = submit_load,
        .submit_commit = submit_commit,
        .submit_watermark = submit_watermark,
        .poll = poll_within,
        .is_ready = is_ready,
        .epoch = epoch,
        .destroy = destroy,
    };
    struct mortal_store *store = calloc(1, sizeof(*store));
    if (store == NULL) {
        abort();
    }
    store->base.interface = &interface;
    store->within = within;
    store->doom = doom;
    return &store->base;
}
