/* What librdkafka and OpenSSL really said, by the tests on a real broker (tests/security), is what
 * cures are found by. */
#include "worker/kafka_cure.h"

#include <criterion/criterion.h>
#include <openssl/x509_vfy.h>
#include <string.h>

enum { OLD_LIBRARY = 0x020002ff, NEW_LIBRARY = 0x020800ff };

static const char unverified[] = "sasl_ssl://kafka-1:9093/bootstrap: SSL handshake failed: "
                                 "error:0A000086:SSL routines::certificate verify failed: broker "
                                 "certificate could not be verified";

static void expect(const char *reason, int verify_error, int version, const char *words)
{
    const char *const cure = kafka_cure(reason, verify_error, version);
    cr_expect_not_null(strstr(cure, words), "%s: \"%s\" is not in \"%s\"", reason, words, cure);
}

Test(kafka_cure, tells_certificates_apart)
{
    expect(unverified, X509_V_ERR_CERT_HAS_EXPIRED, OLD_LIBRARY, "has expired");
    expect(unverified, X509_V_ERR_CERT_NOT_YET_VALID, OLD_LIBRARY, "clock");
    expect(unverified, X509_V_ERR_HOSTNAME_MISMATCH, OLD_LIBRARY, "another name");
    expect(unverified, X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN, OLD_LIBRARY, "kafka.ssl.ca.location");
    expect(unverified, 0, OLD_LIBRARY, "kafka.ssl.ca.location");
    expect("SSL routines::sslv3 alert certificate unknown: SSL alert number 46", 0, OLD_LIBRARY,
           "kafka.ssl.certificate.location");
}

Test(kafka_cure, tells_wrong_passwords_from_an_old_library)
{
    static const char scram[] = "SASL authentication error: Authentication failed during "
                                "authentication due to invalid credentials with SASL mechanism "
                                "SCRAM-SHA-256 (after 345ms in state AUTH_REQ)";
    expect(scram, 0, OLD_LIBRARY, "librdkafka 2.6.1");
    expect(scram, 0, NEW_LIBRARY, "kafka.sasl.password_file");
    cr_expect_null(strstr(kafka_cure(scram, 0, NEW_LIBRARY), "librdkafka"));
    expect("SASL authentication error: Authentication failed: Invalid username or password", 0,
           OLD_LIBRARY, "kafka.sasl.password_file");
}

Test(kafka_cure, tells_listeners_apart)
{
    expect("Disconnected while requesting ApiVersion: might be caused by incorrect", 0, OLD_LIBRARY,
           "SASL_SSL?");
    expect("ssl://127.0.0.1:9092/bootstrap: SSL handshake failed: Disconnected: connecting to a "
           "PLAINTEXT broker listener? (after 1ms in state SSL_HANDSHAKE)",
           0, OLD_LIBRARY, "without TLS?");
    expect("ssl://127.0.0.1:9092/bootstrap: Disconnected (after 0ms in state SSL_HANDSHAKE)", 0,
           OLD_LIBRARY, "without TLS?");
    expect("SSL routines::unexpected eof while reading", 0, OLD_LIBRARY, "without TLS?");
}

Test(kafka_cure, says_nothing_about_what_is_plain)
{
    cr_expect_str_eq(kafka_cure("Connect to ipv4#127.0.0.1:9092 failed: Connection refused",
                                X509_V_ERR_CERT_HAS_EXPIRED, OLD_LIBRARY),
                     "");
}
