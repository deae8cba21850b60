/* One thread's loop, and what takes its turn in it.
 * SPDX-License-Identifier: MIT */
#include "server/reactor.h"

#include <errno.h>
#include <pthread.h>

#include "base/memory.h"
#include "server/login.h"

#define LOOK_BEHIND_NS INT64_C(20000000) /* between two looks at clients that read slowly */

void reactor_init(struct reactor *r, struct mw_server *server)
{
    *r = (struct reactor){.server = server, .drain_step_ns = -1};
    mw_list_init(&r->bridges);
    mw_list_init(&r->behind);
    mw_list_init(&r->hurried);
    r->app_alarm.due_ns = r->other_alarm.due_ns = MW_FOREVER;
}

/* Being awake is all that a timer is for: the turn follows. */
static void alarm_due(void *context)
{
    struct alarm *alarm = context;

    alarm->due_ns = MW_FOREVER;
}

void alarm_set(struct alarm *alarm, int64_t due_ns)
{
    if (alarm->due_ns == due_ns) /* as in most turns */
        return;
    alarm->due_ns = due_ns;
    poller_timer_set(alarm->timer, due_ns);
}

int reactor_open(struct reactor *r, void (*woken)(void *context), struct mw_error *ret_error)
{
    struct poller_wake *wake = NULL;
    int err = poller_open(&r->poller);

    r->host.poller = r->poller;
    r->apps = mw_alloc_zeroed(r->server->app_count, sizeof(struct app *));
    if (err == 0 && !r->apps)
        err = -ENOMEM;
    if (err == 0)
        err = poller_timer_new(r->poller, alarm_due, &r->app_alarm, &r->app_alarm.timer);
    if (err == 0)
        err = poller_timer_new(r->poller, alarm_due, &r->other_alarm, &r->other_alarm.timer);
    if (err == 0)
        err = poller_wake_new(r->poller, woken, r, &wake);
    atomic_store(&r->wake, wake);
    return err == 0 ? 0 : mw_fail(ret_error, err, "open an event loop: %s", mw_strerror(err));
}

void reactor_stop(struct reactor *r)
{
    size_t i;

    edge_stop_listening(r->edge);
    r->drain_step_ns = -1; /* a drain leaves nothing to do */
    for (i = 0; i < r->server->app_count; i++)
        if (r->apps[i])
            app_say_bye(r->apps[i], "stopping");
    edge_close_all(r->edge, 1001, "stopping");
}

void reactor_end(struct reactor *r)
{
    size_t i;

    for (i = 0; r->apps && i < r->server->app_count; i++) {
        app_free(r->apps[i]);
        r->apps[i] = NULL;
    }
    login_forget(r);
    (void)host_end(&r->host); /* an app that leaves children running has them killed */
}

void reactor_close(struct reactor *r)
{
    reactor_end(r);
    poller_timer_free(r->app_alarm.timer);
    poller_timer_free(r->other_alarm.timer);
    poller_wake_free(atomic_load(&r->wake));
    poller_close(r->poller);
    mw_free(r->apps);
    mw_free(r->found);
    reactor_init(r, r->server);
}

void reactor_wake(void *context)
{
    struct reactor *r = context;

    if (atomic_load(&r->thread) == (unsigned long)pthread_self())
        poller_again(r->poller);
    else
        poller_wake(atomic_load(&r->wake));
}

void reactor_dump(struct reactor *r, int fd)
{
    const mw_server *server = r->server;
    size_t i;

    for (i = 0; i < server->app_count; i++) {
        if (!r->apps[i])
            continue;
        log_line(&r->server->log, "what the tasklets of '%s' are doing%s:", server->apps[i]->name,
                 r == &server->reactor ? "" : " on a worker");
        app_dump(r->apps[i], fd);
    }
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

bool reactor_turn(struct reactor *r, int64_t now_ns, int64_t *io_due_ns)
{
    int64_t app_due_ns = MW_FOREVER;
    bool is_more = false;
    size_t i;

    bridge_look_behind(r);
    login_start(r);
    *io_due_ns = earlier(*io_due_ns, gate_turn(r, now_ns));
    *io_due_ns = earlier(*io_due_ns, bridge_look_hurried(r, now_ns));
    for (i = 0; i < r->server->app_count; i++) {
        if (!r->apps[i])
            continue;
        is_more = app_turn(r->apps[i], now_ns) || is_more;
        app_due_ns = earlier(app_due_ns, app_next_deadline(r->apps[i]));
    }
    if (!mw_list_is_empty(&r->behind))
        *io_due_ns = earlier(*io_due_ns, now_ns + LOOK_BEHIND_NS);
    alarm_set(&r->app_alarm, app_due_ns);
    return is_more;
}
