/* room: codec. Requests from a peer, in any pieces (F1 heads, F2 bodies): what is understood does not depend
 * on the cuts, every call makes progress, memory stays within the limits, what is accepted keeps the rules.
 * Input: a byte of settings, a byte for the cuts, one for failing allocations, then what is on the wire.
 * SPDX-License-Identifier: MIT */
#include "slices.h"
#include "codec/http.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { BUDGET_BYTES = 64 * 1024 };

static void note_text(uint64_t *io_hash, struct http_text text)
{
    slices_note_number(io_hash, text.bytes != NULL);
    if (text.bytes)
        slices_note(io_hash, text.bytes, text.count);
}

static void note_request(uint64_t *io_hash, const struct http_parser *p)
{
    const struct http_request *r = &p->request;
    size_t i;

    slices_note_number(io_hash, (uint64_t)r->method << 8 | (uint64_t)r->minor_version);
    note_text(io_hash, r->target);
    note_text(io_hash, r->path);
    note_text(io_hash, r->query);
    note_text(io_hash, r->host);
    slices_note_number(io_hash, (uint64_t)(int64_t)r->port);
    for (i = 0; i < r->field_count; i++) {
        note_text(io_hash, r->fields[i].name);
        note_text(io_hash, r->fields[i].value);
    }
    slices_note_number(io_hash, (uint64_t)r->is_absolute | (uint64_t)r->keeps_alive << 1 |
                                    (uint64_t)r->expects_continue << 2 | (uint64_t)r->is_upgrade << 3 |
                                    (uint64_t)r->is_chunked << 4);
    slices_note_number(io_hash, r->content_length);
    slices_note(io_hash, p->body.count > 0 ? p->body.data : (const uint8_t *)"", p->body.count);
}

/* Whatever a value holds, read as ranges it names only bytes that are there, and no more than the whole. */
static void check_ranges(struct http_text value)
{
    enum { BYTES = 1000 };
    struct http_range ranges[HTTP_RANGES_MOST];
    int count = http_parse_ranges(value, BYTES, HTTP_RANGES_MOST, ranges), i;
    uint64_t sum = 0;

    for (i = 0; i < count; i++) {
        PROMISE(ranges[i].count > 0 && ranges[i].count <= BYTES && ranges[i].first <= BYTES - ranges[i].count);
        sum += ranges[i].count;
    }
    PROMISE(count <= HTTP_RANGES_MOST && sum <= BYTES);
}

static void check_request(const struct http_parser *p)
{
    const struct http_request *r = &p->request;
    const struct http_field *field = NULL;
    size_t i, j, lengths = 0, codings = 0;

    PROMISE(r->path.count > 0 && (r->path.bytes[0] == '/' || http_text_is(r->path, "*")));
    PROMISE(r->minor_version == 0 || (r->host.bytes && r->host.count > 0));
    PROMISE(r->port >= -1 && r->port <= 65535);
    PROMISE(r->field_count <= (p->limits->field_count ? p->limits->field_count : 64));
    for (i = 0; i < r->target.count; i++)
        PROMISE(r->target.bytes[i] > ' ' && r->target.bytes[i] < 0x7f && r->target.bytes[i] != '#');
    for (i = 0; i < r->field_count; i++) {
        PROMISE(http_is_token(r->fields[i].name));
        check_ranges(r->fields[i].value);
        for (j = 0; j < r->fields[i].value.count; j++) {
            uint8_t byte = (uint8_t)r->fields[i].value.bytes[j];

            PROMISE((byte >= ' ' && byte != 0x7f) || byte == '\t');
        }
    }
    while ((field = http_find(r, "content-length", field)) != NULL)
        lengths++;
    while ((field = http_find(r, "transfer-encoding", field)) != NULL)
        codings++;
    PROMISE(lengths + codings <= 1 && r->is_chunked == (codings == 1));
    PROMISE(r->is_chunked || p->body.count == r->content_length);
    (void)http_takes_coding(r, "gzip"); /* reads only what is there: the sanitizer's word */
}

/* Feed it all; returns the hash of what was understood. */
static uint64_t run(const struct http_limits *limits, const uint8_t *data, size_t size, uint32_t seed,
                    bool is_checked)
{
    struct http_parser p;
    enum http_event event = HTTP_EVENT_MORE;
    uint64_t hash = 1;
    uint32_t state = seed;
    int64_t before = mw_memory_stats().live_bytes;
    size_t at = 0;

    http_parser_init(&p, limits);
    while (at < size && event != HTTP_EVENT_FAILED) {
        size_t count = slices_next(seed, &state, size - at), from = 0;
        uint8_t *piece = malloc(count); /* not counted as the parser's */

        PROMISE(piece != NULL);
        memcpy(piece, data + at, count);
        while (from < count && event != HTTP_EVENT_FAILED) {
            size_t used = http_parse(&p, piece + from, count - from, &event);

            PROMISE(used <= count - from && (used > 0 || event == HTTP_EVENT_FAILED));
            PROMISE(event != HTTP_EVENT_MORE || from + used == count);
            PROMISE(mw_memory_stats().live_bytes - before <= BUDGET_BYTES);
            from += used;
            if (event == HTTP_EVENT_MORE)
                continue;
            slices_note_number(&hash, (uint64_t)event);
            if (event == HTTP_EVENT_FAILED) {
                PROMISE(p.failure.status >= 400 && p.failure.status < 600 && p.failure.reason);
                slices_note_number(&hash, (uint64_t)p.failure.status << 8 | (uint64_t)p.failure.limit);
                slices_note(&hash, p.failure.reason, strlen(p.failure.reason));
            }
            if (event == HTTP_EVENT_DONE) {
                if (is_checked)
                    check_request(&p);
                note_request(&hash, &p);
                http_parser_next(&p);
            }
        }
        memset(piece, 0xdd, count);
        free(piece);
        at += count;
    }
    slices_note_number(&hash, http_parser_is_midway(&p));
    http_parser_clear(&p);
    PROMISE(mw_memory_stats().live_bytes == before);
    return hash;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct http_limits roomy = {.body_bytes = 4096};
    static const struct http_limits narrow = {.request_line_bytes = 40,
                                              .head_bytes = 100,
                                              .field_bytes = 90,
                                              .field_count = 3,
                                              .body_bytes = 20};
    const struct http_limits *limits;
    uint64_t hash;

    if (size < 3)
        return 0;
    limits = data[0] & 1 ? &narrow : &roomy;
    hash = run(limits, data + 3, size - 3, 0, true);
    PROMISE(run(limits, data + 3, size - 3, 1, false) == hash);
    PROMISE(run(limits, data + 3, size - 3, 2 + data[1], false) == hash);
    if (data[2] > 0) {
        mw_memory_fail_at(data[2], data[2] & 1);
        (void)run(limits, data + 3, size - 3, 2 + data[1], false); /* no crash, no leak */
        mw_memory_fail_at(0, false);
    }
    return 0;
}
