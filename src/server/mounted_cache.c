/* How long browsers may keep the files of an app's folders: [cache] in its app.ini, each folder's Cache-Control.
 * Not which folders are served; that is route.c. Read next: route.c.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "server/server_priv.h"
#include "settings/ini.h"
#include "settings/words.h"

#define YEAR_S INT64_C(31536000) /* the most that caches look at (RFC 9111 §1.2.2 allows more) */

static const char *const folder_names[MOUNTED_FOLDERS] = {"page", "css", "js", "images", "fonts", "public"};

const char *mounted_folder_name(enum mounted_folder folder)
{
    return folder_names[folder];
}

/* "90s", "10m", "1h", "30d": 1 second to 365 days. returns seconds; 0: it is none */
static int64_t read_duration(const char *word)
{
    static const struct {
        char suffix;
        int64_t seconds;
    } units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}};
    size_t count = strlen(word), i;
    char digits[16];
    int64_t number;

    if (count < 2 || count > sizeof digits)
        return 0;
    memcpy(digits, word, count - 1);
    digits[count - 1] = '\0';
    for (i = 0; i < MW_COUNT(units); i++)
        if (units[i].suffix == word[count - 1] && words_number(digits, false, &number) == 0 && number > 0 &&
            number <= YEAR_S / units[i].seconds)
            return number * units[i].seconds;
    return 0;
}

/* "no-cache", "no-store", "1h", "365d immutable". false: none of these */
static bool read_value(const char *text, char ret[MOUNTED_CACHE_BYTES])
{
    char words[64], *rest = words, *first, *second;
    int64_t seconds;

    if (strlen(text) >= sizeof words)
        return false;
    (void)snprintf(words, sizeof words, "%s", text);
    first = strsep(&rest, " \t,");
    while (rest && (*rest == ' ' || *rest == '\t'))
        rest++;
    second = rest;
    seconds = read_duration(first);
    if (!second && (strcmp(first, "no-cache") == 0 || strcmp(first, "no-store") == 0))
        (void)snprintf(ret, MOUNTED_CACHE_BYTES, "%s", first);
    else if (seconds > 0 && (!second || strcmp(second, "immutable") == 0))
        (void)snprintf(ret, MOUNTED_CACHE_BYTES, "max-age=%" PRId64 "%s", seconds, second ? ", immutable" : "");
    else
        return false;
    return true;
}

int mounted_read_cache(struct mounted *m, const struct ini_entry *entry, struct mw_error *ret_error)
{
    size_t i;

    for (i = 0; i < MOUNTED_FOLDERS; i++) {
        if (strcmp(entry->key, folder_names[i]) != 0)
            continue;
        if (read_value(entry->value, m->cache_control[i]))
            return 0;
        return ini_document_fail(m->ini, entry->line, ret_error, -EINVAL,
                                 "%s = '%s': want no-cache, no-store, or a time such as 90s, 10m, 1h, 30d (at most 365d), "
                                 "perhaps followed by immutable", entry->key, entry->value);
    }
    return ini_document_fail(m->ini, entry->line, ret_error, -ENOENT,
                             "[cache] has no key '%s' (it has page, css, js, images, fonts, public)", entry->key);
}

const char *mounted_cache_control(const struct mounted *m, enum mounted_folder folder)
{
    if (m->server->is_dev)
        return "no-store";
    return m->cache_control[folder][0] != '\0' ? m->cache_control[folder] : "no-cache";
}
