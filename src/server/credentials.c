/* Reading Authorization and Cookie.
 * SPDX-License-Identifier: MIT */
#include "server/credentials.h"

#include <string.h>
#include <strings.h>

const char *credentials_bearer(const char *field)
{
    static const char scheme[] = "Bearer ";

    if (!field || strncasecmp(field, scheme, strlen(scheme)) != 0)
        return NULL;
    field += strlen(scheme);
    return field + strspn(field, " ");
}

bool credentials_cookie(const char *cookies, const char *name, size_t value_bytes, char *ret_value)
{
    size_t name_bytes = strlen(name), count;

    while (cookies && *cookies != '\0') {
        cookies += strspn(cookies, "; ");
        count = strcspn(cookies, ";");
        if (count == name_bytes + 1 + value_bytes && cookies[name_bytes] == '=' && memcmp(cookies, name, name_bytes) == 0) {
            memcpy(ret_value, cookies + name_bytes + 1, value_bytes);
            ret_value[value_bytes] = '\0';
            return true;
        }
        cookies += count;
    }
    return false;
}
