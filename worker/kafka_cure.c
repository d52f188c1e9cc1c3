#include "worker/kafka_cure.h"

#include <openssl/x509_vfy.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

/* librdkafka before 2.6.1 sends its nonce twice, which Kafka 4 does not forgive any more. */
enum { SCRAM_MENDED_VERSION = 0x020601ff };

struct cure {
    const char *words; /* of the reason */
    const char *cure;
};

static const char credentials[] =
    "set kafka.sasl.username and kafka.sasl.password, or kafka.sasl.password_file, as the broker "
    "has them";
static const char client_certificate[] =
    "the broker does not accept this client's certificate: set kafka.ssl.certificate.location and "
    "kafka.ssl.key.location to one that its authority signed and that is not over";
static const char listener_without_tls[] =
    "set kafka.security.protocol to what the listener has: is it one without TLS?";

/* The first that fits counts. */
static const struct cure cures[] = {
    {"nvalid credentials", credentials},
    {"nvalid username or password", credentials},
    {"nsupported SASL mechanism", "set kafka.sasl.mechanism to one that the listener offers"},
    {"alert bad certificate", client_certificate},
    {"alert certificate", client_certificate}, /* unknown, expired, required, revoked */
    {"alert unknown ca", client_certificate},
    {"alert handshake failure", client_certificate},
    {"while requesting ApiVersion",
     "set kafka.security.protocol to what the listener has: is it SSL or SASL_SSL?"},
    {"wrong version number", listener_without_tls},
    {"unexpected eof while reading", listener_without_tls},
};

static const char *cure_of_certificate(int verify_error)
{
    switch (verify_error) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
        return "the broker's certificate has expired: renew it, or set this machine's clock";
    case X509_V_ERR_CERT_NOT_YET_VALID:
        return "the broker's certificate is not valid yet: set this machine's clock";
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
        return "the broker's certificate is for another name: name it so in "
               "kafka.bootstrap.servers and the broker's advertised.listeners, or give it a "
               "certificate for the name it goes by";
    default:
        return "set kafka.ssl.ca.location to the authority that signed the broker's certificate";
    }
}

const char *kafka_cure(const char *reason, int verify_error, int library_version)
{
    bool is_scram = strstr(reason, "mechanism SCRAM") != NULL;
    if (is_scram && library_version < SCRAM_MENDED_VERSION) {
        return "set kafka.sasl.username and kafka.sasl.password as the broker has them; with Kafka "
               "4 SCRAM takes librdkafka 2.6.1 or later: PLAIN over TLS, or a client certificate, "
               "works with this one";
    }
    if (strstr(reason, "certificate verify failed") != NULL) {
        return cure_of_certificate(verify_error);
    }
    for (size_t i = 0; i < sizeof cures / sizeof cures[0]; i++) {
        if (strstr(reason, cures[i].words) != NULL) {
            return cures[i].cure;
        }
    }
    /* Who does not know TLS hangs up on its first words. */
    bool is_cut_short =
        strstr(reason, "Disconnected") != NULL && strstr(reason, "in state SSL_HANDSHAKE") != NULL;
    return is_cut_short ? listener_without_tls : "";
}
