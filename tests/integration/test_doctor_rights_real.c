/* `scenesync doctor` on a broker with an authorizer: each right that is missing is named. */
#include <criterion/criterion.h>

#include "tests/support/doctor_fixture.h"
#include "tests/support/kafka_admin.h"

enum { OK = 0, FAILED = 1 };

static void begin(void)
{
    struct kafka_broker *const broker = kafka_broker_start_private();
    kafka_broker_configure(
        broker, "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer\n"
                "allow.everyone.if.no.acl.found=true\n");
    doctor_fixture_start_on(broker);
}

TestSuite(doctor_rights_real, .init = begin, .fini = doctor_fixture_stop, .timeout = 120);

static void set_right(rd_kafka_ResourceType_t type, const char *name,
                      rd_kafka_AclOperation_t operation, bool is_granted)
{
    kafka_admin_set_right(doctor_fixture_admin(), type, name, operation, is_granted);
}

Test(doctor_rights_real, each_missing_right_is_named)
{
    const struct command topics = {.arguments = {"topics", "--partitions", "2"}};
    cr_assert_eq(doctor_fixture_run(topics).exit_code, OK);
    set_right(RD_KAFKA_RESOURCE_TOPIC, "*", RD_KAFKA_ACL_OPERATION_ALL, true);
    set_right(RD_KAFKA_RESOURCE_GROUP, "*", RD_KAFKA_ACL_OPERATION_ALL, true);
    doctor_fixture_expect(DOCTOR(NULL), OK, "ok    kafka.write_topic", "granted");

    set_right(RD_KAFKA_RESOURCE_TOPIC, TOPIC_RESULTS, RD_KAFKA_ACL_OPERATION_WRITE, false);
    set_right(RD_KAFKA_RESOURCE_TOPIC, TOPIC_RETRY_2, RD_KAFKA_ACL_OPERATION_READ, false);
    set_right(RD_KAFKA_RESOURCE_TOPIC, TOPIC_RETRY_3, RD_KAFKA_ACL_OPERATION_DESCRIBE_CONFIGS,
              false);
    set_right(RD_KAFKA_RESOURCE_TOPIC, TOPIC_DEAD, RD_KAFKA_ACL_OPERATION_DESCRIBE, false);
    struct command_outcome outcome = DOCTOR(NULL);
    doctor_fixture_expect(outcome, FAILED, "error kafka.write_topic", TOPIC_RESULTS);
    doctor_fixture_expect(outcome, FAILED, "error kafka.read_topic", TOPIC_RETRY_2);
    doctor_fixture_expect(outcome, FAILED, "ok    kafka.read_topic", TOPIC_RETRY_1);
    doctor_fixture_expect(outcome, FAILED, "ok    kafka.read_group", "granted");
    doctor_fixture_expect(outcome, FAILED, "warn  topic.configuration", "DESCRIBE_CONFIGS");
    doctor_fixture_expect(outcome, FAILED, "ok    kafka.write_topic", TOPIC_RETRY_3);
    doctor_fixture_expect(outcome, FAILED, "error topic.exists", TOPIC_DEAD);

    set_right(RD_KAFKA_RESOURCE_GROUP, GROUP, RD_KAFKA_ACL_OPERATION_READ, false);
    outcome = DOCTOR(NULL);
    doctor_fixture_expect(outcome, FAILED, "error kafka.read_group", "deploy/README.md");
}
