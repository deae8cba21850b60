/* Who sends to whom, and how much: a mesh that draws itself. To see it: 10-graph | dot -Tsvg >mesh.svg
 * SPDX-License-Identifier: MIT */
#include <meshwork/graph.h>

#include <stdio.h>

static int count_down(mw_tasklet *self, void *target)
{
    mw_value n;

    while (mw_receive(self, &n))
        for (int64_t i = n.as.integer; i > 0; i--)
            mw_send(target, mw_int(i));
    return 0;
}

struct outputs {
    mw_tasklet *even, *odd;
};

static int sort(mw_tasklet *self, void *scope, mw_value n)
{
    const struct outputs *to = scope;

    (void)self;
    return mw_send(n.as.integer % 2 ? to->odd : to->even, n);
}

int main(void)
{
    struct outputs to = {mw_tasklet_new(NULL, NULL), mw_tasklet_new(NULL, NULL)};
    mw_tasklet *source;
    mw_value dot;

    if (mw_tasklet_set_name(to.even, "even") < 0 || mw_tasklet_set_name(to.odd, "odd") < 0)
        return 1;
    source = mw_tasklet_new(count_down, mw_handler_new(sort, &to));
    if (mw_graph_start(mw_implicit_scheduler(), 1) < 0) /* every send; 64 costs less and says the same of much traffic */
        return 1;
    mw_send(source, mw_int(15));
    mw_run();
    dot = mw_graph_dot(mw_implicit_scheduler());
    printf("%s", mw_get_text(&dot, NULL));
    mw_release(dot);
    mw_thread_end();
    return 0;
}
