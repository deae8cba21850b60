/* How clients share the thread: whose message is heard when. The order, never the time.
 * Read next: harness.h.
 * SPDX-License-Identifier: MIT */
#include "harness.h"

#include <netinet/tcp.h>

enum { SHARE = 16, MOST_AT_ONCE = 8 /* shares that all together have as they come */ };

/* A message that begins with a letter takes as many shares as that is often in letters. */
static void world_share(struct world *w, const char *letters)
{
    world_init(w);
    w->echoes = false;
    w->limits.value[EDGE_LIMIT_SHARE] = SHARE;
    for (; *letters; letters++)
        w->steps_by_letter[(unsigned char)*letters] += SHARE;
    world_open(w);
}

/* Each letter is a message; all of them are there before any is read. */
static void client_letters(struct client *c, const char *letters)
{
    struct mw_buffer out;

    mw_buffer_init(&out, 1 << 16);
    for (; *letters; letters++)
        frame_append(&out, WEBSOCKET_TEXT, true, letters, 1);
    client_send(c, out.data, out.count);
    mw_buffer_clear(&out);
}

static void clients_open(struct client *clients, size_t count, struct world *w)
{
    const int yes = 1;
    size_t i;

    for (i = 0; i < count; i++) {
        client_open(&clients[i], w);
        CHECK_INT(setsockopt(clients[i].fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes), 0);
        (void)client_upgrade(&clients[i]);
    }
    poller_run_once(w->poller, false); /* the kernel forgets who came last, and names them in the order in which they will send */
}

static void clients_close(struct client *clients, size_t count)
{
    while (count-- > 0)
        client_close(&clients[count]);
}

static void who_has_had_a_share_goes_on_once_others_have_had_their_turn(void)
{
    struct world w;
    struct client c[2];

    world_share(&w, "A");
    clients_open(c, 2, &w);
    client_letters(&c[0], "AAA");
    client_letters(&c[1], "b");
    CLIENT_UNTIL(&c[0], w.heard_count == 4);
    CHECK_TEXT(w.heard, "AbAA");
    CHECK_INT(edge_limits_of(w.edge)->hits[EDGE_LIMIT_SHARE], 3);
    clients_close(c, 2);
    world_close(&w);
}

static void who_has_little_to_do_waits_for_one_of_many_who_have_much(void)
{
    struct world w;
    struct client c[4];
    int i;

    world_share(&w, "AABBCC");
    clients_open(c, 4, &w);
    client_letters(&c[0], "AAAA");
    client_letters(&c[1], "BBBB");
    client_letters(&c[2], "CCCC");
    for (i = 0; i < 4; i++) {
        poller_run_once(w.poller, false);
        client_letters(&c[3], "d");
    }
    CLIENT_UNTIL(&c[0], w.heard_count == 16);
    CHECK_TEXT(w.heard, "ABCA" /* all that came at first, then one */ "dB" "dC" "dA" "dB" "CABC");
    clients_close(c, 4);
    world_close(&w);
}

static void who_asks_for_half_as_much_has_twice_as_many_turns(void)
{
    struct world w;
    struct client c[2];

    world_share(&w, "AAB");
    clients_open(c, 2, &w);
    client_letters(&c[0], "AAAA");
    client_letters(&c[1], "BBBBBBB");
    CLIENT_UNTIL(&c[0], w.heard_count == 11);
    CHECK_TEXT(w.heard, "AB" "BAB" "BAB" "BAB");
    clients_close(c, 2);
    world_close(&w);
}

static void who_has_had_a_share_waits_for_nobody_where_nobody_else_comes(void)
{
    struct world w;
    struct client c;
    int passes = 0;

    world_share(&w, "AAAAAAAAAAAAAAAA");
    clients_open(&c, 1, &w);
    client_letters(&c, "AAAAA");
    for (; w.heard_count < 5 && passes < 100; passes++)
        poller_run_once(w.poller, false);
    CHECK_TEXT(w.heard, "AAAAA");
    CHECK(passes <= 5);
    clients_close(&c, 1);
    world_close(&w);
}

static void of_many_that_come_at_once_the_later_wait_for_the_next_pass_in_order(void)
{
    enum { CLIENTS = 3 * MOST_AT_ONCE };
    struct world w;
    struct client c[CLIENTS];
    char letter[2] = "A", want[CLIENTS + 1] = "";
    int i;

    world_share(&w, "ABCDEFGHIJKLMNOPQRSTUVWX");
    clients_open(c, CLIENTS, &w);
    for (i = 0; i < CLIENTS; i++, letter[0]++) {
        client_letters(&c[i], letter);
        want[i] = letter[0];
    }
    poller_run_once(w.poller, false);
    CHECK_INT(w.heard_count, 2 * MOST_AT_ONCE); /* as they came, then of those that waited */
    poller_run_once(w.poller, false);
    CHECK_TEXT(w.heard, want);
    CHECK_INT(edge_stats(w.edge).put_off, CLIENTS - MOST_AT_ONCE);
    clients_close(c, CLIENTS);
    world_close(&w);
}

/* The parts of a large message take little; what it asks for may take much. */
static void who_has_sent_much_of_a_message_waits_with_those_that_had_a_share(void)
{
    enum { BYTES = 200000, FIRST = 150000 };
    struct world w;
    struct client c[2];
    struct mw_buffer large;
    char *text = mw_alloc(BYTES);

    world_init(&w);
    w.echoes = false;
    world_open(&w);
    clients_open(c, 2, &w);
    memset(text, 'L', BYTES);
    mw_buffer_init(&large, 1 << 20);
    frame_append(&large, WEBSOCKET_TEXT, true, text, BYTES);
    client_send(&c[0], large.data, FIRST);
    CLIENT_UNTIL(&c[0], edge_stats(w.edge).bytes_in > FIRST);
    client_send(&c[0], large.data + FIRST, large.count - FIRST);
    client_letters(&c[1], "b");
    CLIENT_UNTIL(&c[0], w.heard_count == 2);
    CHECK_TEXT(w.heard, "bL");
    CHECK(edge_stats(w.edge).put_off >= 1);
    mw_buffer_clear(&large);
    mw_free(text);
    clients_close(c, 2);
    world_close(&w);
}

static void who_goes_while_waiting_leaves_nothing_behind(void)
{
    struct world w;
    struct client c[3];

    world_share(&w, "AAABBB");
    clients_open(c, 3, &w);
    client_letters(&c[0], "AAA");
    client_letters(&c[1], "BBB");
    poller_run_once(w.poller, false);
    edge_connection_drop(w.seats[0].connection);
    edge_connection_close(w.seats[1].connection, 1000, NULL);
    CLIENT_UNTIL(&c[0], c[0].has_ended);
    CHECK_TEXT(w.heard, "ABA");
    client_letters(&c[2], "c");
    CLIENT_UNTIL(&c[2], strcmp(w.heard, "ABAc") == 0);
    clients_close(c, 3);
    world_close(&w);
}

/* ---- what nobody has asked for -------------------------------------------------------------------------- */
enum { TOLD = 24 };

/* A share is one write: so many are left in a pass to those who have not asked. */
static void world_of_told(struct world *w, struct client *clients)
{
    world_share(w, "");
    clients_open(clients, TOLD, w);
    for (int i = 0; i < 10; i++)
        client_step(&clients[0]); /* the answers to the upgrades have left */
}

static void tell_all(struct world *w, const char *text)
{
    size_t i;

    for (i = 0; i < w->seat_count; i++)
        CHECK_INT(edge_connection_send(w->seats[i].connection, EDGE_TEXT, text, strlen(text)), 0);
}

static void what_many_are_told_at_once_leaves_over_several_passes_in_order(void)
{
    struct world w;
    struct client c[TOLD];
    uint64_t before;
    int pass, i;

    world_of_told(&w, c);
    before = edge_stats(w.edge).writes;
    tell_all(&w, "news");
    for (pass = 1; pass <= TOLD; pass++) {
        CHECK_INT(poller_timeout_ms(w.poller), 0); /* there is more to do */
        poller_run_once(w.poller, false);
        CHECK_INT(edge_stats(w.edge).writes, before + (uint64_t)pass);
        CHECK_INT(edge_stats(w.edge).told_later, pass < TOLD ? pass : TOLD - 1);
        client_read(&c[pass - 1]);
        check_message(&c[pass - 1], WEBSOCKET_TEXT, "news", 4);
    }
    CHECK_INT(edge_stats(w.edge).queued_bytes, 0);
    for (i = 0; i < TOLD; i++)
        CHECK_INT(c[i].at, c[i].in.count);
    clients_close(c, TOLD);
    world_close(&w);
}

static void who_asks_meanwhile_is_answered_before_them(void)
{
    struct world w;
    struct client c[TOLD], *last = &c[TOLD - 1];

    world_of_told(&w, c);
    w.echoes = true;
    tell_all(&w, "news");
    client_letters(last, "q");
    CLIENT_UNTIL(last, w.seats[TOLD - 1].messages == 1);
    client_read(last);
    check_message(last, WEBSOCKET_TEXT, "news", 4); /* it was told that first */
    check_message(last, WEBSOCKET_TEXT, "q", 1);
    CHECK(edge_stats(w.edge).queued_bytes > 0);
    clients_close(c, TOLD);
    world_close(&w);
}

static void who_goes_before_being_told_leaves_nothing_behind(void)
{
    struct world w;
    struct client c[TOLD];
    int i;

    world_of_told(&w, c);
    tell_all(&w, "news");
    for (i = 0; i < TOLD; i += 2)
        edge_connection_drop(w.seats[i].connection);
    edge_connection_close(w.seats[1].connection, 1001, "stopping");
    CLIENT_UNTIL(&c[TOLD - 1], c[TOLD - 1].in.count > c[TOLD - 1].at);
    check_message(&c[TOLD - 1], WEBSOCKET_TEXT, "news", 4);
    for (i = 0; i < TOLD; i += 2)
        CHECK_INT(w.seats[i].closed_count, 1);
    CHECK_INT(edge_stats(w.edge).queued_bytes, 0);
    clients_close(c, TOLD);
    world_close(&w);
}

static void use_up_a_share(struct world *w)
{
    CHECK(edge_has_room(w->edge));
    edge_worked(w->edge, SHARE - 1);
    CHECK(edge_has_room(w->edge));
    edge_worked(w->edge, 1);
    CHECK(!edge_has_room(w->edge));
}

static void tell_one(struct world *w)
{
    CHECK(edge_has_room(w->edge));
    CHECK_INT(edge_connection_send(w->seats[0].connection, EDGE_TEXT, "news", 4), 0);
    CHECK(!edge_has_room(w->edge)); /* one is what a pass writes here */
}

static void a_turn_has_room_until_it_has_had_its_share_or_enough_wait_to_be_written(void)
{
    static void (*const turns[])(struct world *) = {use_up_a_share, tell_one, use_up_a_share, tell_one};
    struct world w;
    struct client c;
    size_t i;

    world_share(&w, "");
    clients_open(&c, 1, &w);
    for (i = 0; i < MW_COUNT(turns); i++) {
        edge_worked(w.edge, 3 * SHARE); /* what was done before is no part of the turn */
        w.in_turn = turns[i];
        poller_again(w.poller);
        CLIENT_UNTIL(&c, w.in_turn == NULL);
    }
    check_message(&c, WEBSOCKET_TEXT, "news", 4);
    check_message(&c, WEBSOCKET_TEXT, "news", 4);
    clients_close(&c, 1);
    world_close(&w);
}

int main(int argc, char **argv)
{
    static const struct mw_test tests[] = {
        TEST(who_has_had_a_share_goes_on_once_others_have_had_their_turn),
        TEST(who_has_little_to_do_waits_for_one_of_many_who_have_much),
        TEST(who_asks_for_half_as_much_has_twice_as_many_turns),
        TEST(who_has_had_a_share_waits_for_nobody_where_nobody_else_comes),
        TEST(of_many_that_come_at_once_the_later_wait_for_the_next_pass_in_order),
        TEST(who_has_sent_much_of_a_message_waits_with_those_that_had_a_share),
        TEST(who_goes_while_waiting_leaves_nothing_behind),
        TEST(what_many_are_told_at_once_leaves_over_several_passes_in_order),
        TEST(who_asks_meanwhile_is_answered_before_them),
        TEST(who_goes_before_being_told_leaves_nothing_behind),
        TEST(a_turn_has_room_until_it_has_had_its_share_or_enough_wait_to_be_written),
    };
    return mw_test_main(argc, argv, tests, MW_COUNT(tests));
}
