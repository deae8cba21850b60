/* Paths: the vectors, escaping, and that both are inverse to each other.
 * SPDX-License-Identifier: MIT */
#include "codec/url.h"

#include "vectors.h"

static struct mw_buffer whole;

static void vector_begin(const struct vector *v)
{
    (void)v;
    mw_buffer_init(&whole, 1 << 20);
}

static void vector_feed(uint8_t *bytes, size_t byte_count, struct mw_buffer *out)
{
    (void)out;
    mw_buffer_append(&whole, bytes, byte_count);
}

/* A path is judged whole; it comes in a block that is exactly as large. */
static void vector_end(struct mw_buffer *out)
{
    char *raw = mw_alloc(whole.count), *path = mw_alloc(whole.count + 1);
    const char *reason = NULL;
    int count;

    CHECK(raw && path);
    if (whole.count > 0)
        memcpy(raw, whole.data, whole.count);
    count = url_decode_path(raw, whole.count, path, &reason);
    if (count < 0) {
        CHECK(count == -EINVAL || count == -ENOENT);
        mw_buffer_printf(out, "refused %d %s\n", count == -EINVAL ? 400 : 404, reason);
    } else {
        CHECK_INT(strlen(path), count);
        mw_buffer_append_text(out, "path ");
        vector_show(out, path, (size_t)count);
        mw_buffer_printf(out, "\n%s\n", url_is_servable(path) ? "servable" : "hidden");
    }
    mw_free(raw);
    mw_free(path);
    mw_buffer_clear(&whole);
}

static const struct vector_subject subject = {"url", NULL, vector_begin, vector_feed, vector_end};

static void every_vector_is_decoded_or_refused(void)
{
    CHECK(vectors_run(&subject, 1) >= 40);
}

static void a_path_escaped_decodes_to_itself(void)
{
    static const char *const paths[] = {"/", "/a b/c%d/", "/gr\xc3\xbc\xc3\x9f/\"x\"<y>?#&'", "/100%",
                                        "/a+b=c;d,e@f:g!h$(i)*"};
    struct mw_buffer out;
    char back[200];
    size_t i;

    for (i = 0; i < MW_COUNT(paths); i++) {
        mw_buffer_init(&out, 1000);
        CHECK_INT(url_encode_path(&out, paths[i]), 0);
        CHECK_INT(url_decode_path((const char *)out.data, out.count, back, NULL), strlen(paths[i]));
        CHECK_TEXT(back, paths[i]);
        mw_buffer_clear(&out);
    }
}

static void what_html_gives_meaning_to_is_escaped(void)
{
    struct mw_buffer out;

    mw_buffer_init(&out, 1000);
    CHECK_INT(url_encode_path(&out, "/<a href=\"x\">'&?#%\x01\xff"), 0);
    mw_buffer_append(&out, "", 1);
    CHECK_TEXT((const char *)out.data, "/%3Ca%20href=%22x%22%3E%27%26%3F%23%25%01%FF");
    mw_buffer_clear(&out);
}

static void every_byte_decodes_once(void)
{
    char raw[8], path[8];
    int high, byte;

    for (byte = 1; byte < 0x80; byte++) {
        for (high = 0; high < 2; high++) {
            int got;

            snprintf(raw, sizeof raw, high ? "/a%%%02xb" : "/a%%%02Xb", (unsigned)byte);
            got = url_decode_path(raw, strlen(raw), path, NULL);
            if (byte < 0x20 || byte == 0x7f)
                CHECK_INT(got, -EINVAL);
            else if (byte == '/' || byte == '\\')
                CHECK_INT(got, -ENOENT);
            else
                CHECK(got == 4 && path[2] == byte);
        }
    }
}

int main(int argc, char **argv)
{
    static const struct mw_test tests[] = {
        TEST(every_vector_is_decoded_or_refused),
        TEST(a_path_escaped_decodes_to_itself),
        TEST(what_html_gives_meaning_to_is_escaped),
        TEST(every_byte_decodes_once),
    };

    return mw_test_main(argc, argv, tests, MW_COUNT(tests));
}
