#include "tests/support/sent_batch.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/support/messages.h"

const char *text_of_format(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    const int size = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    assert(size >= 0);
    char *const text = malloc((size_t)size + 1);
    assert(text != NULL);
    va_start(arguments, format);
    (void)vsnprintf(text, (size_t)size + 1, format, arguments);
    va_end(arguments);
    const struct span kept = bytes_keep(span_make(text, (size_t)size + 1));
    free(text);
    return (const char *)kept.data;
}

const char *op_add(const char *id, int x, uint64_t timestamp_ms)
{
    return text_of_format("{'op':'add','timestamp':%llu,'element':{'id':'%s',"
                          "'kind':{'type':'rectangle'},'transform':{'x':%d}}}",
                          (unsigned long long)timestamp_ms, id, x);
}

const char *op_move(const char *id, int x, uint64_t timestamp_ms)
{
    return text_of_format(
        "{'op':'update','timestamp':%llu,'id':'%s','changes':{'transform':{'x':%d}}}",
        (unsigned long long)timestamp_ms, id, x);
}

const char *op_remove(const char *id, uint64_t timestamp_ms)
{
    return text_of_format("{'op':'remove','timestamp':%llu,'id':'%s'}",
                          (unsigned long long)timestamp_ms, id);
}

const char *ops(const char *first, const char *second)
{
    return text_of_format("%s,%s", first, second);
}

struct span sent_batch(const char *session_id, const char *batch_id, const char *operations)
{
    const char *const id = batch_id == NULL ? "" : text_of_format("'batch_id':'%s',", batch_id);
    return message_of_format("{'session_id':'%s',%s'operations':[%s]}", session_id, id, operations);
}

struct span sent_batch_by(const char *client_id, const char *strategy, const char *session_id,
                          const char *batch_id, const char *operations)
{
    return message_of_format("{'session_id':'%s','batch_id':'%s','client_id':'%s','strategy':'%s',"
                             "'operations':[%s]}",
                             session_id, batch_id, client_id, strategy, operations);
}
