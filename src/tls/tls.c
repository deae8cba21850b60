/* TLS by OpenSSL 3. Its own socket BIO would raise SIGPIPE; ours sends with MSG_NOSIGNAL.
 * Not certificates for development; those are self_signed.c. Read next: connection.c.
 * SPDX-License-Identifier: MIT */
#include "tls/tls.h"

#include <errno.h>
#include <limits.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>

#include "base/memory.h"
#include "tls/tickets.h"

enum { TICKETS = 2 /* of a full handshake: browsers use each once, and open several connections */ };

struct tls_context {
    SSL_CTX *rules;
    BIO_METHOD *socket;
    atomic_uint references;
    pthread_mutex_t tickets_lock; /* connections of several threads may shake hands at once */
    struct ticket_keys tickets;
};

struct tls {
    SSL *ssl;
    struct tls_context *context;
    bool is_over; /* the peer's close_notify has come, or its end without one */
    bool is_broken;
};

/* ---- the way to the socket ----------------------------------------------------------------------------- */
static int fd_of(BIO *bio)
{
    return (int)(intptr_t)BIO_get_data(bio);
}

static int socket_write(BIO *bio, const char *bytes, int byte_count)
{
    ssize_t n = send(fd_of(bio), bytes, (size_t)byte_count, MSG_NOSIGNAL | MSG_DONTWAIT);

    BIO_clear_retry_flags(bio);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        BIO_set_retry_write(bio);
    return (int)n;
}

static int socket_read(BIO *bio, char *ret_bytes, int room)
{
    ssize_t n = recv(fd_of(bio), ret_bytes, (size_t)room, MSG_DONTWAIT);

    BIO_clear_retry_flags(bio);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        BIO_set_retry_read(bio);
    return (int)n;
}

static long socket_control(BIO *bio, int command, long number, void *pointer)
{
    (void)bio;
    (void)number;
    (void)pointer;
    return command == BIO_CTRL_FLUSH; /* nothing is held back */
}

static BIO_METHOD *socket_method(void)
{
    BIO_METHOD *method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "socket without SIGPIPE");

    if (method && BIO_meth_set_write(method, socket_write) && BIO_meth_set_read(method, socket_read) &&
        BIO_meth_set_ctrl(method, socket_control))
        return method;
    BIO_meth_free(method);
    return NULL;
}

/* ---- certificate, key and rules -------------------------------------------------------------------------- */
/* What OpenSSL last complained of. */
static const char *openssl_reason(void)
{
    unsigned long code = ERR_peek_last_error();
    const char *reason = code ? ERR_reason_error_string(code) : NULL;

    return reason ? reason : "OpenSSL does not say why";
}

/* RFC 7301 §3.2: who offers protocols, and not ours, is told so. */
static int choose_protocol(SSL *ssl, const unsigned char **ret, unsigned char *ret_count, const unsigned char *offered,
                           unsigned offered_count, void *context)
{
    static const unsigned char ours[] = "\x08http/1.1";
    unsigned char *chosen = NULL;

    (void)ssl;
    (void)context;
    if (SSL_select_next_proto(&chosen, ret_count, ours, sizeof ours - 1, offered, offered_count) != OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *ret = chosen;
    return SSL_TLSEXT_ERR_OK;
}

/* ---- tickets ------------------------------------------------------------------------------------------------ */
static bool key_is_set(const struct ticket_key *key, const unsigned char *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac,
                       int is_closing)
{
    char digest[] = "SHA256";
    const OSSL_PARAM params[] = {
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, (void *)(uintptr_t)key->mac, sizeof key->mac),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end(),
    };

    return EVP_CipherInit_ex2(cipher, EVP_aes_256_cbc(), key->cipher, iv, is_closing, NULL) == 1 &&
           EVP_MAC_CTX_set_params(mac, params) == 1;
}

/* OpenSSL closes or opens a ticket. In TLS 1.3 alone: there a resumed session has keys of its own, in 1.2 whoever gets the
 * ticket's key can read it later. 0: no ticket, shake hands in full; 2: it was closed by the last key, give another */
static int use_ticket_key(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac,
                          int is_closing)
{
    struct tls_context *context = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
    const struct ticket_key *key = NULL;
    int result = 0;

    if (SSL_version(ssl) < TLS1_3_VERSION)
        return 0;
    (void)pthread_mutex_lock(&context->tickets_lock);
    if (ticket_keys_turn(&context->tickets, mw_now_ns()) == 0)
        key = is_closing ? &context->tickets.current : ticket_keys_find(&context->tickets, name);
    if (key && is_closing) {
        memcpy(name, key->name, sizeof key->name);
        if (RAND_bytes(iv, EVP_CIPHER_get_iv_length(EVP_aes_256_cbc())) != 1)
            key = NULL;
    }
    if (key)
        result = !key_is_set(key, iv, cipher, mac, is_closing) ? -1 : key == &context->tickets.current ? 1 : 2;
    (void)pthread_mutex_unlock(&context->tickets_lock);
    return result;
}

static bool set_tickets(struct tls_context *context)
{
    static const unsigned char name[] = "meshwork";

    SSL_CTX_set_app_data(context->rules, context);
    (void)SSL_CTX_set_timeout(context->rules, TICKET_ROTATION_S); /* of a session: returns the one before */
    return SSL_CTX_set_tlsext_ticket_key_evp_cb(context->rules, use_ticket_key) == 1 &&
           SSL_CTX_set_session_id_context(context->rules, name, sizeof name - 1) == 1 &&
           SSL_CTX_set_num_tickets(context->rules, TICKETS) == 1;
}

static bool set_rules(SSL_CTX *rules)
{
    char groups[] = "X25519:P-256:P-384"; /* no const: OpenSSL's macro casts it away */

    SSL_CTX_set_options(rules, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE |
                                   SSL_OP_PRIORITIZE_CHACHA);
    SSL_CTX_set_mode(rules, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_session_cache_mode(rules, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_alpn_select_cb(rules, choose_protocol, NULL);
    return SSL_CTX_set_min_proto_version(rules, TLS1_2_VERSION) &&
           SSL_CTX_set_cipher_list(rules, "ECDHE+AESGCM:ECDHE+CHACHA20") &&
           SSL_CTX_set1_groups_list(rules, groups);
}

static int look_at_file(const char *what, const char *path, bool is_secret, struct mw_error *ret_error)
{
    struct stat st = {0};
    FILE *file = fopen(path, "re");
    int err = file ? 0 : -errno;

    if (err == 0 && fstat(fileno(file), &st) < 0)
        err = -errno;
    if (file)
        (void)fclose(file); /* nothing was written */
    if (err == -ENOENT)
        return mw_fail(ret_error, err, "%s '%s': no such file; to try TLS without one: --dev --self-signed", what, path);
    if (err < 0)
        return mw_fail(ret_error, err, "%s '%s': %s", what, path, mw_strerror(err));
    if (!S_ISREG(st.st_mode))
        return mw_fail(ret_error, -EINVAL, "%s '%s' is no file", what, path);
    if (is_secret && st.st_mode & S_IROTH)
        return mw_fail(ret_error, -EPERM, "%s '%s' can be read by everybody: chmod 600 '%s'", what, path, path);
    return 0;
}

/* Nobody sits there to type a passphrase. */
static int no_passphrase(char *ret, int room, int is_writing, void *context)
{
    (void)ret;
    (void)room;
    (void)is_writing;
    (void)context;
    return -1;
}

static int load_pair(SSL_CTX *rules, const char *certificate_path, const char *key_path, struct mw_error *ret_error)
{
    SSL_CTX_set_default_passwd_cb(rules, no_passphrase);
    if (SSL_CTX_use_certificate_chain_file(rules, certificate_path) != 1)
        return mw_fail(ret_error, -EINVAL, "certificate '%s': %s; want PEM, the server's own certificate first",
                       certificate_path, openssl_reason());
    if (SSL_CTX_use_PrivateKey_file(rules, key_path, SSL_FILETYPE_PEM) != 1)
        return mw_fail(ret_error, -EINVAL, "key '%s': %s; want the PEM key of certificate '%s', without a passphrase",
                       key_path, openssl_reason(), certificate_path);
    if (SSL_CTX_check_private_key(rules) != 1) /* one of another kind is taken beside the certificate */
        return mw_fail(ret_error, -EINVAL, "key '%s' is not the key of certificate '%s'", key_path, certificate_path);
    return 0;
}

int tls_context_load(const char *certificate_path, const char *key_path, struct tls_context **ret,
                     struct mw_error *ret_error)
{
    struct tls_context *context;
    int err = look_at_file("certificate", certificate_path, false, ret_error);

    if (err == 0)
        err = look_at_file("key", key_path, true, ret_error);
    if (err < 0)
        return err;
    context = mw_alloc_zeroed(1, sizeof *context);
    if (!context)
        return mw_fail(ret_error, -ENOMEM, "load certificate '%s': out of memory", certificate_path);
    (void)pthread_mutex_init(&context->tickets_lock, NULL); /* cannot fail without attributes */
    ERR_clear_error();
    context->rules = SSL_CTX_new(TLS_server_method());
    context->socket = socket_method();
    if (!context->rules || !context->socket || !set_rules(context->rules) ||
        !set_tickets(context))
        err = mw_fail(ret_error, -ENOMEM, "set up TLS: %s", openssl_reason());
    else
        err = load_pair(context->rules, certificate_path, key_path, ret_error);
    ERR_clear_error();
    atomic_init(&context->references, 1);
    if (err < 0) {
        tls_context_unref(context);
        return err;
    }
    *ret = context;
    return 0;
}

static int64_t seconds_of(const ASN1_TIME *time)
{
    struct tm tm;

    return ASN1_TIME_to_tm(time, &tm) == 1 ? (int64_t)timegm(&tm) : 0;
}

void tls_context_holds(const struct tls_context *context, int64_t *ret_from_s, int64_t *ret_until_s)
{
    const X509 *certificate = SSL_CTX_get0_certificate(context->rules);

    *ret_from_s = seconds_of(X509_get0_notBefore(certificate));
    *ret_until_s = seconds_of(X509_get0_notAfter(certificate));
}

struct tls_context *tls_context_ref(struct tls_context *context)
{
    atomic_fetch_add(&context->references, 1);
    return context;
}

void tls_context_unref(struct tls_context *context)
{
    if (!context || atomic_fetch_sub(&context->references, 1) > 1)
        return;
    SSL_CTX_free(context->rules);
    BIO_meth_free(context->socket);
    ticket_keys_clear(&context->tickets);
    (void)pthread_mutex_destroy(&context->tickets_lock);
    mw_free(context);
}

/* ---- a connection's records -------------------------------------------------------------------------------- */
struct tls *tls_new(struct tls_context *context, int fd)
{
    struct tls *tls = mw_alloc_zeroed(1, sizeof *tls);
    BIO *bio;

    if (!tls)
        return NULL;
    tls->context = tls_context_ref(context);
    tls->ssl = SSL_new(context->rules);
    bio = BIO_new(context->socket);
    if (!tls->ssl || !bio) {
        BIO_free(bio);
        tls_free(tls);
        ERR_clear_error();
        return NULL;
    }
    BIO_set_data(bio, (void *)(intptr_t)fd);
    BIO_set_init(bio, 1);
    SSL_set_bio(tls->ssl, bio, bio); /* takes it */
    SSL_set_accept_state(tls->ssl);
    return tls;
}

void tls_free(struct tls *tls)
{
    if (!tls)
        return;
    SSL_free(tls->ssl);
    tls_context_unref(tls->context);
    mw_free(tls);
}

/* Whether the first byte begins no TLS record (RFC 8446 §5.1: a handshake is type 22). */
static bool is_plain(const struct tls *tls)
{
    unsigned char byte;

    return SSL_get_state(tls->ssl) == TLS_ST_BEFORE &&
           recv(fd_of(SSL_get_rbio(tls->ssl)), &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 1 && byte >= 'A' && byte <= 'Z';
}

bool tls_has_signed(const struct tls *tls)
{
    const OSSL_HANDSHAKE_STATE state = SSL_get_state(tls->ssl);

    /* What the server waits in behind its last word, in 1.3 and 1.2, and in what follows in 1.2. A retry with another group is none of them. */
    return state == TLS_ST_EARLY_DATA || state == TLS_ST_SW_SRVR_DONE || state == TLS_ST_SR_KEY_EXCH || state == TLS_ST_SR_CHANGE ||
           state == TLS_ST_SR_FINISHED;
}

enum tls_step tls_handshake(struct tls *tls)
{
    int result;

    if (is_plain(tls))
        return TLS_PLAIN;
    ERR_clear_error();
    result = SSL_do_handshake(tls->ssl);
    if (result == 1)
        return TLS_DONE;
    switch (SSL_get_error(tls->ssl, result)) {
    case SSL_ERROR_WANT_READ:
        return TLS_WANTS_READ;
    case SSL_ERROR_WANT_WRITE:
        return TLS_WANTS_WRITE;
    default:
        ERR_clear_error();
        tls->is_broken = true;
        return TLS_BROKEN;
    }
}

/* After a read that gave nothing. RFC 8446 §6.1: an end without close_notify is one too; HTTP and WebSocket know from
 * their own framing whether something is missing. */
static ssize_t read_ended(struct tls *tls, int result)
{
    switch (SSL_get_error(tls->ssl, result)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE: /* of a key update: goes out with what is written next */
        return -EAGAIN;
    case SSL_ERROR_ZERO_RETURN:
        tls->is_over = true;
        return 0;
    default:
        break;
    }
    tls->is_over = tls->is_broken = true;
    if (ERR_GET_REASON(ERR_peek_last_error()) == SSL_R_UNEXPECTED_EOF_WHILE_READING) {
        ERR_clear_error();
        return 0;
    }
    ERR_clear_error();
    return -ECONNRESET;
}

ssize_t tls_read(struct tls *tls, void *ret_bytes, size_t room)
{
    char *bytes = ret_bytes;
    size_t count = 0;
    int result;

    if (tls->is_over)
        return 0;
    while (count < room) {
        ERR_clear_error();
        result = SSL_read(tls->ssl, bytes + count, room - count < INT_MAX ? (int)(room - count) : INT_MAX);
        if (result <= 0) {
            ssize_t ended = read_ended(tls, result);

            return count > 0 ? (ssize_t)count : ended; /* an end shows again at the next read */
        }
        count += (size_t)result;
    }
    return (ssize_t)count;
}

bool tls_has_pending(const struct tls *tls)
{
    return tls->is_over || SSL_has_pending(tls->ssl);
}

ssize_t tls_write(struct tls *tls, const void *bytes, size_t byte_count)
{
    int result;

    if (tls->is_broken)
        return -EPIPE;
    ERR_clear_error();
    result = SSL_write(tls->ssl, bytes, byte_count < INT_MAX ? (int)byte_count : INT_MAX);
    if (result > 0)
        return result;
    switch (SSL_get_error(tls->ssl, result)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
        return -EAGAIN;
    default:
        ERR_clear_error();
        tls->is_broken = true;
        return -EPIPE;
    }
}

void tls_end(struct tls *tls)
{
    if (tls->is_broken)
        return; /* OpenSSL forbids it then */
    ERR_clear_error();
    (void)SSL_shutdown(tls->ssl); /* the socket may be full: the end of the stream says the same */
    ERR_clear_error();
}
