/* Tasklets in a program that has a loop of its own: it polls one descriptor more, and the runtime takes over nothing. Here the loop reads an
 * instrument and hands on what it reads; a coroutine waits in its middle, for readings and for a time, while the loop goes on.
 * SPDX-License-Identifier: MIT */
#include <meshwork/runtime.h>

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

/* Averages four readings, lets the heater rest for 5 ms, begins again. */
static int control(mw_tasklet *self, void *scope)
{
    mw_value reading;
    int64_t sum = 0;
    int count = 0;

    while (mw_receive(self, &reading)) {
        sum += reading.as.integer;
        if (++count < 4)
            continue;
        printf("average %" PRId64 "\n", sum / count);
        sum = count = 0;
        (void)mw_sleep_until(self, mw_clock(self) + 5000000);
        printf("rested\n");
    }
    printf("control has ended\n");
    mw_runtime_stop(scope);
    return 0;
}

/* The instrument: eight readings, a byte each, then its end. */
static int instrument(void)
{
    static const unsigned char readings[] = {18, 19, 20, 23, 21, 22, 22, 23};
    int ends[2];

    if (pipe(ends) < 0 || write(ends[1], readings, sizeof readings) != sizeof readings)
        return -1;
    close(ends[1]);
    return ends[0];
}

int main(void)
{
    mw_runtime_options options = {.size = sizeof(options), .workers = 1, .is_embedded = true};
    struct mw_error error = {0};
    unsigned char reading;
    mw_runtime *rt;

    if (mw_runtime_open(&options, &rt, &error) < 0) {
        fprintf(stderr, "%s\n", error.text);
        return 1;
    }
    mw_scheduler *mesh = mw_runtime_mesh(rt, 0), *outside = mw_scheduler_enter(mesh);
    mw_tasklet *controller = mw_tasklet_new(control, rt);
    mw_scheduler_leave(outside);
    if (!controller || mw_runtime_start(rt, mesh) < 0)
        return 1;

    struct pollfd fds[] = {{.fd = instrument(), .events = POLLIN}, {.fd = mw_runtime_fd(rt), .events = POLLIN}};
    int goes_on = 1;
    while (goes_on == 1) { /* the program's own loop */
        int64_t ns = mw_runtime_timeout_ns(rt);

        poll(fds, 2, ns == MW_FOREVER ? -1 : (int)((ns + 999999) / 1000000)); /* rounded up: never too early */
        if (fds[0].fd >= 0 && fds[0].revents) {
            if (read(fds[0].fd, &reading, 1) == 1) {
                mw_send(controller, mw_int(reading)); /* directly: this thread is worker 0 */
            } else {
                mw_finish(controller); /* no more comes: end when all is done */
                close(fds[0].fd);
                fds[0].fd = -1;
            }
        }
        goes_on = mw_runtime_turn(rt, 0);
    }
    mw_runtime_close(rt, NULL);
    printf("the program goes on\n");
    return 0;
}
