/* room: codec. Paths (F3): what is decoded stays beneath its folder, and escaped again decodes to itself.
 * Input: the path.
 * SPDX-License-Identifier: MIT */
#include <errno.h>

#include "slices.h"
#include "base/utf8.h"
#include "codec/url.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_path(const char *path, size_t count)
{
    const char *at = path;

    PROMISE(strlen(path) == count && path[0] == '/');
    PROMISE(mw_utf8_is_valid(path, count));
    PROMISE(!strchr(path, '\\') && !strstr(path, "//") && !strstr(path, "/./") && !strstr(path, "/../"));
    PROMISE(count < 2 || strcmp(path + count - 2, "/.") != 0);
    PROMISE(count < 3 || strcmp(path + count - 3, "/..") != 0);
    for (; *at; at++)
        PROMISE((uint8_t)*at >= 0x20 && *at != 0x7f);
    if (url_is_servable(path))
        PROMISE(!strstr(path, "/."));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *raw = malloc(size + 1), *path = malloc(size + 1), *again = NULL;
    const char *reason = NULL;
    struct mw_buffer escaped;
    int count;

    PROMISE(raw && path);
    if (size > 0)
        memcpy(raw, data, size);
    count = url_decode_path(raw, size, path, &reason);
    if (count < 0) {
        PROMISE((count == -EINVAL || count == -ENOENT) && reason != NULL);
    } else {
        PROMISE((size_t)count <= size);
        check_path(path, (size_t)count);
        mw_buffer_init(&escaped, 4 * size + 16);
        PROMISE(url_encode_path(&escaped, path) == 0);
        again = malloc(escaped.count + 1);
        PROMISE(again != NULL);
        PROMISE(url_decode_path((const char *)escaped.data, escaped.count, again, NULL) == count);
        PROMISE(memcmp(again, path, (size_t)count) == 0);
        mw_buffer_clear(&escaped);
    }
    free(again);
    free(raw);
    free(path);
    return 0;
}
