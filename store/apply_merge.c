#include "store/apply_merge.h"

#include "protocol/element.h"

static uint64_t later_of(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static struct span document_of(const struct element *element)
{
    return span_make(element->document, element->document_bytes);
}

static bool decode_clocks(const struct element *element, const struct apply_context *context,
                          struct clocks *out, struct error *error)
{
    return clocks_decode(element_clocks(element), element->timestamp_ms, context->work, out, error);
}

/* Stores what is in the scratch buffer with these clocks behind it. */
static bool put(struct scene *scene, struct element *element, const struct clocks *clocks,
                uint64_t timestamp_ms, const struct apply_context *context, struct error *error)
{
    size_t document_bytes = context->scratch->size;
    clocks_encode(clocks, context->limits->element_bytes_max, timestamp_ms, context->scratch);
    return (!context->scratch->failed &&
            scene_put(scene, element, buffer_span(context->scratch),
                      context->scratch->size - document_bytes, timestamp_ms)) ||
           error_set(error, ERROR_OUT_OF_MEMORY, "no memory for an element");
}

bool apply_put_with_clocks(struct scene *scene, struct element *element,
                           const struct apply_change *change, const struct apply_context *context,
                           struct error *error)
{
    const struct operation *operation = change->operation;
    uint64_t latest_ms = later_of(element->timestamp_ms, change->timestamp_ms);
    struct clocks clocks;
    bool has_clocks = false;
    arena_reset(context->work);
    if (operation->kind == OPERATION_ADD) {
        has_clocks = element_clocks_of_add(operation->document, change->timestamp_ms, context->work,
                                           &clocks, error);
    } else {
        struct element_edit edit = {
            .document = document_of(element),
            .content = operation->document,
            .time_ms = change->timestamp_ms,
        };
        has_clocks = decode_clocks(element, context, &clocks, error) &&
                     element_clocks_note(&clocks, &edit, context->limits->element_bytes_max,
                                         latest_ms, context->work, error);
    }
    return has_clocks && put(scene, element, &clocks, latest_ms, context, error);
}

bool apply_merge_select(const struct element *element, const struct apply_change *change,
                        const struct apply_context *context, struct apply_merge *out,
                        struct error *error)
{
    arena_reset(context->work);
    out->edit = (struct element_edit){
        .document = document_of(element),
        .content = change->operation->document,
        .is_add = change->operation->kind == OPERATION_ADD,
        .time_ms = change->timestamp_ms,
    };
    return decode_clocks(element, context, &out->clocks, error) &&
           element_merge_select(&out->clocks, &out->edit, context->list_bytes, context->work,
                                &out->selection, error);
}

/* The element with the selected leaves, into the scratch buffer. */
static bool patch(const struct element *element, const struct apply_merge *merge,
                  const struct apply_context *context, struct error *error)
{
    struct element_document stored = {
        .bytes = merge->edit.document,
        .has_checked_kind = element->has_checked_kind,
    };
    buffer_clear(context->scratch);
    return merge->edit.is_add
               ? element_patch_with_add(stored, merge->selection.content, context->limits,
                                        context->work, context->scratch, error)
               : element_patch(stored, merge->selection.content, context->limits, context->work,
                               context->scratch, error);
}

bool apply_merge_put(struct scene *scene, struct element *element, struct apply_merge *merge,
                     const struct apply_context *context, struct error *error)
{
    size_t bytes_max = context->limits->element_bytes_max;
    uint64_t time_ms = merge->edit.time_ms;
    uint64_t latest_ms = later_of(element->timestamp_ms, time_ms);
    struct element_edit selected = merge->edit;
    selected.content = merge->selection.content;
    if (!patch(element, merge, context, error) ||
        !element_clocks_note(&merge->clocks, &selected, bytes_max, latest_ms, context->work,
                             error)) {
        return false;
    }
    bool is_later_add = selected.is_add && time_ms > merge->clocks.add_ms;
    return (!is_later_add ||
            element_clocks_raise_add(&merge->clocks, buffer_span(context->scratch), time_ms,
                                     bytes_max, latest_ms, context->work, error)) &&
           put(scene, element, &merge->clocks, latest_ms, context, error);
}

bool apply_add_clock(const struct element *element, const struct apply_context *context,
                     uint64_t *add_ms, struct error *error)
{
    struct clocks clocks;
    arena_reset(context->work);
    if (!decode_clocks(element, context, &clocks, error)) {
        return false;
    }
    *add_ms = clocks.add_ms;
    return true;
}
