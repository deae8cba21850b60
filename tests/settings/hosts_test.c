/* Which Host and which Origin are this server's own.
 * SPDX-License-Identifier: MIT */
#include "settings/hosts.h"

#include <errno.h>
#include <meshwork/base.h>

#include "check.h"

/* A server on port 8000 with WebSockets also on 6789, known by what people gave it. */
static void make(struct hosts *h, const char *const *names, size_t name_count)
{
    size_t i;

    hosts_init(h);
    CHECK_INT(hosts_add_own(h, NULL), 0);
    for (i = 0; i < name_count; i++)
        CHECK_INT(hosts_add(h, names[i], NULL), 0);
    hosts_add_port(h, 8000);
    hosts_add_port(h, 6789);
}

static void a_host_is_known_by_name_and_port(void)
{
    static const char *const names[] = {"lab.example.org", "proxy.example.org:9000", "https://front.example.org"};
    static const struct {
        const char *name;
        int port;
        bool is_ours;
    } rows[] = {
        {"localhost", 8000, true},
        {"localhost", 6789, true},
        {"LocalHost", 8000, true},
        {"localhost", -1, true}, /* without port: a client that knows better, or a proxy */
        {"127.0.0.1", 8000, true},
        {"[::1]", 8000, true},
        {"lab.example.org", 8000, true},
        {"proxy.example.org", 9000, true},
        {"proxy.example.org", 8000, false},
        {"front.example.org", -1, true},
        {"front.example.org", 443, true},
        {"front.example.org", 8000, false},
        {"localhost", 8001, false},
        {"localhost", 0, false},
        {"localhost.", 8000, false},
        {"localhost.evil.example", 8000, false},
        {"notlocalhost", 8000, false},
        {"evil.example", 8000, false},
        {"evil.example", -1, false},
        {"::1", 8000, false},
        {"", -1, false},
    };
    struct hosts h;
    size_t i;

    make(&h, names, MW_COUNT(names));
    for (i = 0; i < MW_COUNT(rows); i++) {
        if (hosts_knows(&h, rows[i].name, rows[i].port) != rows[i].is_ours)
            fprintf(stderr, "    row %zu: '%s' port %d\n", i, rows[i].name, rows[i].port);
        CHECK_INT(hosts_knows(&h, rows[i].name, rows[i].port), rows[i].is_ours);
    }
    hosts_clear(&h);
}

static void an_origin_is_allowed_byte_for_byte(void)
{
    static const char *const names[] = {"Lab.Example.ORG", "proxy.example.org:9000", "https://front.example.org"};
    static const struct {
        const char *origin;
        bool is_allowed;
    } rows[] = {
        {"http://localhost:8000", true},
        {"http://localhost:6789", true},
        {"http://127.0.0.1:8000", true},
        {"http://[::1]:8000", true},
        {"http://lab.example.org:8000", true},
        {"http://proxy.example.org:9000", true},
        {"https://front.example.org", true},
        {"http://LOCALHOST:8000", false}, /* no browser prints it so */
        {"http://localhost", false},      /* that is port 80 */
        {"https://localhost:8000", false},
        {"http://localhost:8000/", false},
        {"http://localhost:80000", false},
        {"http://localhost:8000.evil.example", false},
        {"http://localhost.evil.example:8000", false},
        {"http://evil.example", false},
        {"http://proxy.example.org:8000", false},
        {"https://front.example.org:443", false},
        {"http://front.example.org", false},
        {"null", false},
        {"", false},
        {"file://", false},
    };
    struct hosts h;
    size_t i;

    make(&h, names, MW_COUNT(names));
    for (i = 0; i < MW_COUNT(rows); i++) {
        if (hosts_allows_origin(&h, rows[i].origin) != rows[i].is_allowed)
            fprintf(stderr, "    row %zu: '%s'\n", i, rows[i].origin);
        CHECK_INT(hosts_allows_origin(&h, rows[i].origin), rows[i].is_allowed);
    }
    hosts_clear(&h);
}

static void the_port_of_the_scheme_is_not_printed_in_an_origin(void)
{
    struct hosts h;

    hosts_init(&h);
    CHECK_INT(hosts_add(&h, "lab", NULL), 0);
    hosts_add_port(&h, 80);
    CHECK(hosts_allows_origin(&h, "http://lab"));
    CHECK(!hosts_allows_origin(&h, "http://lab:80"));
    CHECK(hosts_knows(&h, "lab", -1));
    CHECK(hosts_knows(&h, "lab", 80));
    hosts_clear(&h);
}

static void what_is_no_name_is_refused_with_a_reason(void)
{
    static const char *const bad[] = {"",        "a b",    "http://",        "a/b", "a:0", "a:99999", "a:b", "[::1",
                                      "a\nb",    "*",      "*.example.org",  "ftp://a", "[zz]", "user@host", "-a"};
    struct hosts h;
    size_t i;

    hosts_init(&h);
    for (i = 0; i < MW_COUNT(bad); i++) {
        struct mw_error error = {0};

        if (hosts_add(&h, bad[i], &error) != -EINVAL)
            fprintf(stderr, "    '%s'\n", bad[i]);
        CHECK_INT(error.code, -EINVAL);
        CHECK(error.text[0] != '\0');
    }
    CHECK_INT(h.name_count, 0);
    hosts_clear(&h);
}

static void addresses_have_one_form(void)
{
    struct hosts h;

    hosts_init(&h);
    CHECK_INT(hosts_add(&h, "0:0:0:0:0:0:0:1", NULL), 0);
    CHECK_INT(hosts_add(&h, "[::1]", NULL), 0);
    CHECK_INT(hosts_add(&h, "::1", NULL), 0);
    CHECK_INT(hosts_add(&h, "[2001:DB8::1]:9000", NULL), 0);
    CHECK_INT(h.name_count, 2);
    CHECK_TEXT(h.names[0].name, "[::1]");
    CHECK_TEXT(h.names[1].name, "[2001:db8::1]");
    CHECK_INT(h.names[1].port, 9000);
    hosts_clear(&h);
}

int main(int argc, char **argv)
{
    static const struct mw_test tests[] = {
        TEST(a_host_is_known_by_name_and_port),
        TEST(an_origin_is_allowed_byte_for_byte),
        TEST(the_port_of_the_scheme_is_not_printed_in_an_origin),
        TEST(what_is_no_name_is_refused_with_a_reason),
        TEST(addresses_have_one_form),
    };

    return mw_test_main(argc, argv, tests, MW_COUNT(tests));
}
