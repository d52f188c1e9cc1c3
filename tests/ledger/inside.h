/**
 * What the parts of the ledger share; nobody else includes it.
 *
 * ledger.c keeps what is fed; reading.c makes sorted lists of it; stories.c finds what became of
 * each batch; replay.c runs each scene through the model in the order of its versions; results.c,
 * requeues.c, dead_letters.c, refusals.c and keys.c compare what was published and stored with
 * that; rest.c finds what was published and nothing explains.
 *
 * Lifetime: all lists live as long as the ledger. Threading: one thread. Cost: sorting, and the
 * model's; memory for all that was fed, and for one scene.
 */
#ifndef SCENESYNC_TESTS_LEDGER_INSIDE_H
#define SCENESYNC_TESTS_LEDGER_INSIDE_H

#include "tests/ledger/ledger.h"
#include "tests/model/model.h"

/* --- What is fed --- */

struct field {
    struct span session_id, name, value;
    enum ledger_key key;
};

struct list {
    void *items;
    size_t count, room, item_size;
};

/** A new item at the list's end, all zero. */
void *list_add(struct list *list);

/* --- What it says --- */

/** Where a record stands. */
struct place {
    struct span topic;
    int64_t partition, offset;
};

/** Who a batch is; no client_id: empty. */
struct identity {
    struct span session_id, client_id, batch_id;
};

struct story;

/** A record of the ops topic. */
struct delivery {
    struct identity identity;
    struct place place;
    const struct ledger_record *record;
    const char *code;       /* refused whole; NULL: accepted */
    struct span operations; /* the array's bytes */
    uint32_t operation_count;
};

/** A result of a batch that was accepted. */
struct result {
    struct identity identity;
    struct place source, place;
    uint64_t attempts, scene_version;
    bool is_final, is_replay;
    const struct ledger_record *record;
    bool is_explained;
};

/** A result of a batch that was refused whole. */
struct refusal {
    struct place source, place;
    struct span code;
    const struct ledger_record *record;
    bool is_explained;
};

struct requeue {
    struct identity identity;
    struct place source, place;
    uint64_t attempt;
    const char *code; /* refused whole; NULL: accepted */
    const struct ledger_record *record;
    bool is_explained;
};

struct dead_letter {
    struct place source, place;
    struct span code;
    bool is_of_operations;
    const struct ledger_record *record;
    bool is_explained;
};

/** A batch's record in Redis. */
struct memory {
    struct identity identity;
    struct place source;
    uint64_t attempt, arrival_ms, scene_version;
    bool is_pending;
    struct span result; /* its bytes */
};

/** A batch from its first delivery on. */
struct story {
    struct identity identity;
    struct delivery *delivery;
    const struct memory *memory; /* NULL: none, or another's */
    struct result *tail;         /* the result that counts: final, but where that is missing */
    uint32_t attempt_count;      /* that had an effect, as far as is known */
    uint64_t *versions;          /* the scene's after each of them */
    bool first_changed;          /* whether the first of them changed the scene */
    bool is_replayed;            /* all of them were */
    /* while its scene is replayed */
    struct pool pool;
    struct model_batch batch;
    struct model_run run;
};

enum finding { FINDING_LOST, FINDING_DOUBLED, FINDING_DIFFERING };
enum { FINDING_COUNT = FINDING_DIFFERING + 1 };

struct ledger {
    struct ledger_config config;
    struct model_settings settings;
    struct pool pool;
    /* fed */
    struct list records[LEDGER_DEAD + 1], fields, stray_keys;
    const char *topic_name; /* of the record before: most have the same one */
    /* read */
    struct list deliveries; /* by identity, then place */
    struct list refused;    /* deliveries, by place */
    struct list results;    /* by identity, source, attempts, place */
    struct list refusals;   /* by source */
    struct list requeues;   /* by identity, source, attempt, place */
    struct list dead;       /* by source */
    struct list memories;   /* by identity */
    struct list stories;    /* by identity, then place */
    /* found */
    bool has_gaps; /* some scene could not be replayed to its end */
    FILE *out;
    size_t findings_max;
    uint64_t findings[FINDING_COUNT];
    struct ledger_counts counts;
};

/* --- ledger.c --- */

void found(struct ledger *ledger, enum finding kind, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* --- reading.c --- */

void read_everything(struct ledger *ledger);

int order_spans(struct span a, struct span b);
int order_places(const struct place *a, const struct place *b);
int order_identities(const struct identity *a, const struct identity *b);

/** The first of the sorted items that is not before `key`; `order` compares an item with it. */
size_t list_find(const struct list *list, const void *key,
                 int (*order)(const void *item, const void *key));

/** Items that begin with an identity, from the first of this one on. */
size_t list_find_identity(const struct list *list, const struct identity *identity);
/** Items that begin with an identity, from the first of this scene on. */
size_t list_find_session(const struct list *list, struct span session_id);
/** Items that begin with a source, from the first of this one on. */
size_t list_find_source(const struct list *list, const struct place *source);

/** Text for findings. */
struct text {
    char bytes[512];
};
struct text text_of_identity(const struct identity *identity);
struct text text_of_place(const struct place *place);
struct text text_of_story(const struct story *story);

struct span find_header(const struct ledger_record *record, const char *name);
bool is_header(const struct ledger_record *record, const char *name, const char *value);

/* --- stories.c --- */

void find_stories(struct ledger *ledger);

/** The story's results of this attempt, from `*first` on. */
size_t story_results(const struct ledger *ledger, const struct story *story, uint64_t attempt,
                     size_t *first);
/** The one of them that counts: of this history, and the latest; NULL: none. */
const struct result *story_result(const struct ledger *ledger, const struct story *story,
                                  uint64_t attempt);
/** The requeues that bring it this attempt. */
size_t story_requeues(const struct ledger *ledger, const struct story *story, uint64_t attempt,
                      size_t *first);
/** The first of them; NULL: none. */
const struct requeue *story_requeue(const struct ledger *ledger, const struct story *story,
                                    uint64_t attempt);

/* --- replay.c --- */

/** Replays the scene of these stories, which are all of it. False: `scene` is not to be compared,
 * since not all of it is explained. */
bool replay_scene(struct ledger *ledger, struct story *stories, size_t count,
                  struct model_scene *scene);

/* --- results.c --- */

/** Why something is not as expected. */
struct reason {
    char bytes[640];
};
/** Writes the reason; always false. */
bool differs(struct reason *reason, const char *format, ...) __attribute__((format(printf, 2, 3)));

/** The result's bytes against the run after its latest attempt. */
bool compare_result(const struct story *story, const struct model_run *run, uint64_t scene_version,
                    const struct result *result, struct reason *reason);

/** The lists of a result or a requeue. `attempt`: whose applied conflicts have bodies; 0: none. */
struct entries {
    const struct model_run *run;
    uint32_t attempt;
    bool has_pending;  /* failures: those that wait too */
    bool is_truncated; /* something may be missing */
};
bool compare_conflicts(const struct entries *entries, const struct value *list,
                       struct reason *reason);
bool compare_failures(const struct entries *entries, const struct value *list,
                      struct reason *reason);

/** The result in the batch's record against a published one: they differ in bodies only. */
bool compare_memory(const struct memory *memory, const struct result *result,
                    struct reason *reason);

/* --- kept.c --- */

/** The headers of the record it comes from stand in front, as they were; `with_own`: the workers'
 * own, too. */
bool keeps_headers(const struct ledger_record *copy, const struct ledger_record *from,
                   bool with_own, struct reason *reason);
bool keeps_key(const struct ledger_record *copy, const struct ledger_record *from,
               struct reason *reason);

/* --- requeues.c --- */

/** Requeues that the attempt just made must have left behind. */
void check_requeues(struct ledger *ledger, struct story *story);

/* --- dead_letters.c --- */

/** Dead letters of operations for which the attempt just made was the last. */
void check_exhausted(struct ledger *ledger, struct story *story);
/** A record refused whole for `code`; false where nothing says so. */
bool check_dead_letter(struct ledger *ledger, const struct ledger_record *record,
                       const struct place *place, const char *code, const char *what);

/* --- refusals.c --- */

/** Records that no worker could apply, and what must have been published of them. */
void check_refused(struct ledger *ledger);
/** Whether a result says so of the record at that place. */
bool was_refused(const struct ledger *ledger, const struct place *place);
/** The final result that says so. */
void check_refusal(struct ledger *ledger, const struct delivery *delivery, const char *code);

/* --- rest.c --- */

/** What was published and nothing explains. */
void check_rest(struct ledger *ledger);

/* --- clocks.c --- */

/** The fourth item of a stored element (NULL: it has none) against the model's clocks. What the
 * model forgets, that clocks beyond a limit are given up, no batch here comes near. */
bool compare_clocks(const struct model_element *expected, const struct value *document,
                    const struct value *map, struct reason *reason);

/* --- keys.c --- */

/** A scene's keys against the model; `stories`: all of it. */
void check_keys(struct ledger *ledger, const struct model_scene *scene, struct story *stories,
                size_t count);
/** Keys of scenes without any operation. */
void check_stray_keys(struct ledger *ledger);

#endif
