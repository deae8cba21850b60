/* Rights that changed: the clients that have them are told, and what was withheld from watchers is judged again.
 * Not which rights those are; that is audience.c. Read next: watch.c.
 * SPDX-License-Identifier: MIT */
#include "app/app_priv.h"
#include "app/print.h"

static void print_rights(struct mw_buffer *b, const struct audience *audience)
{
    size_t byte_count;
    const char *rights = mw_get_text(&audience->rights, &byte_count); /* of two bytes or more, and a NUL */

    print_literal(b, "{\"jsonrpc\":\"2.0\",\"method\":\"rights\"");
    if (rights[0] == '{') { /* else there are too many to say */
        print_literal(b, ",\"params\":");
        (void)mw_buffer_append(b, rights, byte_count);
    }
    print_literal(b, "}");
}

/* only  NULL: to all of the audience */
static void tell_rights(mw_instance *instance, const struct audience *audience, const mw_client *only)
{
    struct scratch *s = scratch_take(instance->app);
    mw_client *client;

    if (s)
        print_rights(&s->out, audience);
    for (client = client_walk(instance, NULL); client; client = client_walk(instance, client)) {
        if (client->audience != audience || (only && client != only) || client->manner != APP_MANNER_V1 ||
            !client->is_greeted)
            continue;
        if (client->sink && client->sink->rights_changed)
            client->sink->rights_changed(client->connection);
        if (!s || s->out.error) /* no memory just now: it hears of its rights when it comes back */
            client_abort(client);
        else
            (void)client_put(client, MW_FRAME_TEXT, s->out.data, s->out.count); /* a failure closes it */
    }
    if (s)
        scratch_give(instance->app, s);
}

/* Watches that were withheld may be told now. */
static void judge_client_again(mw_client *client)
{
    const struct watcher *r = client->watcher;
    size_t i;

    for (i = 0; i < r->count; i++)
        if (r->watches[i]->revision != client->instance->slots[r->watches[i]->index].revision)
            watch_mark_dirty(r->watches[i]);
}

static void judge_again(mw_instance *instance, const struct audience *audience)
{
    struct mw_link *link;

    for (link = instance->clients.head.next; link != &instance->clients.head; link = link->next) {
        mw_client *client = MW_CONTAINER_OF(link, mw_client, link);

        if (client->audience == audience)
            judge_client_again(client);
    }
}

void watch_follow_rights(mw_instance *instance)
{
    struct mw_link *link = instance->audiences.head.next;

    while (link != &instance->audiences.head) {
        struct audience *audience = MW_CONTAINER_OF(link, struct audience, link);

        audience->client_count++; /* it stays while its clients are told, some of whom may go */
        if (audience_is_stale(instance, audience)) {
            if (audience_refresh(instance, audience) > 0)
                tell_rights(instance, audience, NULL);
            judge_again(instance, audience);
        }
        link = link->next;
        audience_leave(instance, audience);
    }
}

void watch_follow_identity(mw_client *client)
{
    tell_rights(client->instance, client->audience, client);
    judge_client_again(client);
}
