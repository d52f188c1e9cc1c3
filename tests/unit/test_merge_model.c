/*
 * The engine's merge against the independent model's (tests/model): random operations under all
 * strategies on a few elements whose properties are now leaves and now maps. After each, both must
 * say the same of it, hold the same elements, and have the same clock for every place there is or
 * was. The ledger, which reads stored clocks as another program would, must agree.
 */
#include <criterion/criterion.h>
#include <stdio.h>

#include "protocol/element_place.h"
#include "store/process.h"
#include "tests/ledger/inside.h"
#include "tests/model/model.h"
#include "tests/support/batches.h"
#include "tests/support/dice.h"
#include "tests/support/messages.h"
#include "tests/support/scenes.h"

enum { HISTORIES = 400, STEPS = 60, TIMES = 40, TEXT_BYTES = 2000 };

static struct model_settings settings;
static struct model_scene expected;
static struct scene *scene;
static struct dice dice;

static unsigned pick(unsigned limit)
{
    return dice_below(&dice, limit);
}

/* --- Operations --- */

static void say(char *text, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void say(char *text, const char *format, ...)
{
    const size_t size = strlen(text);
    va_list arguments;
    va_start(arguments, format);
    const int added = vsnprintf(text + size, TEXT_BYTES - size, format, arguments);
    va_end(arguments);
    cr_assert(added >= 0 && size + (size_t)added < TEXT_BYTES);
}

static void say_value(char *text, unsigned depth)
{
    static const char *const leaves[] = {"null", "null", "{}", "[]", "['x']", "{}", "true"};
    const unsigned kind = pick(depth > 0 ? 12 : 8);
    if (kind < 7) {
        say(text, "%s", leaves[kind]);
    } else if (kind == 7) {
        say(text, "%u", pick(1000));
    } else {
        static const char *const keys[] = {"a", "a-b", "a/b", "~", "b"};
        const char *glue = "{";
        for (unsigned i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
            if (pick(3) == 0) {
                say(text, "%s'%s':", glue, keys[i]);
                say_value(text, depth - 1);
                glue = ",";
            }
        }
        say(text, "%s", glue[0] == '{' ? "{}" : "}");
    }
}

/* What stands in an element or in changes, behind its id. */
static void say_members(char *text, bool is_add)
{
    static const char *const known[] = {"'transform':{}",
                                        "'transform':{'x':1,'y':null}",
                                        "'transform':{'rotation':1e300}",
                                        "'transform':{'x':'bad'}",
                                        "'transform':{'skew':{}}",
                                        "'transform':{'skew':null}",
                                        "'interactive':true",
                                        "'interactive':null",
                                        "'selected':true",
                                        "'parent':null",
                                        "'parent':'p'",
                                        "'parent':'no parent!'",
                                        "'transform':null",
                                        "'transform':{'x':9,'z_index':3}"};
    const bool names_kind = is_add || pick(4) == 0;
    const char *glue = "";
    if (names_kind) {
        say(text, "'kind':{");
        if (is_add || pick(2) == 0) {
            say(text, "'type':'T%u',", pick(9));
        }
        say(text, "'data':");
        say_value(text, 1);
        say(text, "}");
        glue = ",";
    }
    if (pick(2) == 0) {
        const unsigned which = pick(sizeof(known) / sizeof(known[0]));
        say(text, "%s%s", glue, known[which]);
        glue = ",";
    }
    for (char key = 'm'; key <= 'p'; key++) {
        if (pick(3) == 0) {
            say(text, "%s'%c':", glue, key);
            say_value(text, 2);
            glue = ",";
        }
    }
}

static void say_operation(char *text)
{
    const unsigned kind = pick(20);
    const char id = (char)('a' + pick(2));
    const unsigned time = 1 + pick(TIMES);
    if (kind < 1) {
        say(text, "{'op':'remove','id':'%c','timestamp':%u", id, time);
    } else if (kind < 4) {
        say(text, "{'op':'add','timestamp':%u,'element':{'id':'%c',", time, id);
        say_members(text, true);
        say(text, "}");
    } else {
        say(text, "{'op':'update','id':'%c','timestamp':%u,'changes':{", id, time);
        say_members(text, false);
        say(text, "}");
    }
    if (pick(8) == 0) {
        say(text, ",'base_version':%u", pick((unsigned)expected.version + 1));
    }
    say(text, "}");
}

/* --- What both have --- */

static bool is_same_text(const char *a, const char *b)
{
    return (a == NULL && b == NULL) || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static void compare_verdict(const struct model_verdict *verdict, const struct sync_result *result,
                            const char *text)
{
    const struct conflict_entry *const conflict = conflict_at(result, 0);
    const struct failure_entry *const failure = failure_at(result, 0);
    cr_assert_eq(verdict->has_conflict, conflict != NULL, "%s", text);
    cr_assert_eq(verdict->standing != MODEL_SYNCED, failure != NULL, "%s", text);
    if (conflict != NULL) {
        cr_assert_str_eq(verdict->reason, conflict_reason_name(conflict->reason), "%s", text);
        cr_assert_str_eq(verdict->resolution, resolution_name(conflict->resolution), "%s", text);
    }
    cr_assert(is_same_text(verdict->code, failure == NULL ? NULL : error_code_name(failure->code)),
              "%s", text);
}

/* The engine's clock of a pointer. */
static uint64_t clock_of(const struct element *element, struct span pointer)
{
    struct clocks clocks;
    struct error error;
    cr_assert(clocks_decode(element_clocks(element), element->timestamp_ms, test_arena(), &clocks,
                            &error));
    struct element_place place = element_place_top(element_document(element), &clocks);
    struct element_path paths[16];
    struct element_path *path = NULL;
    for (size_t at = 0; at < pointer.size;) {
        static uint8_t keys[16][64];
        const size_t level = path == NULL ? 0 : (size_t)(path - paths) + 1;
        size_t size = 0;
        for (at++; at < pointer.size && pointer.data[at] != '/'; at++) {
            keys[level][size] = pointer.data[at];
            if (pointer.data[at] == '~') {
                keys[level][size] = pointer.data[++at] == '0' ? '~' : '/';
            }
            size++;
        }
        struct element_level opened;
        cr_assert(element_level_open(&clocks, &place, path, 1, test_arena(), &opened));
        paths[level] = element_path_make(path, span_make(keys[level], size));
        path = &paths[level];
        place = element_level_find(&opened, path);
    }
    return element_place_clock(&clocks, &place, path);
}

static void compare_places(const struct model_element *element, const struct element *found,
                           const char *text)
{
    static const char *const never[] = {
        "/never",     "/m/never",           "/n/a/never",   "/o/a-b/a",           "/p/a~1b", "/p",
        "/transform", "/transform/x/never", "/interactive", "/transform/z_index", "/m/~0/x"};
    cr_assert_eq(element->has_clocks, found->clocks_bytes > 0, "%s", text);
    for (size_t i = 0; i < element->clock_count; i++) {
        const struct span pointer = element->clocks[i].pointer;
        cr_assert_eq(clock_of(found, pointer), model_clock_of(element, pointer),
                     "%.*s is %llu, expected %llu; %s", SPAN_ARGS(pointer),
                     (unsigned long long)clock_of(found, pointer),
                     (unsigned long long)model_clock_of(element, pointer), text);
    }
    for (size_t i = 0; i < sizeof(never) / sizeof(never[0]); i++) {
        const struct span pointer = span_of_text(never[i]);
        cr_assert_eq(clock_of(found, pointer), model_clock_of(element, pointer),
                     "%s is %llu, expected %llu; %s", never[i],
                     (unsigned long long)clock_of(found, pointer),
                     (unsigned long long)model_clock_of(element, pointer), text);
    }
}

static void compare_element(const char *id, const char *text)
{
    const struct model_element *const element = model_scene_find(&expected, span_of_text(id));
    const struct element *const found = scene_find(scene, span_of_text(id));
    if (element == NULL) {
        cr_assert(found == NULL || found->presence == ELEMENT_UNKNOWN, "%s", text);
        return;
    }
    cr_assert_not_null(found, "%s", text);
    cr_assert_eq(found->presence, element->is_removed ? ELEMENT_REMOVED : ELEMENT_PRESENT, "%s",
                 text);
    cr_assert_eq(found->timestamp_ms, element->timestamp_ms, "%s", text);
    cr_assert_eq(found->version, element->version, "%s", text);
    if (element->is_removed) {
        return;
    }
    struct pool pool = {0};
    char path[200] = "";
    cr_assert(value_is_same(element->document, value_read(element_document(found), &pool), path,
                            sizeof(path)),
              "'%s' differs; %s", path, text);
    compare_places(element, found, text);
    if (element->has_clocks) {
        struct reason reason;
        cr_assert(compare_clocks(element, value_read(element_document(found), &pool),
                                 value_read(element_clocks(found), &pool), &reason),
                  "%s; %s", reason.bytes, text);
    }
    pool_free(&pool);
}

/* --- The lists of a merged operation --- */

static void list_leaves(const struct value *map, const struct value *written, const char *above,
                        char *applied, char *kept)
{
    for (const struct value *member = map->first; member != NULL; member = member->next) {
        const struct value *const same = value_find_span(written, member->key->text);
        char pointer[200];
        size_t size = (size_t)snprintf(pointer, sizeof(pointer), "%s/", above);
        for (size_t i = 0; i < member->key->text.size; i++) {
            const char byte = (char)member->key->text.data[i];
            size += (size_t)snprintf(pointer + size, sizeof(pointer) - size, "%s",
                                     byte == '~'   ? "~0"
                                     : byte == '/' ? "~1"
                                                   : (char[]){byte, 0});
        }
        if (member->type == VALUE_MAP && member->count > 0) {
            list_leaves(member, same, pointer, applied, kept);
        } else {
            say(same != NULL ? applied : kept, "'%s',", pointer);
        }
    }
}

/* Drops the last comma and puts it in brackets. */
static struct span list_of(char *list)
{
    const size_t size = strlen(list);
    return message_of_format("[%.*s]", (int)(size > 0 ? size - 1 : 0), list);
}

/* Says what has to be listed, before the operation is applied. */
static void expect_lists(const struct model_operation *operation, struct span *applied,
                         struct span *kept, struct pool *pool)
{
    char lists[2][TEXT_BYTES] = {"", ""};
    const bool may_merge = operation->kind == MODEL_ADD || operation->kind == MODEL_UPDATE;
    const struct model_element *const element =
        may_merge ? model_scene_find(&expected, operation->id) : NULL;
    *applied = (struct span){0};
    *kept = (struct span){0};
    if (element == NULL || element->is_removed) {
        return;
    }
    const struct value *const said = operation->kind == MODEL_ADD
                                         ? operation->said
                                         : model_changes_heeded(operation->content, pool);
    const uint64_t time_ms = operation->timestamp_ms;
    list_leaves(model_leaves_to_write(NULL, said, time_ms, pool),
                model_leaves_to_write(element, said, time_ms, pool), "", lists[0], lists[1]);
    *applied = list_of(lists[0]);
    *kept = list_of(lists[1]);
}

static unsigned merged_count;

static void compare_lists(const struct sync_result *result, struct span applied, struct span kept,
                          const char *text)
{
    const struct conflict_entry *const conflict = conflict_at(result, 0);
    if (conflict == NULL || conflict->resolution != RESOLUTION_MERGE) {
        return;
    }
    merged_count++;
    cr_assert(span_equal(conflict->applied, applied), "applied; %s", text);
    cr_assert(span_equal(conflict->kept, kept), "kept; %s", text);
}

/* --- Histories --- */

static void step(enum model_strategy strategy, const char *operation)
{
    char text[TEXT_BYTES + 200] = "";
    (void)snprintf(text, sizeof(text),
                   "{'session_id':'s','batch_id':'b','strategy':'%s','operations':[%s]}",
                   model_strategy_name(strategy), operation);
    const struct span message = message_of(text);
    struct pool pool = {0};
    struct model_batch read;
    model_batch_read(message, &settings, false, &pool, &read);
    cr_assert_null(read.code, "%s: %s", read.code, text);
    struct model_run run;
    model_run_init(&run, &read, &settings, TEST_NOW_MS);
    struct span applied;
    struct span kept;
    expect_lists(&read.operations[0], &applied, &kept, &pool);
    struct model_attempt attempt;
    model_attempt_decide(&expected, &run, TEST_NOW_MS, false, &attempt);
    model_attempt_take(&attempt, &expected, &run);

    const struct batch batch = batch_of_bytes(message);
    const struct process_context context = process_context_default();
    const struct sync_result result = batch_process(scene, &batch, &context);
    compare_verdict(&run.verdicts[0], &result, text);
    compare_lists(&result, applied, kept, text);
    compare_element("a", text);
    compare_element("b", text);
    model_run_free(&run);
    pool_free(&pool);
}

Test(merge_model, engine_and_model_agree_on_random_histories, .timeout = 300)
{
    settings = model_settings_default();
    for (unsigned history = 0; history < HISTORIES; history++) {
        dice.state = history;
        scene = scene_at_version(0);
        /* Most under merge alone, the others under every strategy. */
        const unsigned strategies = history % 4 == 0 ? 4 : 1;
        for (unsigned i = 0; i < STEPS; i++) {
            char operation[TEXT_BYTES] = "";
            say_operation(operation);
            step(strategies == 1 ? MODEL_MERGE : (enum model_strategy)pick(strategies), operation);
        }
        scene_destroy(scene);
        model_scene_free(&expected);
        arena_reset(test_arena());
    }
    cr_assert_gt(merged_count, HISTORIES, "%u operations were merged", merged_count);
}

Test(merge_model, the_ledger_sees_a_clock_that_is_wrong)
{
    static const struct {
        const char *clocks, *reason;
    } cases[] = {
        {"{'':10,'/n':20}", NULL},
        {"{'/n':20,'':10,'/m/a':10}", NULL},
        {"{'':10}", "the clock of '/n' is 10, expected 20"},
        {"{'':11,'/n':20}", "its add clock is 11, expected 10"},
        {"{'':10,'*':15,'/n':20}", "the clock of '/m/a' is 15, expected 10"},
        {"{'':10,'/n':20,'/m/a':0}", "the clock of '/m/a' is 0, expected 10"},
        {"{'':10,'/n':20,'/m':11}", "the clock of '/m/a' is 11, expected 10"},
        {"null", "it has no clocks"},
    };
    struct pool pool = {0};
    struct model_clock clocks[] = {{span_of_text("/m/a"), 10}, {span_of_text("/n"), 20}};
    const struct model_element element = {
        .has_clocks = true, .clocks = clocks, .clock_count = 2, .add_clock_ms = 10};
    const struct value *const document = value_read(message_of("{'m':{'a':1},'n':2}"), &pool);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct reason reason = {""};
        const bool is_good = compare_clocks(
            &element, document, value_read(message_of(cases[i].clocks), &pool), &reason);
        cr_assert_eq(is_good, cases[i].reason == NULL, "%s: %s", cases[i].clocks, reason.bytes);
        cr_assert(is_good || strcmp(reason.bytes, cases[i].reason) == 0, "%s", reason.bytes);
    }
    pool_free(&pool);
}
