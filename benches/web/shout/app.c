/* What one client says, all hear: the app of the broadcasts of benches/web.
 * SPDX-License-Identifier: MIT */
#include <meshwork/meshwork.h>

static int shout(mw_client *client, mw_value message)
{
    int heard = mw_broadcast(mw_client_instance(client), NULL, mw_share(message));

    return heard < 0 ? heard : 0;
}

MW_EXPORT const mw_app mw_app_descriptor = {
    .abi = MW_ABI,
    .size = sizeof(mw_app),
    .name = "shout",
    .receive = shout,
};
