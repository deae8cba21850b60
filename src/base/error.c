/* Errors: filling struct mw_error, and what the codes mean here.
 * Not counters of limits; each room has its own.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <meshwork/base.h>
#include <stdio.h>
#include <string.h>

/* Codes with a meaning of their own in this library. */
static const struct {
    int code;
    const char *text;
} error_texts[] = {
    {0, "no error"},
    {-EAGAIN, "not now: full, or nothing to do without waiting"},
    {-ECANCELED, "being closed"},
    {-EPIPE, "the other side is gone"},
    {-ETIMEDOUT, "the deadline has passed"},
    {-EACCES, "not permitted"},
    {-ENOENT, "no such name"},
    {-EMSGSIZE, "over a limit"},
    {-EPROTO, "the peer broke the protocol"},
    {-EDEADLK, "nothing can ever wake us"},
    {-EINVAL, "bad argument"},
    {-EBUSY, "in use right now"},
    {-ENOMEM, "out of memory"},
    {-EROFS, "read only"},
    {-ENOTSUP, "not possible here"},
};

const char *mw_strerror(int code)
{
    const char *text;
    size_t i;

    for (i = 0; i < MW_COUNT(error_texts); i++)
        if (error_texts[i].code == code)
            return error_texts[i].text;
    text = code < 0 ? strerrordesc_np(-code) : NULL;
    return text ? text : "unknown error";
}

/* One line: whatever a text was made of, a log stays readable. */
static void error_flatten(char *text)
{
    for (; *text; text++)
        if (*text == '\n' || *text == '\r')
            *text = ' ';
}

static MW_PRINTF(3, 0) void error_fill(struct mw_error *ret_error, int code, const char *format,
                                       va_list arguments, size_t prefix_count)
{
    ret_error->code = code;
    (void)vsnprintf(ret_error->text + prefix_count, sizeof(ret_error->text) - prefix_count, format, arguments);
    error_flatten(ret_error->text);
}

int mw_fail(struct mw_error *ret_error, int code, const char *format, ...)
{
    va_list arguments;

    if (!ret_error)
        return code;
    ret_error->file[0] = '\0';
    ret_error->line = ret_error->column = 0;
    va_start(arguments, format);
    error_fill(ret_error, code, format, arguments, 0);
    va_end(arguments);
    return code;
}

int mw_fail_at(struct mw_error *ret_error, int code, const char *file, int line, int column, const char *format,
               ...)
{
    va_list arguments;
    int prefix;

    if (!ret_error)
        return code;
    (void)snprintf(ret_error->file, sizeof(ret_error->file), "%s", file);
    ret_error->line = line;
    ret_error->column = column;
    if (line > 0)
        prefix = snprintf(ret_error->text, sizeof(ret_error->text), "%s: line %d: ", file, line);
    else
        prefix = snprintf(ret_error->text, sizeof(ret_error->text), "%s: ", file);
    if (prefix < 0 || (size_t)prefix >= sizeof(ret_error->text))
        prefix = 0; /* a file name that leaves no room for the reason: the reason wins */
    va_start(arguments, format);
    error_fill(ret_error, code, format, arguments, (size_t)prefix);
    va_end(arguments);
    return code;
}
