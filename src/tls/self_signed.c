/* A certificate that signs itself, for development: browsers warn of it once, then speak TLS as with any other.
 * Not for anything that others reach. Read next: tls.c.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/memory.h"
#include "tls/tls.h"

enum { LIFE_S = 30 * 86400, SERIAL_BYTES = 16, NAMES_BYTES = 16384 };

/* "DNS:localhost,IP:127.0.0.1,IP:::1" */
static int print_names(struct mw_buffer *out, const char *const *names, size_t name_count)
{
    size_t i;

    for (i = 0; i < name_count; i++) {
        const char *name = names[i];
        size_t count = strlen(name);
        bool is_bracketed = name[0] == '[' && count > 2, is_address = is_bracketed || strspn(name, "0123456789.") == count;

        (void)mw_buffer_printf(out, "%s%s:%.*s", i > 0 ? "," : "", is_address ? "IP" : "DNS",
                               (int)(is_bracketed ? count - 2 : count), is_bracketed ? name + 1 : name);
    }
    return mw_buffer_append_byte(out, 0); /* errors stick */
}

static bool add_extension(X509 *certificate, int kind, const char *value)
{
    X509V3_CTX context;
    X509_EXTENSION *extension;
    bool is_added;

    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, certificate, certificate, NULL, NULL, 0);
    extension = X509V3_EXT_conf_nid(NULL, &context, kind, value);
    is_added = extension && X509_add_ext(certificate, extension, -1);
    X509_EXTENSION_free(extension);
    return is_added;
}

static bool set_serial(X509 *certificate)
{
    unsigned char bytes[SERIAL_BYTES];
    BIGNUM *number = NULL;
    bool is_set = RAND_bytes(bytes, sizeof bytes) == 1;

    bytes[0] &= 0x7f; /* a positive number */
    if (is_set)
        number = BN_bin2bn(bytes, sizeof bytes, NULL);
    is_set = number && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate));
    BN_free(number);
    return is_set;
}

static X509 *make_certificate(EVP_PKEY *key, const char *names)
{
    X509 *certificate = X509_new();
    X509_NAME *subject = certificate ? X509_get_subject_name(certificate) : NULL;

    if (subject && X509_set_version(certificate, X509_VERSION_3) && set_serial(certificate) &&
        X509_gmtime_adj(X509_getm_notBefore(certificate), -300) && /* clocks differ a little */
        X509_gmtime_adj(X509_getm_notAfter(certificate), LIFE_S) &&
        X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)"Meshwork development", -1, -1, 0) &&
        X509_set_issuer_name(certificate, subject) && X509_set_pubkey(certificate, key) &&
        add_extension(certificate, NID_basic_constraints, "critical,CA:FALSE") &&
        add_extension(certificate, NID_key_usage, "critical,digitalSignature") &&
        add_extension(certificate, NID_ext_key_usage, "serverAuth") &&
        add_extension(certificate, NID_subject_alt_name, names) && X509_sign(certificate, key, EVP_sha256()))
        return certificate;
    X509_free(certificate);
    return NULL;
}

/* Write one of the two to PATH.new, then make it PATH. */
static int write_file(const char *path, X509 *certificate, EVP_PKEY *key, struct mw_error *ret_error)
{
    char fresh[4096];
    FILE *file = NULL;
    int fd = -1, err = 0;

    if (snprintf(fresh, sizeof fresh, "%s.new", path) >= (int)sizeof fresh)
        err = -ENAMETOOLONG;
    if (err == 0)
        fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (err == 0 && (fd < 0 || !(file = fdopen(fd, "w"))))
        err = -errno;
    if (err == 0 && !(certificate ? PEM_write_X509(file, certificate)
                                  : PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL)))
        err = -EIO;
    if (file ? fclose(file) != 0 : fd >= 0 && close(fd) < 0)
        err = err < 0 ? err : -errno;
    if (err == 0 && rename(fresh, path) < 0)
        err = -errno;
    return err == 0 ? 0 : mw_fail(ret_error, err, "write '%s': %s", path, mw_strerror(err));
}

int tls_make_self_signed(const char *certificate_path, const char *key_path, const char *const *names, size_t name_count,
                         struct mw_error *ret_error)
{
    struct mw_buffer list;
    EVP_PKEY *key = NULL;
    X509 *certificate = NULL;
    int err;

    mw_buffer_init(&list, NAMES_BYTES);
    if (print_names(&list, names, name_count) == 0) {
        key = EVP_EC_gen("P-256");
        certificate = key ? make_certificate(key, (const char *)list.data) : NULL;
    }
    if (certificate)
        err = write_file(key_path, NULL, key, ret_error);
    else
        err = mw_fail(ret_error, -EINVAL, "make a certificate for '%s': OpenSSL refuses (%s)",
                      list.data ? (const char *)list.data : "", ERR_reason_error_string(ERR_peek_last_error()));
    if (err == 0)
        err = write_file(certificate_path, certificate, NULL, ret_error);
    ERR_clear_error();
    X509_free(certificate);
    EVP_PKEY_free(key);
    mw_buffer_clear(&list);
    return err;
}

bool tls_is_fit(const char *certificate_path, const char *const *names, size_t name_count, int64_t for_s)
{
    FILE *file = fopen(certificate_path, "re");
    X509 *certificate = file ? PEM_read_X509(file, NULL, NULL, NULL) : NULL;
    time_t until = time(NULL) + (time_t)for_s;
    bool is_fit = certificate && X509_cmp_time(X509_get0_notAfter(certificate), &until) > 0;
    size_t i;

    for (i = 0; i < name_count && is_fit; i++) {
        const char *name = names[i];
        size_t count = strlen(name);
        char bare[256];

        if (name[0] == '[' && count > 2 && count < sizeof bare) {
            (void)snprintf(bare, sizeof bare, "%.*s", (int)count - 2, name + 1);
            name = bare;
        }
        is_fit = X509_check_host(certificate, name, 0, 0, NULL) == 1 || X509_check_ip_asc(certificate, name, 0) == 1;
    }
    ERR_clear_error();
    X509_free(certificate);
    if (file)
        (void)fclose(file); /* nothing was written */
    return is_fit;
}
