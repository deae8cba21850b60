/* Requests that are read in one pass: what is read is what parsing would have given, and whatever is odd is left to be parsed.
 * Not what is answered; that is protocol_test.c.
 * SPDX-License-Identifier: MIT */
#include "app/request.h"

#include <stdio.h>
#include <string.h>

#include "app/protocol.h"
#include "base/memory.h"
#include "check.h"

static const struct mw_json_limits limits = {.depth = 64, .tokens = 65536, .keys = 4096};

/* Compared with what a parser makes of the same text. */
static void check_members(const struct envelope *r, const char *text)
{
    mw_value whole;
    const mw_value *params, *id;
    size_t i;

    CHECK_INT(mw_json_parse(text, strlen(text), &limits, &whole, NULL), 0);
    CHECK_TEXT(r->method->name, mw_get_text(mw_map_get(whole, "method"), NULL));
    id = mw_map_get(whole, "id");
    CHECK_INT(r->has_id, id != NULL);
    CHECK(!id || mw_equal(*id, r->id));
    params = mw_map_get(whole, "params");
    CHECK_INT(r->has_params, params != NULL);
    if (r->has_names) {
        CHECK_INT(r->name_count, mw_list_count(*params));
        for (i = 0; i < r->name_count; i++)
            CHECK(mw_equal(r->names[i], *mw_list_at(*params, i)));
    } else if (params) {
        CHECK(mw_equal(*params, r->params));
    }
    mw_release(whole);
}

static bool reads(const char *text)
{
    char *exact = mw_copy_text(text); /* with nothing behind it but what tools watch */
    struct request r;
    bool is_read = request_read(exact, strlen(text), &limits, &r);

    if (is_read) {
        check_members(&r.envelope, text);
        request_clear(&r);
    }
    mw_free(exact);
    return is_read;
}

static void requests_as_clients_write_them_are_read(void)
{
    static const char *const rows[] = {
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"getAttr\",\"params\":[\"a\"]}",
        "{\"jsonrpc\":\"2.0\",\"id\":999999999999999,\"method\":\"getAttr\",\"params\":[\"a\",\"a longer name than sixteen\",\"a\"]}",
        "{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"rights\",\"params\":[]}",
        "{\"jsonrpc\":\"2.0\",\"id\":\"a text\",\"method\":\"describe\"}",
        "{\"jsonrpc\":\"2.0\",\"method\":\"setAttr\",\"params\":{\"a\":[1,{\"b\":null}],\"c\":-1.5e3}}",
        " { \"params\" : [ \"a\" , \"b\" ] ,\n\"method\":\"getAttr\",\t\"id\" : 7 , \"jsonrpc\" : \"2.0\" } \r\n",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"watch\",\"params\":[\"\\u0061\"]}",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"call\",\"params\":{\"name\":\"x\",\"args\":[\"\xc3\xa9\"]}}",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"getAttr\",\"params\":[1,\"a\"]}", /* a list, but of no names: kept as one */
    };
    size_t i;

    for (i = 0; i < MW_COUNT(rows); i++)
        CHECK(reads(rows[i]));
}

static void whatever_is_odd_or_wrong_is_left_to_be_parsed(void)
{
    static const char *const rows[] = {
        "", "{", "{}", "[]", "null", "\"", "{\"jsonrpc\":\"2.0\"}", "{\"jsonrpc\":\"2.0\",\"id\":1}",
        "{\"jsonrpc\":\"2.1\",\"id\":1,\"method\":\"getAttr\",\"params\":[\"a\"]}",
        "{\"jsonrpc\":2.0,\"id\":1,\"method\":\"getAttr\"}",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"getattr\"}",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"getAttr\",\"params\":\"a\"}",
        "{\"jsonrpc\":\"2.0\",\"id\":null,\"method\":\"getAttr\"}",
        "{\"jsonrpc\":\"2.0\",\"id\":1.0,\"method\":\"getAttr\"}",
        "{\"jsonrpc\":\"2.0\",\"id\":01,\"method\":\"getAttr\"}",
        "{\"jsonrpc\":\"2.0\",\"id\":-1,\"method\":\"getAttr\"}",
        "{\"jsonrpc\":\"2.0\",\"id\":1e3,\"method\":\"getAttr\"}",
        "{\"jsonrpc\":\"2.0\",\"id\":1000000000000000,\"method\":\"getAttr\"}",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"id\":2,\"method\":\"getAttr\"}",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"getAttr\",\"more\":1}",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"getAttr\"}}",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"getAttr\",}",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"getAttr\",\"params\":[\"a\",]}",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"getAttr\",\"params\":[\"a\"",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"getAttr\",\"params\":{\"a\":}}",
        "{\"jsonrpc\":\"2.0\",\"id\":\"\\n\",\"method\":\"getAttr\"}",
        "{\"jsonrpc\":\"2.0\",", "{\"jsonrpc\":\"2.0\",}", "{\"jsonrpc\":\"2.0\",\"", "{\"i\":1}", "{\"jsonrpc\":\"2.0\",\"i",
        "{\"jsonrpc\":\"2.0\",\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"getAttr\"}",
        "{\"jsonrpc\":\"2.0\",\"idx\":1,\"method\":\"getAttr\"}",
        "{\"\\u006asonrpc\":\"2.0\",\"id\":1,\"method\":\"getAttr\"}",
    };
    size_t i;

    for (i = 0; i < MW_COUNT(rows); i++)
        CHECK(!reads(rows[i]));
}

static void names_are_of_1_to_256_bytes_and_at_most_16(void)
{
    char text[8192], name[300];
    int count, i, used;

    memset(name, 'n', sizeof(name));
    for (count = 255; count <= 257; count++) { /* one that is too long is for the method to refuse: its list is kept as one */
        (void)snprintf(text, sizeof(text), "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"getAttr\",\"params\":[\"%.*s\"]}", count, name);
        CHECK(reads(text));
    }
    for (count = 15; count <= 17; count++) {
        used = snprintf(text, sizeof(text), "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"getAttr\",\"params\":[\"a\"");
        for (i = 1; i < count; i++)
            used += snprintf(text + used, sizeof(text) - (size_t)used, ",\"n%d\"", i);
        (void)snprintf(text + used, sizeof(text) - (size_t)used, "]}");
        CHECK(reads(text));
    }
}

/* Each byte of a request made another, and each beginning of it: where it is read nevertheless, it is what a parser reads. */
static void a_byte_that_is_another_is_seen(void)
{
    static const char request[] = "{\"jsonrpc\":\"2.0\",\"id\":12,\"method\":\"getAttr\",\"params\":[\"a\",\"longer than two words\"]}";
    static const char others[] = " \"\\{}[]:,0a\x01\x80";
    char text[sizeof(request)];
    size_t i, k;

    for (i = 0; i < sizeof(request) - 1; i++) {
        for (k = 0; k < sizeof(others) - 1; k++) {
            memcpy(text, request, sizeof(request));
            text[i] = others[k];
            (void)reads(text);
        }
        memcpy(text, request, i);
        text[i] = '\0';
        CHECK(!reads(text));
    }
}

static void without_memory_it_is_left_to_be_parsed(void)
{
    static const char request[] = "{\"jsonrpc\":\"2.0\",\"id\":\"an id longer than fits inside\",\"method\":\"setAttr\",\"params\":{\"a\":[1,2]}}";
    struct request r;
    bool is_read = false;
    int64_t n;

    for (n = 1; !is_read; n++) {
        (void)mw_memory_fail_at(n, false);
        is_read = request_read(request, sizeof(request) - 1, &limits, &r);
        (void)mw_memory_fail_at(0, false);
    }
    CHECK(n > 2);
    request_clear(&r);
}

static const struct mw_test tests[] = {
    TEST(requests_as_clients_write_them_are_read),
    TEST(whatever_is_odd_or_wrong_is_left_to_be_parsed),
    TEST(names_are_of_1_to_256_bytes_and_at_most_16),
    TEST(a_byte_that_is_another_is_seen),
    TEST(without_memory_it_is_left_to_be_parsed),
};

int main(int argc, char **argv)
{
    return mw_test_main(argc, argv, tests, MW_COUNT(tests));
}
