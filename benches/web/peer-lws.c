/* A peer of benches/web: libwebsockets, as its minimal examples use it. Echo. Compiled by run.py against the distribution's package.
 * SPDX-License-Identifier: MIT */
#include <libwebsockets.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* An echo that waits for its turn: libwebsockets takes one message per WRITEABLE. */
struct waiting {
    struct waiting *next;
    size_t count;
    enum lws_write_protocol how;
    unsigned char bytes[]; /* LWS_PRE free ones, then the message */
};

struct client {
    struct waiting *first, **last;
    struct waiting *part; /* of a message whose rest is still to come */
};

static int receive(struct lws *wsi, struct client *client, const void *bytes, size_t count)
{
    size_t before = client->part ? client->part->count : 0;
    struct waiting *w = realloc(client->part, sizeof *w + LWS_PRE + before + count);

    if (!w)
        return -1;
    w->next = NULL;
    w->count = before + count;
    w->how = lws_frame_is_binary(wsi) ? LWS_WRITE_BINARY : LWS_WRITE_TEXT;
    if (count > 0)
        memcpy(w->bytes + LWS_PRE + before, bytes, count);
    client->part = w;
    if (!lws_is_final_fragment(wsi) || lws_remaining_packet_payload(wsi) > 0)
        return 0;
    client->part = NULL;
    *client->last = w;
    client->last = &w->next;
    return lws_callback_on_writable(wsi) < 0 ? -1 : 0;
}

static int send_first(struct lws *wsi, struct client *client)
{
    struct waiting *w = client->first;
    int written;

    if (!w)
        return 0;
    written = lws_write(wsi, w->bytes + LWS_PRE, w->count, w->how);
    client->first = w->next;
    if (!client->first)
        client->last = &client->first;
    else
        (void)lws_callback_on_writable(wsi);
    if (written < (int)w->count) {
        free(w);
        return -1;
    }
    free(w);
    return 0;
}

static int on_event(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t count)
{
    struct client *client = user;
    struct waiting *w;

    switch ((int)reason) {
    case LWS_CALLBACK_ESTABLISHED:
        client->last = &client->first;
        return 0;
    case LWS_CALLBACK_RECEIVE:
        return receive(wsi, client, in, count);
    case LWS_CALLBACK_SERVER_WRITEABLE:
        return send_first(wsi, client);
    case LWS_CALLBACK_CLOSED:
        free(client->part);
        while ((w = client->first) != NULL) {
            client->first = w->next;
            free(w);
        }
        return 0;
    default:
        return 0;
    }
}

int main(void)
{
    static const struct lws_protocols protocols[] = {{.name = "echo", .callback = on_event, .per_session_data_size = sizeof(struct client),
                                                      .rx_buffer_size = 65536}, {.name = NULL}};
    const struct lws_context_creation_info info = {.port = 0, .iface = "127.0.0.1", .protocols = protocols, .pt_serv_buf_size = 131072, .gid = -1, .uid = -1,
                                                   .options = LWS_SERVER_OPTION_DISABLE_IPV6 | LWS_SERVER_OPTION_EXPLICIT_VHOSTS};
    struct lws_context *context;
    struct lws_vhost *vhost;

    lws_set_log_level(LLL_ERR, NULL);
    context = lws_create_context(&info);
    vhost = context ? lws_create_vhost(context, &info) : NULL;
    if (!vhost)
        return 1;
    printf("peer at http://localhost:%d/\n", lws_get_vhost_listen_port(vhost));
    (void)fflush(stdout);
    while (lws_service(context, 0) >= 0)
        ;
    return 1;
}
