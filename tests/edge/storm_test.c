/* Many TLS handshakes at once: how many are let in and answered in a pass, and who is not dropped for them.
 * Not the handshake itself; that is src/tls. Read next: share_test.c.
 * SPDX-License-Identifier: MIT */
#include <openssl/ssl.h>

#include "harness.h"
#include "tls/tls.h"

enum { GUESTS = 40, AT_ONCE = 8 /* hellos answered in a pass */, UNDER_WAY = 16, HELLO_BYTES = 4096 };

/* A client whose bytes leave when the test says so. */
struct guest {
    SSL *ssl;
    int fd;
};

static struct poller *poller;
static struct edge *edge;
static struct tls_context *tls;
static SSL_CTX *rules;
static struct sockaddr_in to = {.sin_family = AF_INET};
static char folder[64], certificate[80], key[80];

static void route(void *context, const struct edge_request *request, struct edge_answer *answer)
{
    (void)context, (void)request, (void)answer;
}

static void start(void)
{
    static const char *const names[] = {"localhost"}, *const addresses[] = {"127.0.0.1"};
    static const struct edge_hooks hooks = {.route = route};
    const struct edge_listen listen = {.addresses = addresses, .address_count = 1, .is_tls = true};
    struct edge_options options = {.hooks = &hooks};
    struct edge_limits limits;
    uint16_t port;

    snprintf(folder, sizeof folder, "/tmp/storm_test.XXXXXX");
    CHECK(mkdtemp(folder) != NULL);
    snprintf(certificate, sizeof certificate, "%s/crt", folder);
    snprintf(key, sizeof key, "%s/key", folder);
    CHECK_INT(tls_make_self_signed(certificate, key, names, 1, NULL), 0);
    CHECK_INT(tls_context_load(certificate, key, &tls, NULL), 0);
    edge_limits_init(&limits);
    limits.value[EDGE_LIMIT_TLS_HANDSHAKES] = UNDER_WAY;
    CHECK_INT(poller_open(&poller), 0);
    options.poller = poller;
    options.limits = &limits;
    options.tls = tls;
    CHECK_INT(edge_open(&options, &edge, NULL), 0);
    CHECK_INT(edge_listen(edge, &listen, &port, NULL), 0);
    to.sin_port = htons(port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    rules = SSL_CTX_new(TLS_client_method());
    CHECK(rules != NULL);
}

static void end(void)
{
    edge_free(edge);
    poller_close(poller);
    tls_context_unref(tls);
    SSL_CTX_free(rules);
    (void)unlink(certificate);
    (void)unlink(key);
    (void)rmdir(folder);
}

/* What it has to say; returns bytes */
static int take_words(struct guest *g, char *ret_words)
{
    return BIO_read(SSL_get_wbio(g->ssl), ret_words, HELLO_BYTES);
}

static void guest_come(struct guest *g)
{
    char hello[HELLO_BYTES];
    int count;

    g->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(g->fd >= 0);
    CHECK_INT(connect(g->fd, (struct sockaddr *)&to, sizeof to), 0);
    g->ssl = SSL_new(rules);
    SSL_set_bio(g->ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    SSL_set_connect_state(g->ssl);
    CHECK_INT(SSL_do_handshake(g->ssl), -1);
    count = take_words(g, hello);
    CHECK_INT(send(g->fd, hello, (size_t)count, MSG_NOSIGNAL), count);
}

static void guest_go(struct guest *g)
{
    close(g->fd);
    SSL_free(g->ssl);
}

/* Let it hear what has come. returns whether its last word is ready to be said */
static bool hears_all(struct guest *g)
{
    char bytes[HELLO_BYTES];
    ssize_t n = recv(g->fd, bytes, sizeof bytes, MSG_DONTWAIT);

    if (n > 0)
        CHECK_INT(BIO_write(SSL_get_rbio(g->ssl), bytes, (int)n), n);
    return SSL_do_handshake(g->ssl) == 1;
}

static void no_more_are_let_in_than_hellos_are_answered_in_a_pass(void)
{
    struct guest guests[GUESTS];
    uint64_t before = 0;
    int i, passes = 0;

    start();
    for (i = 0; i < GUESTS; i++)
        guest_come(&guests[i]);
    for (; edge_stats(edge).accepted < GUESTS && passes < 100; passes++) {
        poller_run_once(poller, true);
        CHECK(edge_stats(edge).accepted <= before + AT_ONCE);
        before = edge_stats(edge).accepted;
    }
    CHECK_INT(edge_stats(edge).accepted, GUESTS);
    for (i = 0; i < GUESTS; i++)
        guest_go(&guests[i]);
    end();
}

static void whose_last_word_has_come_is_not_dropped_for_those_who_come_meanwhile(void)
{
    struct guest first, guests[GUESTS];
    char last[HELLO_BYTES];
    int i, count;

    start();
    guest_come(&first);
    for (i = 0; i < 1000 && !hears_all(&first); i++)
        poller_run_once(poller, false);
    poller_run_once(poller, false); /* the kernel forgets who came last, and names whoever comes first from here on */
    for (i = 0; i < GUESTS; i++) /* the server is held up, and they are too many to be under way at once */
        guest_come(&guests[i]);
    count = take_words(&first, last);
    CHECK(count > 0);
    CHECK_INT(send(first.fd, last, (size_t)count, MSG_NOSIGNAL), count);
    for (i = 0; edge_stats(edge).accepted < 1 + GUESTS && i < 100; i++)
        poller_run_once(poller, true);
    CHECK_INT(edge_stats(edge).tls_opened, 1);
    CHECK(edge_limits_of(edge)->hits[EDGE_LIMIT_TLS_HANDSHAKES] > 0);
    for (i = 0; i < GUESTS; i++)
        guest_go(&guests[i]);
    guest_go(&first);
    end();
}

int main(int argc, char **argv)
{
    static const struct mw_test tests[] = {
        TEST(no_more_are_let_in_than_hellos_are_answered_in_a_pass),
        TEST(whose_last_word_has_come_is_not_dropped_for_those_who_come_meanwhile),
    };
    return mw_test_main(argc, argv, tests, MW_COUNT(tests));
}
