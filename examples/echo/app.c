/* Echo: every message goes back as it came, text or binary, byte for byte.
 * Not an app with attributes; that is examples/hello. Read next: include/meshwork/app.h, receive_raw.
 * SPDX-License-Identifier: MIT */
#include <meshwork/meshwork.h>

/* Instead of `receive`: nothing is parsed, nothing is answered by the server itself. */
static int echo_receive_raw(mw_client *client, enum mw_frame kind, const void *bytes, size_t byte_count)
{
    return mw_client_send_raw(client, kind, bytes, byte_count);
}

MW_EXPORT const mw_app mw_app_descriptor = {
    .abi = MW_ABI,
    .size = sizeof(mw_app),
    .name = "echo",
    .receive_raw = echo_receive_raw,
};
