/* Two tasklets that target each other, ten thousand rounds: a send never calls, so nothing is nested.
 * Not who drives them in a larger mesh; that is 03-mesh.c. Read next: 03-mesh.c.
 * SPDX-License-Identifier: MIT */
#include <meshwork/tasklet.h>

#include <stdio.h>

#define LOOPS 10000

static int first(mw_tasklet *self, void *scope)
{
    mw_tasklet *target = scope;
    mw_value item;
    int64_t i;

    while (mw_receive(self, &item)) {
        if (mw_get_int(item, &i) < 0)
            continue;
        i++;
        if (i > LOOPS)
            printf("%s has %lld\n", mw_tasklet_name(self), (long long)i);
        mw_send(target, mw_int(i));
    }
    return 0;
}

static int second(mw_tasklet *self, void *scope)
{
    mw_tasklet *target = scope;
    mw_value item;

    while (mw_receive(self, &item))
        mw_send(target, item);
    return 0;
}

int main(void)
{
    mw_tasklet *a = mw_tasklet_new(first, NULL); /* its target comes in a second */
    mw_tasklet *b = mw_tasklet_new(second, a);
    int i;

    if (!a || !b)
        return 1;
    mw_rescope(a, (mw_scope){.data = b});
    mw_send(a, mw_int(1));
    for (i = 0; i < LOOPS; i++) {
        mw_next(a);
        mw_next(b);
    }
    mw_tasklet_free(a);
    mw_tasklet_free(b);
    return 0;
}
