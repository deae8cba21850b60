/* A file as an answer: found in one of the hook's places, packed beforehand or not, whole, in parts, or known to the
 * client already (RFC 9110 §13, §14).
 * Not opening it; that is files.c. Read next: files.c.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "base/hint.h"
#include "codec/media.h"
#include "codec/url.h"
#include "edge/answer.h"
#include "edge/file_cache.h"
#include "edge/gzip_cache.h"

enum { FILE_IN_MEMORY_BYTES = 65536, BOUNDARY_BYTES = 32, PATH_BYTES = 4096, CONTENT_RANGE_BYTES = 80 };
enum { SHARE_FILE_FROM_BYTES = 4096 };

/* What of a file goes out: all of it, a range, or several as a multipart body. */
struct selection {
    struct http_range parts[HTTP_RANGES_MOST];
    size_t count;
    bool is_multipart;
    char boundary[BOUNDARY_BYTES];
    char content_type[BOUNDARY_BYTES + 40]; /* of a multipart body */
    char content_range[CONTENT_RANGE_BYTES];
};

/* ---- finding ----------------------------------------------------------------------------------------- */
/* Codings that a file may lie packed in beside it, the smallest first. */
static const struct {
    const char *coding, *extension;
} packed[] = {{"br", ".br"}, {"gzip", ".gz"}};

static int place_open(struct edge *e, const struct edge_place *place, struct file *ret)
{
    return file_cache_find(e->file_cache, place, edge_now(e), ret);
}

/* Put a packed sibling in the file's place, where the client takes it and it is not older than the file. */
static const char *prefer_packed(struct edge_connection *c, const struct edge_place *place, struct file *io)
{
    const struct http_request *wire = &c->exchange->parser.request;
    size_t i;

    for (i = 0; i < MW_COUNT(packed); i++) {
        if (!http_takes_coding(wire, packed[i].coding))
            continue;

        struct edge_place sibling = *place;
        struct file found;
        char path[PATH_BYTES]; /* all of it is cleared: not for who takes no coding */

        sibling.path = path;
        if (snprintf(path, sizeof path, "%s%s", place->path, packed[i].extension) >= (int)sizeof path ||
            place_open(c->edge, &sibling, &found) < 0)
            continue;
        if (found.modified_s >= io->modified_s) {
            file_close(io);
            *io = found;
            return packed[i].coding;
        }
        file_close(&found);
    }
    return NULL;
}

/* The file's gzipped form, where the client takes it and there is something to gain. A part of a file is asked for of the file
 * itself. One that has just been written may be written once more before its time stamp moves on: it is left alone.
 * ret  returned owned: bytes */
static bool pack_now(struct edge_connection *c, struct file *io, mw_value *ret)
{
    const struct http_request *wire = &c->exchange->parser.request;
    struct edge *e = c->edge;

    if (!e->gzip_cache || io->byte_count < PACK_FROM_BYTES || !http_takes_coding(wire, "gzip") || http_find(wire, "Range", NULL) ||
        !file_is_settled(io))
        return false;
    if (io->byte_count > edge_limit(e, EDGE_LIMIT_GZIP_FILE)) {
        edge_hit(e, EDGE_LIMIT_GZIP_FILE);
        return false;
    }
    if (!gzip_cache_get(e->gzip_cache, io, edge_now(e), ret))
        return false;
    file_tag_gzipped(io);
    return true;
}

/* Find the first place that is a file. 0, -ENOENT, or why none could be opened. */
static int places_open(struct edge *e, const struct edge_place *places, struct file *ret, const struct edge_place **ret_place)
{
    int err = -ENOENT;
    size_t i;

    for (i = 0; i < EDGE_PLACES && places[i].path && err == -ENOENT; i++) {
        err = place_open(e, &places[i], ret);
        *ret_place = &places[i];
    }
    return err;
}

static bool ends_in_slash(const char *path)
{
    size_t count = strlen(path);

    return count == 0 || path[count - 1] == '/';
}

/* The same places, but of the folders there the file that shows them. false: a path is too long. paths  what they borrow */
static bool places_of_index(const struct edge_answer *a, struct edge_place ret[EDGE_PLACES], char paths[EDGE_PLACES][PATH_BYTES])
{
    size_t i;

    memset(ret, 0, EDGE_PLACES * sizeof *ret);
    for (i = 0; i < EDGE_PLACES && a->places[i].path; i++) {
        const char *path = a->places[i].path;

        if (snprintf(paths[i], PATH_BYTES, "%s%s%s", path, ends_in_slash(path) ? "" : "/", a->index) >= PATH_BYTES)
            return false;
        ret[i] = a->places[i];
        ret[i].path = paths[i];
    }
    return true;
}

/* ---- which bytes ------------------------------------------------------------------------------------- */
static void describe_range(char ret[CONTENT_RANGE_BYTES], const struct http_range *part, uint64_t byte_count)
{
    (void)snprintf(ret, CONTENT_RANGE_BYTES, "bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64, part->first,
                   part->first + part->count - 1, byte_count);
}

/* A line that is in no file, as far as chance goes. */
static int choose_boundary(struct selection *s)
{
    uint64_t random[2];

    if (getrandom(random, sizeof random, GRND_NONBLOCK) != (ssize_t)sizeof random)
        return -EAGAIN;
    (void)snprintf(s->boundary, sizeof s->boundary, "%016" PRIx64 "%08" PRIx32, random[0], (uint32_t)random[1]);
    (void)snprintf(s->content_type, sizeof s->content_type, "multipart/byteranges; boundary=%s", s->boundary);
    return 0;
}

/* Choose what to send, as Range and If-Range say. returns the status: 200, 206 or 416 */
static int select_parts(struct edge_connection *c, const struct file *file, struct selection *ret)
{
    const struct http_request *wire = &c->exchange->parser.request;
    int count = 0;

    if (wire->method == HTTP_METHOD_GET && file_is_same(file, wire))
        count = http_parse_ranges(http_value(wire, "Range"), file->byte_count, (int)edge_limit(c->edge, EDGE_LIMIT_RANGES),
                                  ret->parts);
    if (count == -ERANGE) {
        (void)snprintf(ret->content_range, sizeof ret->content_range, "bytes */%" PRIu64, file->byte_count);
        return 416;
    }
    if (count == -E2BIG)
        edge_hit(c->edge, EDGE_LIMIT_RANGES);
    ret->is_multipart = count > 1;
    if (count <= 0 || (ret->is_multipart && choose_boundary(ret) < 0)) {
        *ret = (struct selection){.parts = {{0, file->byte_count}}, .count = 1};
        return 200;
    }
    ret->count = (size_t)count;
    if (!ret->is_multipart)
        describe_range(ret->content_range, &ret->parts[0], file->byte_count);
    return 206;
}

/* What stands before part i of a multipart body; before the end where i is past the last. */
static size_t part_head(const struct selection *s, size_t i, const struct file *file, const char *media_type,
                        char ret[512])
{
    char range[CONTENT_RANGE_BYTES];
    int count;

    if (i == s->count) {
        count = snprintf(ret, 512, "\r\n--%s--\r\n", s->boundary);
    } else {
        describe_range(range, &s->parts[i], file->byte_count);
        count = snprintf(ret, 512, "%s--%s\r\nContent-Type: %s\r\nContent-Range: %s\r\n\r\n", i > 0 ? "\r\n" : "",
                         s->boundary, media_type, range);
    }
    return count < 512 ? (size_t)count : 511; /* media types are short */
}

static uint64_t selection_length(const struct selection *s, const struct file *file, const char *media_type)
{
    char line[512];
    uint64_t length = 0;
    size_t i;

    for (i = 0; i < s->count; i++)
        length += s->parts[i].count;
    for (i = 0; s->is_multipart && i <= s->count; i++)
        length += part_head(s, i, file, media_type, line);
    return length;
}

/* ---- queueing ---------------------------------------------------------------------------------------- */
/* Apart from who needs no such line, as room for one is cleared before. returns how many bytes */
static COLD size_t copy_part_head(const struct selection *s, size_t i, const struct file *file, const char *media_type, uint8_t *ret)
{
    char line[512];
    size_t count = part_head(s, i, file, media_type, line);

    memcpy(ret, line, count);
    return count;
}

/* Read what was selected behind the head into one chunk, so that all leaves in one write. false: it could not be read. */
static bool queue_in_memory(struct edge_connection *c, const struct selection *s, const struct file *file,
                            const char *media_type, size_t byte_count)
{
    const struct mw_buffer *head = &c->edge->head;
    size_t before = c->output.queued, at = head->count, i;
    uint8_t *room = output_room(&c->output, &c->edge->pool, head->count + byte_count, 0);

    if (!room)
        return false;
    memcpy(room, head->data, head->count);
    for (i = 0; i < s->count; i++) {
        size_t count = (size_t)s->parts[i].count;

        if (s->is_multipart)
            at += copy_part_head(s, i, file, media_type, room + at);
        if (!file_read(file, s->parts[i].first, count, room + at))
            return false;
        at += count;
    }
    if (s->is_multipart)
        (void)copy_part_head(s, s->count, file, media_type, room + at);
    output_added(&c->output, head->count + byte_count);
    connection_queued(c, before);
    return true;
}

/* takes an open file. false: no memory */
static bool queue_by_sendfile(struct edge_connection *c, const struct selection *s, struct file *file,
                              const char *media_type)
{
    const struct mw_buffer *head = &c->edge->head;
    bool is_queued = connection_queue(c, head->data, head->count, NULL, 0) == 0;
    char line[512];
    size_t i;

    for (i = 0; i < s->count && is_queued; i++) {
        bool is_last = i + 1 == s->count;

        if (s->is_multipart)
            is_queued = connection_queue(c, line, part_head(s, i, file, media_type, line), NULL, 0) == 0;
        if (!is_queued)
            break;
        is_queued = output_file(&c->output, file->fd, is_last, s->parts[i].first, s->parts[i].count) == 0;
        if (is_last) { /* it has taken the descriptor */
            file->fd = -1;
            if (is_queued && s->is_multipart)
                is_queued = connection_queue(c, line, part_head(s, s->count, file, media_type, line), NULL, 0) == 0;
            return is_queued;
        }
    }
    file_close(file);
    return false;
}

/* All of a file that is held in memory. */
static bool is_all_of_kept(const struct selection *s, const struct file *file)
{
    return mw_kind_of(file->bytes) == MW_BYTES && s->count == 1 && !s->is_multipart &&
           s->parts[0].count == file->byte_count;
}

/* The head is written: queue it and what follows. takes file. false: the file became shorter, or memory ran out */
static bool queue_selection(struct edge_connection *c, const struct selection *s, struct file *file,
                            const char *media_type, uint64_t byte_count)
{
    const struct mw_buffer *out = &c->edge->head;
    bool is_queued;

    if (answer_is_to_head(c))
        is_queued = connection_queue(c, out->data, out->count, NULL, 0) == 0;
    else if (is_all_of_kept(s, file) && byte_count >= SHARE_FILE_FROM_BYTES)
        is_queued = connection_queue_value(c, out->data, out->count, file->bytes) == 0;
    else if (byte_count > FILE_IN_MEMORY_BYTES && file->fd >= 0)
        return queue_by_sendfile(c, s, file, media_type);
    else
        is_queued = queue_in_memory(c, s, file, media_type, (size_t)byte_count);
    file_close(file);
    return is_queued;
}

/* takes file */
static void answer_selection(struct edge_connection *c, struct answer_head *head, struct file *file,
                             const struct selection *s)
{
    const char *media_type = head->media_type;
    uint64_t byte_count = selection_length(s, file, media_type);
    bool keeps = answer_may_keep(c, head), is_queued;

    head->length = (int64_t)byte_count;
    if (s->is_multipart)
        head->media_type = s->content_type;
    else if (s->content_range[0])
        head->content_range = s->content_range;
    if (!answer_write_head(c, head, keeps)) {
        file_close(file);
        return;
    }
    is_queued = queue_selection(c, s, file, media_type, byte_count);
    if (is_queued)
        answer_done(c, head->status, keeps);
    else
        connection_drop(c); /* the file became shorter meanwhile, or memory ran out */
}

/* takes file and the bytes */
static void answer_packed(struct edge_connection *c, struct answer_head *head, struct file *file,
                          mw_value takes_bytes)
{
    size_t count = 0;
    const char *bytes = mw_get_text(&takes_bytes, &count);

    file_close(file);
    head->lacks_ranges = true;
    c->edge->stats.gzip_answers++;
    answer_bytes(c, head, bytes, count, &takes_bytes);
    mw_release(takes_bytes);
}

/* ---- preconditions ----------------------------------------------------------------------------------- */
/* In the order of RFC 9110 §13.2.2. 0: go on; 304, 412 */
static int check_conditions(const struct http_request *wire, const struct file *file)
{
    if (file_is_unwanted(file, wire))
        return 412;
    return file_is_known(file, wire) ? 304 : 0;
}

/* The file is found: what of it the client gets. takes file */
static void answer_found(struct edge_connection *c, const struct edge_answer *a, const struct edge_place *place,
                         struct file *file)
{
    const struct http_request *wire = &c->exchange->parser.request;
    struct media_type media = media_type_of(place->path);
    struct answer_head head = {.headers = a->headers, .must_close = a->must_close, .file = file,
                               .varies = media.is_worth_packing};
    struct selection selection = {.count = 0};
    mw_value packed_bytes = mw_null();

    if (media.is_worth_packing)
        head.coding = prefer_packed(c, place, file);
    if (media.is_worth_packing && !head.coding && pack_now(c, file, &packed_bytes))
        head.coding = "gzip";
    head.status = check_conditions(wire, file);
    if (head.status == 0)
        head.status = select_parts(c, file, &selection);
    head.cache_control = head.status >= 400 && a->cache_control ? "no-store" : a->cache_control;
    if (head.status == 200 || head.status == 206) {
        head.media_type = a->media_type ? a->media_type : media.name;
        head.is_attachment = !a->media_type && !media.is_known;
        if (mw_kind_of(packed_bytes) == MW_BYTES)
            answer_packed(c, &head, file, packed_bytes);
        else
            answer_selection(c, &head, file, &selection);
        return;
    }
    mw_release(packed_bytes);
    file_close(file);
    head.coding = NULL; /* there is no body of the file's */
    if (head.status == 416)
        head.content_range = selection.content_range;
    if (head.status == 304)
        answer_bytes(c, &head, NULL, 0, NULL);
    else
        answer_line(c, &head, NULL);
}

/* Send who asked for a folder to where its links work. */
static void answer_with_slash(struct edge_connection *c, const struct edge_request *request, struct answer_head *head)
{
    struct mw_buffer location;

    mw_buffer_init(&location, (size_t)2 * PATH_BYTES);
    (void)url_encode_path(&location, request->path); /* errors stick and are looked at once */
    (void)mw_buffer_append_byte(&location, '/');
    if (request->query && *request->query != '\0')
        (void)mw_buffer_printf(&location, "?%s", request->query);
    (void)mw_buffer_append_byte(&location, '\0');
    head->status = location.error ? 404 : 308;
    head->location = location.error ? NULL : (const char *)location.data;
    answer_line(c, head, NULL);
    mw_buffer_clear(&location);
}

/* A path that ends in a slash, or one where no file is but perhaps a folder. */
COLD static void answer_index(struct edge_connection *c, const struct edge_request *request, const struct edge_answer *a,
                         struct answer_head *head)
{
    const struct edge_place *place = NULL;
    struct edge_place places[EDGE_PLACES];
    char paths[EDGE_PLACES][PATH_BYTES];
    struct file file;
    int err = places_of_index(a, places, paths) ? places_open(c->edge, places, &file, &place) : -ENOENT;

    if (err < 0) {
        head->status = err == -ENOENT ? 404 : 503;
        answer_line(c, head, NULL);
    } else if (!ends_in_slash(a->places[0].path)) {
        file_close(&file);
        answer_with_slash(c, request, head);
    } else if (request->method == EDGE_OPTIONS) {
        file_close(&file);
        answer_options(c, a->allow ? a->allow : "GET, HEAD, OPTIONS");
    } else {
        answer_found(c, a, place, &file);
    }
}

void answer_files(struct edge_connection *c, const struct edge_request *request, const struct edge_answer *a,
                  struct answer_head *head)
{
    const struct edge_place *place = NULL;
    struct file file;
    int err;

    if (request->method == EDGE_POST) {
        head->status = 405;
        head->allow = a->allow ? a->allow : "GET, HEAD, OPTIONS";
        answer_line(c, head, NULL);
        return;
    }
    err = a->index && ends_in_slash(a->places[0].path) ? -ENOENT : places_open(c->edge, a->places, &file, &place);
    if (err == -ENOENT && a->index && a->places[0].path) {
        answer_index(c, request, a, head);
    } else if (err < 0) {
        head->status = err == -ENOENT ? 404 : 503;
        answer_line(c, head, NULL);
    } else if (request->method == EDGE_OPTIONS) {
        file_close(&file);
        answer_options(c, a->allow ? a->allow : "GET, HEAD, OPTIONS");
    } else {
        answer_found(c, a, place, &file);
    }
}
