/* Sockets that a service manager has opened for us: sd_listen_fds(3). Read next: activation.c.
 * SPDX-License-Identifier: MIT */
#ifndef CLI_ACTIVATION_H
#define CLI_ACTIVATION_H

#include <meshwork/server.h>

/* Hand them to the server, those called "ws" (FileDescriptorName=ws) for WebSockets alone, and take LISTEN_* out of the environment.
 * returns  0, also where there are none; what mw_server_take_listener said */
int activation_take(mw_server *server, struct mw_error *ret_error);

#endif
