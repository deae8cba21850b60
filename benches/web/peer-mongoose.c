/* A peer of benches/web: Mongoose, as its examples use it. Echo. Compiled by run.py against the sources that --mongoose names.
 * SPDX-License-Identifier: MIT */
#include "mongoose.h"

static void on_event(struct mg_connection *c, int event, void *data)
{
    if (event == MG_EV_HTTP_MSG) {
        mg_ws_upgrade(c, data, NULL);
    } else if (event == MG_EV_WS_MSG) {
        const struct mg_ws_message *message = data;

        mg_ws_send(c, message->data.buf, message->data.len, message->flags & 15);
    }
}

int main(void)
{
    struct mg_mgr manager;
    const struct mg_connection *listener;

    mg_log_set(MG_LL_ERROR);
    mg_mgr_init(&manager);
    listener = mg_http_listen(&manager, "http://127.0.0.1:0", on_event, NULL);
    if (!listener)
        return 1;
    printf("peer at http://localhost:%d/\n", (int)mg_ntohs(listener->loc.port));
    (void)fflush(stdout);
    for (;;)
        mg_mgr_poll(&manager, 1000);
}
