/* Certificate files: which, whether they go together, whether they have changed.
 * SPDX-License-Identifier: MIT */
#include "server/certificate.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "base/buffer.h"
#include "base/memory.h"
#include "compile/cache.h"
#include "server/look.h"

#define LOOK_NS INT64_C(2000000000)
enum { DAY_S = 86400, PATH_BYTES_MAX = 4096 };

static const char *text_of(const struct settings *settings, enum setting which)
{
    const struct setting_value *value = &settings->values[which];

    return value->text_count > 0 ? value->texts[0] : NULL;
}

bool certificate_is_wanted(const struct settings *settings)
{
    return text_of(settings, SETTING_CERT) || text_of(settings, SETTING_KEY) || settings->values[SETTING_SELF_SIGNED].flag;
}

static char *join(const char *dir, const char *name)
{
    struct mw_buffer path;
    char *copy;

    mw_buffer_init(&path, PATH_BYTES_MAX);
    (void)mw_buffer_printf(&path, "%s/%s", dir, name); /* errors stick and are looked at once */
    (void)mw_buffer_append_byte(&path, 0);
    copy = path.error ? NULL : mw_copy_text((const char *)path.data);
    mw_buffer_clear(&path);
    return copy;
}

/* Find or make the pair in the cache directory, which is this user's alone. */
static int open_self_signed(struct certificate *c, const struct hosts *hosts, struct mw_error *ret_error)
{
    const char *names[HOSTS_NAMES_MAX];
    char *dir = NULL;
    size_t i;
    int err = cache_open(&dir, ret_error);

    if (err < 0)
        return err;
    for (i = 0; i < hosts->name_count; i++)
        names[i] = hosts->names[i].name;
    c->certificate_path = join(dir, "self-signed.crt");
    c->key_path = join(dir, "self-signed.key");
    mw_free(dir);
    if (!c->certificate_path || !c->key_path)
        return mw_fail(ret_error, -ENOMEM, "make a certificate: out of memory");
    if (tls_is_fit(c->certificate_path, names, hosts->name_count, DAY_S))
        return 0;
    return tls_make_self_signed(c->certificate_path, c->key_path, names, hosts->name_count, ret_error);
}

static int open_given(struct certificate *c, const struct settings *settings, struct mw_error *ret_error)
{
    const char *certificate = text_of(settings, SETTING_CERT), *key = text_of(settings, SETTING_KEY);

    if (!certificate || !key)
        return mw_fail(ret_error, -EINVAL, "--%s wants --%s too", certificate ? "cert" : "key", certificate ? "key" : "cert");
    c->certificate_path = mw_copy_text(certificate);
    c->key_path = mw_copy_text(key);
    return c->certificate_path && c->key_path ? 0 : mw_fail(ret_error, -ENOMEM, "read --cert: out of memory");
}

/* What a change of either file changes. 0: one cannot be looked at now */
static uint64_t look_at(const struct certificate *c)
{
    uint64_t certificate = look_at_file(c->certificate_path), key = look_at_file(c->key_path);

    return certificate && key ? certificate * 31 + key : 0;
}

int certificate_open(struct certificate *c, const struct settings *settings, const struct hosts *hosts,
                     struct mw_error *ret_error)
{
    bool is_self_signed = settings->values[SETTING_SELF_SIGNED].flag;
    int err;

    if (!certificate_is_wanted(settings))
        return 0;
    if (is_self_signed && (text_of(settings, SETTING_CERT) || text_of(settings, SETTING_KEY)))
        return mw_fail(ret_error, -EINVAL, "--self-signed makes a certificate; leave it out where --cert names one");
    if (is_self_signed && !settings->values[SETTING_DEV].flag)
        return mw_fail(ret_error, -EINVAL, "--self-signed is for development: say --dev too, or name a certificate that "
                       "browsers trust by --cert and --key");
    err = is_self_signed ? open_self_signed(c, hosts, ret_error) : open_given(c, settings, ret_error);
    if (err < 0)
        return err;
    c->seen = look_at(c);
    return tls_context_load(c->certificate_path, c->key_path, &c->context, ret_error);
}

void certificate_tell_time(const struct certificate *c, struct log *log)
{
    const time_t now_s = time(NULL);
    int64_t from_s, until_s;
    char day[16];
    struct tm tm;
    time_t other_s;

    if (!c->context)
        return;
    tls_context_holds(c->context, &from_s, &until_s);
    if (now_s >= from_s && now_s <= until_s)
        return;
    other_s = (time_t)(now_s < from_s ? from_s : until_s);
    (void)strftime(day, sizeof day, "%Y-%m-%d", gmtime_r(&other_s, &tm));
    log_at(log, MW_LOG_WARNING, "certificate '%s' %s %s: clients refuse it", c->certificate_path,
           now_s < from_s ? "does not hold before" : "ended on", day);
}

void certificate_close(struct certificate *c)
{
    tls_context_unref(c->context);
    mw_free(c->certificate_path);
    mw_free(c->key_path);
    *c = (struct certificate){0};
}

int certificate_reload(struct certificate *c, struct log *log, struct mw_error *ret_error)
{
    struct tls_context *fresh = NULL;
    int err;

    if (!c->context)
        return 0;
    c->seen = look_at(c);
    err = tls_context_load(c->certificate_path, c->key_path, &fresh, ret_error);
    if (err < 0)
        return err;
    tls_context_unref(c->context);
    c->context = fresh;
    log_line(log, "took the new certificate '%s'", c->certificate_path);
    certificate_tell_time(c, log);
    return 0;
}

static bool take_changed(struct certificate *c, struct log *log)
{
    struct mw_error error = {0};

    if (certificate_reload(c, log, &error) == 0)
        return true;
    log_at(log, MW_LOG_ERROR, "the certificate from before stays: %s", error.text);
    return false;
}

bool certificate_look(struct certificate *c, int64_t now_ns, struct log *log)
{
    uint64_t seen;

    if (!c->context || now_ns < c->look_at_ns)
        return false;
    c->look_at_ns = now_ns + LOOK_NS;
    seen = look_at(c);
    return seen != 0 && seen != c->seen && take_changed(c, log); /* 0: it is being replaced */
}
