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
    {-EEXIST, "the name is taken"},
    {-EMSGSIZE, "over a limit"},
    {-ENOBUFS, "output queue over its limit"},
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
    text = code < 0 && code > -4096 ? strerrordesc_np(-code) : NULL; /* a constant, in no locale */
    return text ? text : "unknown error";
}

/* Make text one line of whole characters: it goes into logs and into JSON.
 *
 * wanted  how long it would be without the cut, as snprintf says
 */
static void error_tidy(char *text, size_t room, size_t wanted)
{
    size_t length = strlen(text);

    for (size_t i = 0; i < length; i++)
        if ((unsigned char)text[i] < 0x20)
            text[i] = ' ';
    if (wanted < room)
        return;
    /* Cut: drop the beginning of a character whose end did not fit. */
    for (size_t back = 1; back <= 3 && back <= length; back++) {
        unsigned char c = (unsigned char)text[length - back];
        size_t whole = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : c >= 0xc0 ? 2 : 1;

        if (c >= 0x80 && c < 0xc0)
            continue;
        if (whole > back)
            text[length - back] = '\0';
        return;
    }
}

static MW_PRINTF(2, 0) void error_fill(struct mw_error *error, const char *format, va_list arguments,
                                       size_t prefix_count)
{
    int n = vsnprintf(error->text + prefix_count, sizeof(error->text) - prefix_count, format, arguments);

    error_tidy(error->text, sizeof(error->text), prefix_count + (n > 0 ? (size_t)n : 0));
}

int mw_fail(struct mw_error *ret_error, int code, const char *format, ...)
{
    va_list arguments;

    if (!ret_error)
        return code;
    ret_error->code = code;
    ret_error->line = ret_error->column = 0;
    ret_error->file[0] = '\0';
    va_start(arguments, format);
    error_fill(ret_error, format, arguments, 0);
    va_end(arguments);
    return code;
}

int mw_fail_at(struct mw_error *ret_error, int code, const char *file, int line, int column, const char *format,
               ...)
{
    const char *name = file ? file : "", *colon = name[0] ? ": " : "";
    va_list arguments;
    int n;

    if (!ret_error)
        return code;
    ret_error->code = code;
    ret_error->line = line > 0 ? line : 0;
    ret_error->column = column > 0 ? column : 0;
    n = snprintf(ret_error->file, sizeof(ret_error->file), "%s", name);
    error_tidy(ret_error->file, sizeof(ret_error->file), n > 0 ? (size_t)n : 0);
    if (line > 0)
        n = snprintf(ret_error->text, sizeof(ret_error->text), "%s%sline %d: ", name, colon, line);
    else
        n = snprintf(ret_error->text, sizeof(ret_error->text), "%s%s", name, colon);
    if (n < 0 || (size_t)n >= sizeof(ret_error->text) / 2)
        n = 0; /* a file name that leaves no room for the reason: the reason wins */
    va_start(arguments, format);
    error_fill(ret_error, format, arguments, (size_t)n);
    va_end(arguments);
    return code;
}
