/* All of Meshwork's public headers at once.
 * SPDX-License-Identifier: MIT */
#ifndef MESHWORK_MESHWORK_H
#define MESHWORK_MESHWORK_H

#include <meshwork/app.h>
#include <meshwork/base.h>
#include <meshwork/exposable.h>
#include <meshwork/graph.h>
#include <meshwork/json.h>
#include <meshwork/runtime.h>
#include <meshwork/scheduler.h>
#include <meshwork/server.h>
#include <meshwork/users.h>
#include <meshwork/tasklet.h>
#include <meshwork/value.h>

#endif
