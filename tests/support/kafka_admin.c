#include "tests/support/kafka_admin.h"

#include <criterion/criterion.h>
#include <stdlib.h>

enum { CALL_TIMEOUT_MS = 30000, REASON_BYTES_MAX = 256 };

/* A request's options and the queue of its answer. */
struct call {
    rd_kafka_AdminOptions_t *options;
    rd_kafka_queue_t *queue;
};

static struct call begin(rd_kafka_t *client, rd_kafka_admin_op_t operation)
{
    struct call call = {.options = rd_kafka_AdminOptions_new(client, operation),
                        .queue = rd_kafka_queue_new(client)};
    char reason[REASON_BYTES_MAX];
    cr_assert_eq(rd_kafka_AdminOptions_set_request_timeout(call.options, CALL_TIMEOUT_MS, reason,
                                                           sizeof(reason)),
                 RD_KAFKA_RESP_ERR_NO_ERROR, "%s", reason);
    return call;
}

/* Returns the answer, owned. */
static rd_kafka_event_t *await_answer(const struct call *call, const char *what)
{
    rd_kafka_event_t *const event = rd_kafka_queue_poll(call->queue, CALL_TIMEOUT_MS + 5000);
    cr_assert_not_null(event, "%s: no answer", what);
    cr_assert_eq(rd_kafka_event_error(event), RD_KAFKA_RESP_ERR_NO_ERROR, "%s: %s", what,
                 rd_kafka_event_error_string(event));
    return event;
}

static void end(struct call *call, rd_kafka_event_t *event)
{
    rd_kafka_event_destroy(event);
    rd_kafka_queue_destroy(call->queue);
    rd_kafka_AdminOptions_destroy(call->options);
}

void kafka_admin_create_topic(rd_kafka_t *client, const char *topic, int partition_count,
                              const struct kafka_entry *entries, size_t entry_count)
{
    struct call call = begin(client, RD_KAFKA_ADMIN_OP_CREATETOPICS);
    char reason[REASON_BYTES_MAX];
    rd_kafka_NewTopic_t *const wanted =
        rd_kafka_NewTopic_new(topic, partition_count, 1, reason, sizeof(reason));
    cr_assert_not_null(wanted, "%s: %s", topic, reason);
    for (size_t i = 0; i < entry_count; i++) {
        cr_assert_eq(rd_kafka_NewTopic_set_config(wanted, entries[i].name, entries[i].value),
                     RD_KAFKA_RESP_ERR_NO_ERROR);
    }
    rd_kafka_NewTopic_t *list[] = {wanted};
    rd_kafka_CreateTopics(client, list, 1, call.options, call.queue);
    rd_kafka_event_t *const event = await_answer(&call, topic);
    size_t count = 0;
    const rd_kafka_topic_result_t *const *const results =
        rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event), &count);
    cr_assert_eq(count, 1);
    cr_assert_eq(rd_kafka_topic_result_error(results[0]), RD_KAFKA_RESP_ERR_NO_ERROR, "%s: %s",
                 topic, rd_kafka_topic_result_error_string(results[0]));
    rd_kafka_NewTopic_destroy(wanted);
    end(&call, event);
}

void kafka_admin_set_topic(rd_kafka_t *client, const char *topic, const struct kafka_entry *entries,
                           size_t entry_count)
{
    struct call call = begin(client, RD_KAFKA_ADMIN_OP_ALTERCONFIGS);
    rd_kafka_ConfigResource_t *const resource =
        rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topic);
    for (size_t i = 0; i < entry_count; i++) {
        cr_assert_eq(
            rd_kafka_ConfigResource_set_config(resource, entries[i].name, entries[i].value),
            RD_KAFKA_RESP_ERR_NO_ERROR);
    }
    rd_kafka_ConfigResource_t *list[] = {resource};
    rd_kafka_AlterConfigs(client, list, 1, call.options, call.queue);
    rd_kafka_event_t *const event = await_answer(&call, topic);
    size_t count = 0;
    const rd_kafka_ConfigResource_t **const results =
        rd_kafka_AlterConfigs_result_resources(rd_kafka_event_AlterConfigs_result(event), &count);
    cr_assert_eq(count, 1);
    cr_assert_eq(rd_kafka_ConfigResource_error(results[0]), RD_KAFKA_RESP_ERR_NO_ERROR, "%s: %s",
                 topic, rd_kafka_ConfigResource_error_string(results[0]));
    rd_kafka_ConfigResource_destroy(resource);
    end(&call, event);
}

void kafka_admin_set_right(rd_kafka_t *client, rd_kafka_ResourceType_t type, const char *name,
                           rd_kafka_AclOperation_t operation, bool is_granted)
{
    struct call call = begin(client, RD_KAFKA_ADMIN_OP_CREATEACLS);
    char reason[REASON_BYTES_MAX];
    rd_kafka_AclBinding_t *const binding = rd_kafka_AclBinding_new(
        type, name, RD_KAFKA_RESOURCE_PATTERN_LITERAL, "User:*", "*", operation,
        is_granted ? RD_KAFKA_ACL_PERMISSION_TYPE_ALLOW : RD_KAFKA_ACL_PERMISSION_TYPE_DENY, reason,
        sizeof(reason));
    cr_assert_not_null(binding, "%s: %s", name, reason);
    rd_kafka_AclBinding_t *list[] = {binding};
    rd_kafka_CreateAcls(client, list, 1, call.options, call.queue);
    rd_kafka_event_t *const event = await_answer(&call, name);
    size_t count = 0;
    const rd_kafka_acl_result_t **const results =
        rd_kafka_CreateAcls_result_acls(rd_kafka_event_CreateAcls_result(event), &count);
    cr_assert_eq(count, 1);
    const rd_kafka_error_t *const error = rd_kafka_acl_result_error(results[0]);
    cr_assert_null(error, "%s: %s", name, rd_kafka_error_string(error));
    rd_kafka_AclBinding_destroy(binding);
    end(&call, event);
}

void kafka_admin_delete_topics(rd_kafka_t *client, const char *const *topics, size_t count)
{
    if (count == 0) {
        return;
    }
    struct call call = begin(client, RD_KAFKA_ADMIN_OP_DELETETOPICS);
    rd_kafka_DeleteTopic_t **const list = calloc(count, sizeof(struct rd_kafka_DeleteTopic_s *));
    cr_assert_not_null(list);
    for (size_t i = 0; i < count; i++) {
        list[i] = rd_kafka_DeleteTopic_new(topics[i]);
    }
    rd_kafka_DeleteTopics(client, list, count, call.options, call.queue);
    rd_kafka_event_t *const event = await_answer(&call, "deleting topics");
    rd_kafka_DeleteTopic_destroy_array(list, count);
    free(list);
    end(&call, event);
}
