#include "store/redis_tls.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>

struct redis_tls {
    SSL_CTX *context;
    SSL *session;
};

/* ---- What went wrong ---- */

static const char *cure_of_certificate(long verify_error)
{
    switch (verify_error) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
        return "renew it, or set this machine's clock";
    case X509_V_ERR_CERT_NOT_YET_VALID:
        return "set this machine's clock";
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
        return "put the name that it is for into redis.url";
    default:
        return "set redis.tls_ca_file to the authority that signed it";
    }
}

static const char *cure_of_reason(int reason)
{
    switch (reason) {
    case SSL_R_WRONG_VERSION_NUMBER:
    case SSL_R_UNEXPECTED_EOF_WHILE_READING:
        return "; is the port in redis.url one with TLS (Redis's tls-port)?";
    case SSL_R_SSLV3_ALERT_BAD_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN:
    case SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE:
    case SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED:
    case SSL_R_TLSV1_ALERT_UNKNOWN_CA:
        return "; set redis.tls_certificate_file and redis.tls_key_file to what Redis accepts";
    default:
        return "";
    }
}

/** Sets the error from OpenSSL's queue, or from errno where that is empty. */
static enum redis_tls_outcome fail(const struct redis_tls *tls, const char *what,
                                   struct error *error)
{
    int system_error = errno;
    long verify_error = SSL_get_verify_result(tls->session);
    unsigned long code = ERR_peek_error();
    char text[ERROR_QUOTE_BYTES_MAX] = "";
    if (verify_error != X509_V_OK) {
        (void)error_set(error, ERROR_STORE_ERROR, "Redis's certificate is not accepted: %s; %s",
                        X509_verify_cert_error_string(verify_error),
                        cure_of_certificate(verify_error));
    } else if (code != 0) {
        const char *reason = ERR_reason_error_string(code);
        (void)error_set(error, ERROR_STORE_ERROR, "%s: TLS: %s%s", what,
                        reason != NULL ? reason : "unknown", cure_of_reason(ERR_GET_REASON(code)));
    } else if (system_error != 0 && strerror_r(system_error, text, sizeof text) == 0) {
        (void)error_set(error, ERROR_STORE_ERROR, "%s: %s", what, text);
    } else {
        (void)error_set(error, ERROR_STORE_ERROR, "Redis closed the connection");
    }
    ERR_clear_error();
    return REDIS_TLS_FAILED;
}

/** What came of a call that returned `result`, which is not what it should be. */
static enum redis_tls_outcome judge(struct redis_tls *tls, int result, const char *what,
                                    struct error *error)
{
    switch (SSL_get_error(tls->session, result)) {
    case SSL_ERROR_WANT_READ:
        return REDIS_TLS_WANTS_READ;
    case SSL_ERROR_WANT_WRITE:
        return REDIS_TLS_WANTS_WRITE;
    case SSL_ERROR_ZERO_RETURN:
        errno = 0;
        return fail(tls, what, error);
    default:
        return fail(tls, what, error);
    }
}

/* ---- Setting up ---- */

/** A key with a pass phrase is refused; OpenSSL would ask for it on the terminal. */
static int give_no_phrase(char *out, int size, int is_writing, void *context)
{
    (void)out;
    (void)size;
    (void)is_writing;
    (void)context;
    return 0;
}

/** "redis.tls_ca_file = …: cannot be used: …". */
static bool fail_file(const char *name, const char *path, struct error *error)
{
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());
    error_set(error, ERROR_STORE_ERROR, "%s = \"%.200s\": cannot be used: %s", name, path,
              reason != NULL ? reason : "not what it should be");
    ERR_clear_error();
    return false;
}

static bool load_files(SSL_CTX *context, const struct redis_tls_files *files, struct error *error)
{
    if (files->ca == NULL && SSL_CTX_set_default_verify_paths(context) != 1) {
        return error_set(error, ERROR_STORE_ERROR,
                         "the system's certificate authorities cannot be read: set "
                         "redis.tls_ca_file");
    }
    if (files->ca != NULL && SSL_CTX_load_verify_locations(context, files->ca, NULL) != 1) {
        return fail_file("redis.tls_ca_file", files->ca, error);
    }
    if (files->certificate == NULL) {
        return true;
    }
    if (SSL_CTX_use_certificate_chain_file(context, files->certificate) != 1) {
        return fail_file("redis.tls_certificate_file", files->certificate, error);
    }
    /* OpenSSL also compares it with the certificate. */
    return SSL_CTX_use_PrivateKey_file(context, files->key, SSL_FILETYPE_PEM) == 1 ||
           fail_file("redis.tls_key_file", files->key, error);
}

static bool is_ip_address(const char *host)
{
    unsigned char address[sizeof(struct in6_addr)];
    return inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1;
}

static bool set_host(SSL *session, const char *host)
{
    if (is_ip_address(host)) {
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(session), host) == 1;
    }
    char name[REDIS_ADDRESS_TEXT_BYTES_MAX]; /* OpenSSL's macro wants to be able to write to it */
    (void)snprintf(name, sizeof name, "%s", host);
    return SSL_set1_host(session, host) == 1 && SSL_set_tlsext_host_name(session, name) == 1;
}

static bool set_up(struct redis_tls *tls, int descriptor, const char *host,
                   const struct redis_tls_files *files, struct error *error)
{
    ERR_clear_error();
    tls->context = SSL_CTX_new(TLS_client_method());
    if (tls->context == NULL) {
        return error_set(error, ERROR_OUT_OF_MEMORY, "TLS with Redis: out of memory");
    }
    (void)SSL_CTX_set_min_proto_version(tls->context, TLS1_2_VERSION);
    SSL_CTX_set_verify(tls->context, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_default_passwd_cb(tls->context, give_no_phrase);
    /* The output buffer grows, and moves, between two attempts to send its front. */
    (void)SSL_CTX_set_mode(tls->context,
                           SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    if (!load_files(tls->context, files, error)) {
        return false;
    }
    tls->session = SSL_new(tls->context);
    return (tls->session != NULL && SSL_set_fd(tls->session, descriptor) == 1 &&
            set_host(tls->session, host)) ||
           error_set(error, ERROR_OUT_OF_MEMORY, "TLS with Redis: out of memory");
}

struct redis_tls *redis_tls_create(int descriptor, const char *host,
                                   const struct redis_tls_files *files, struct error *error)
{
    struct redis_tls *tls = calloc(1, sizeof *tls);
    if (tls == NULL) {
        error_set(error, ERROR_OUT_OF_MEMORY, "TLS with Redis: out of memory");
        return NULL;
    }
    if (!set_up(tls, descriptor, host, files, error)) {
        redis_tls_destroy(tls);
        return NULL;
    }
    return tls;
}

void redis_tls_destroy(struct redis_tls *tls)
{
    if (tls != NULL) {
        SSL_free(tls->session);
        SSL_CTX_free(tls->context);
        free(tls);
    }
}

/* ---- Bytes ---- */

enum redis_tls_outcome redis_tls_connect(struct redis_tls *tls, struct error *error)
{
    ERR_clear_error();
    errno = 0;
    int result = SSL_connect(tls->session);
    return result == 1 ? REDIS_TLS_DONE : judge(tls, result, "cannot connect to Redis", error);
}

enum redis_tls_outcome redis_tls_send(struct redis_tls *tls, const void *bytes, size_t size,
                                      size_t *sent, struct error *error)
{
    assert(size > 0);
    ERR_clear_error();
    errno = 0;
    *sent = 0;
    int result = SSL_write_ex(tls->session, bytes, size, sent);
    if (result != 1 && SSL_get_error(tls->session, result) == SSL_ERROR_SYSCALL) {
        /* By TLS 1.3 a server refuses our certificate after the handshake: what it said, before it
         * hung up, may be there to be read. */
        int code = errno;
        char byte;
        size_t received;
        (void)SSL_read_ex(tls->session, &byte, sizeof byte, &received);
        errno = code;
        return fail(tls, "sending to Redis failed", error);
    }
    return result == 1 ? REDIS_TLS_DONE : judge(tls, result, "sending to Redis failed", error);
}

enum redis_tls_outcome redis_tls_receive(struct redis_tls *tls, void *bytes, size_t size,
                                         size_t *received, struct error *error)
{
    ERR_clear_error();
    errno = 0;
    *received = 0;
    int result = SSL_read_ex(tls->session, bytes, size, received);
    return result == 1 ? REDIS_TLS_DONE : judge(tls, result, "receiving from Redis failed", error);
}
