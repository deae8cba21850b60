/* TLS on a connected socket, by OpenSSL: a certificate and rules shared by many connections, and the records of one.
 * Not when to read or write; that is ../edge/connection.c. Read next: tls.c, self_signed.c.
 * SPDX-License-Identifier: MIT */
#ifndef TLS_TLS_H
#define TLS_TLS_H

#include <meshwork/base.h>
#include <sys/types.h>

/* ---- certificate, key and rules ------------------------------------------------------------------------
 * TLS 1.2 with forward secrecy and authenticated ciphers, and 1.3; X25519, P-256, P-384; no compression, no renegotiation, no
 * early data; in 1.3 session tickets, whose keys change every 12 hours and with the certificate; ALPN http/1.1 (RFC 7301). */
struct tls_context;

/* Load a certificate chain (PEM, the server's own first) and its key (PEM, without a passphrase).
 * returns  0; -ENOENT, -EACCES: cannot be read; -EPERM: everybody may read the key; -EINVAL: no certificate, no key, or
 *          they do not belong together. ret_error says which file, why, and the way out */
int tls_context_load(const char *certificate_path, const char *key_path, struct tls_context **ret,
                     struct mw_error *ret_error);
/* From when until when its certificate holds, in seconds since 1970. */
void tls_context_holds(const struct tls_context *context, int64_t *ret_from_s, int64_t *ret_until_s);
/* Another reference; connections hold one each, so that a certificate can be replaced while they go on. */
struct tls_context *tls_context_ref(struct tls_context *context);
void tls_context_unref(struct tls_context *context); /* accepts NULL */

/* Make a key and a certificate that it signs itself, for development: P-256, the given names, 30 days. Written to two
 * files of mode 0600 (the names end in ".new" until they are whole).
 * names    DNS names or addresses, "[::1]" in brackets; at least one
 * returns  0, or why not */
int tls_make_self_signed(const char *certificate_path, const char *key_path, const char *const *names, size_t name_count,
                         struct mw_error *ret_error);

/* Whether a certificate is there, is for all of these names, and holds for so many seconds more. */
bool tls_is_fit(const char *certificate_path, const char *const *names, size_t name_count, int64_t for_s);

/* ---- a connection's records ------------------------------------------------------------------------------ */
struct tls;

enum tls_step {
    TLS_DONE,        /* it is through */
    TLS_WANTS_READ,  /* go on when the socket is readable */
    TLS_WANTS_WRITE, /* go on when it is writable */
    TLS_PLAIN,       /* the peer speaks plain HTTP: it can be told so in plain text */
    TLS_BROKEN,
};

/* fd  borrowed: closed after tls_free. returns NULL: out of memory */
struct tls *tls_new(struct tls_context *context, int fd);
void tls_free(struct tls *tls); /* accepts NULL */
enum tls_step tls_handshake(struct tls *tls);
/* Whether the dear part of a handshake is done: the certificate has been signed for, or a session is resumed, and the peer's last word is awaited. */
bool tls_has_signed(const struct tls *tls);
/* Read decrypted bytes, as many records as there are and fit.
 * returns bytes; 0 the peer has ended; -EAGAIN nothing now; -ECONNRESET broken */
ssize_t tls_read(struct tls *tls, void *ret_bytes, size_t room);
/* Whether decrypted bytes wait inside, where no poll sees them. */
bool tls_has_pending(const struct tls *tls);
/* Encrypt and send. After -EAGAIN the same bytes (perhaps more behind them) come again: they are half sent.
 * returns bytes taken; -EAGAIN the socket is full; -EPIPE broken */
ssize_t tls_write(struct tls *tls, const void *bytes, size_t byte_count);
/* Say that no more will come (close_notify, RFC 8446 §6.1). Best effort. */
void tls_end(struct tls *tls);

#endif
