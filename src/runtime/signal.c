/* Signals as items. How one is caught is the poller's.
 * Not those that a server or a program handles; the library takes none that nobody asked for. Read next: poller.c.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <pthread.h>
#include <signal.h>

#include "base/memory.h"
#include "runtime/host.h"
#include "tasklet/bond.h"

enum { SIGNALS = 65 }; /* numbers 1 to 64 */

/* A tasklet that gets one. */
struct signal_to {
    struct mw_bond bond;
    struct signal_to *next; /* of its host's */
    struct runtime_host *host;
    mw_tasklet *told;
    struct poller_signal *watch;
    int number;
    mw_value item; /* made beforehand: a signal must not be lost for want of memory */
};

/* What a signal does is the process's. Whether a handler is ours nobody else can tell: so they are counted. */
static struct {
    pthread_mutex_t lock;
    unsigned counts[SIGNALS];
} taken = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* May it become an item? */
static bool is_for_items(int number)
{
    switch (number) {
    case SIGKILL:
    case SIGSTOP:
    case SIGSEGV:
    case SIGBUS:
    case SIGILL:
    case SIGFPE:
    case SIGABRT:
        return false;
    default:
        return number > 0 && number < SIGNALS;
    }
}

static bool is_handled_by_others(int number)
{
    struct sigaction now;

    if (taken.counts[number] > 0 || sigaction(number, NULL, &now) < 0)
        return false; /* one that there is not is refused where it is to be caught */
    return (now.sa_flags & SA_SIGINFO) != 0 || (now.sa_handler != SIG_DFL && now.sa_handler != SIG_IGN);
}

static void caught(void *context)
{
    struct signal_to *s = context;

    (void)mw_send_at(s->told, mw_share(s->item), 0); /* one that is finished has nobody to be told */
}

static int take(struct signal_to *s)
{
    int err;

    (void)pthread_mutex_lock(&taken.lock); /* of default attributes: fails only where memory is broken */
    err = is_handled_by_others(s->number) ? -EBUSY : poller_signal_new(s->host->poller, s->number, caught, s, &s->watch);
    if (err == 0)
        taken.counts[s->number]++;
    (void)pthread_mutex_unlock(&taken.lock);
    return err;
}

/* Also one that is half made: it has not been taken, or has no bond. */
static void signal_free(struct signal_to *s)
{
    struct signal_to **at = &s->host->signals;

    while (*at && *at != s)
        at = &(*at)->next;
    if (*at)
        *at = s->next;
    if (s->watch) {
        (void)pthread_mutex_lock(&taken.lock); /* as above */
        poller_signal_free(s->watch);
        taken.counts[s->number]--;
        (void)pthread_mutex_unlock(&taken.lock);
    }
    mw_link_remove(&s->bond.link);
    mw_release(s->item);
    mw_free(s);
}

static void told_is_gone(struct mw_bond *bond)
{
    signal_free(MW_CONTAINER_OF(bond, struct signal_to, bond));
}

static struct signal_to *find(const struct runtime_host *host, const mw_tasklet *told, int number)
{
    struct signal_to *s = host->signals;

    while (s && (s->told != told || s->number != number))
        s = s->next;
    return s;
}

int mw_signal_to(mw_tasklet *told, int signal)
{
    LIVE_CHECK(told);
    struct runtime_host *host = mw_tasklet_host(told);
    struct signal_to *s;
    int err;

    if (!told || !is_for_items(signal))
        return -EINVAL;
    if (!host)
        return -ENOTSUP;
    if (find(host, told, signal))
        return -EEXIST;
    s = mw_alloc_zeroed(1, sizeof(*s));
    if (!s)
        return -ENOMEM;
    *s = (struct signal_to){.host = host, .told = told, .number = signal, .item = mw_map_new()};
    err = mw_map_set(&s->item, "signal", mw_int(signal));
    if (err == 0)
        err = mw_bond_begin(told, &s->bond, told_is_gone);
    if (err == 0)
        err = take(s);
    if (err < 0) {
        signal_free(s);
        return err;
    }
    s->next = host->signals;
    host->signals = s;
    return 0;
}

int mw_unsignal(mw_tasklet *told, int signal)
{
    LIVE_CHECK(told);
    struct runtime_host *host = mw_tasklet_host(told);
    struct signal_to *s;

    if (!told || !is_for_items(signal))
        return -EINVAL;
    s = host ? find(host, told, signal) : NULL;
    if (!s)
        return 0;
    signal_free(s);
    return 1;
}
