/* A fault is named before the process ends: which tasklet ran, whether its stack was used up, and what all others were doing. On a stack
 * of its own, as the one that ran may be full; by write(2) alone.
 * Not the dump; that is dump.c.
 * SPDX-License-Identifier: MIT */
#include "scheduler/fault.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "scheduler/dump.h"
#include "scheduler/scheduler_priv.h"

enum { ALTERNATE_BYTES = 64 << 10 };

static const struct {
    int number;
    const char *name;
} faults[] = {{SIGSEGV, "SIGSEGV"}, {SIGBUS, "SIGBUS"}, {SIGILL, "SIGILL"}, {SIGFPE, "SIGFPE"}, {SIGABRT, "SIGABRT"}};

struct fault_doing mw_fault_doing(struct fault_doing doing)
{
    struct fault_doing before = {mw_thread.doing, mw_thread.doing_to};

    mw_thread.doing = doing.what;
    mw_thread.doing_to = doing.name;
    return before;
}

/* ---- the handler ------------------------------------------------------------------------------------------ */
/* The guard lies right below the stack: whoever ran into it was growing. */
static bool is_overflow(const mw_tasklet *t, const siginfo_t *info)
{
    const char *at = info->si_addr, *low;

    if (!t || t->kind != TASKLET_COROUTINE || !t->coroutine || (info->si_signo != SIGSEGV && info->si_signo != SIGBUS))
        return false;
    low = t->coroutine->stack->low;
    return at < low && at >= low - 65536;
}

static void say_where(struct dump_out *o, const mw_tasklet *t, const siginfo_t *info, const char *name)
{
    if (is_overflow(t, info)) {
        const struct stack *stack = t->coroutine->stack;

        out_text(o, "tasklet '");
        out_name(o, t);
        out_text(o, "' overflowed its ");
        out_number(o, (stack->bytes + sizeof(*stack)) / 1024);
        out_text(o, " KiB stack (made at ");
        out_place(o, t);
        out_text(o, "); give it more by .stack_bytes\n");
        return;
    }
    out_text(o, name);
    if (info->si_signo != SIGABRT) {
        out_text(o, " at address ");
        out_hex(o, (uint64_t)(uintptr_t)info->si_addr);
    }
    if (t) {
        out_text(o, " in tasklet '");
        out_name(o, t);
        out_text(o, "' (made at ");
        out_place(o, t);
        out_text(o, ")");
    } else {
        out_text(o, " outside any tasklet");
    }
    if (mw_thread.doing) {
        out_text(o, ", ");
        out_text(o, mw_thread.doing);
    }
    if (mw_thread.doing && mw_thread.doing_to) {
        out_text(o, " '");
        out_text(o, mw_thread.doing_to);
        out_text(o, "'");
    }
    out_text(o, "\n");
}

static void fault_caught(int number, siginfo_t *info, void *context)
{
    struct dump_out o = {.fd = STDERR_FILENO};
    const char *name = "a signal";
    size_t i;

    (void)context;
    for (i = 0; i < MW_COUNT(faults); i++) {
        if (faults[i].number == number)
            name = faults[i].name;
    }
    out_text(&o, "meshwork: ");
    say_where(&o, mw_thread.current, info, name);
    mw_dump(STDERR_FILENO);
    /* SA_RESETHAND: a fault happens again when we return, and then ends the process; what was sent is sent again. */
    if (info->si_code <= 0 || number == SIGABRT)
        (void)raise(number);
}

/* ---- catching ------------------------------------------------------------------------------------------------ */
/* A debugger wants to see the fault itself. */
static bool is_traced(void)
{
    static const char field[] = "TracerPid:\t";
    char status[4096] = "";
    int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : read(fd, status, sizeof(status) - 1);
    const char *at;

    if (fd >= 0)
        (void)close(fd); /* nothing was written */
    status[n > 0 ? n : 0] = '\0';
    at = strstr(status, field);
    return at && at[sizeof(field) - 1] != '0';
}

static int alternate_stack(void)
{
    struct mw_thread *thread = &mw_thread;
    stack_t stack = {.ss_size = ALTERNATE_BYTES};

    if (thread->fault_stack)
        return 0;
    stack.ss_sp = mmap(NULL, ALTERNATE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (stack.ss_sp == MAP_FAILED)
        return -ENOMEM;
    if (sigaltstack(&stack, NULL) < 0) {
        (void)munmap(stack.ss_sp, ALTERNATE_BYTES); /* it was mapped a moment ago */
        return -errno;
    }
    thread->fault_stack = stack.ss_sp;
    return 0;
}

void fault_stack_free(void)
{
    struct mw_thread *thread = &mw_thread;
    stack_t none = {.ss_flags = SS_DISABLE};

    if (!thread->fault_stack || sigaltstack(&none, NULL) < 0)
        return; /* it stays: better than a handler without a stack */
    (void)munmap(thread->fault_stack, ALTERNATE_BYTES); /* it was mapped by alternate_stack */
    thread->fault_stack = NULL;
}

static atomic_bool is_catching;

void mw_fault_follow(void)
{
    if (atomic_load(&is_catching))
        (void)alternate_stack();
}

int mw_catch_faults(void)
{
    struct sigaction action = {.sa_sigaction = fault_caught, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER}, before;
    size_t i;
    int err;

#if COROUTINE_ASAN || COROUTINE_TSAN
    return -ENOTSUP; /* the sanitizer's own report says more */
#endif
#if COROUTINE_VALGRIND
    if (RUNNING_ON_VALGRIND)
        return -ENOTSUP;
#endif
    if (is_traced())
        return -ENOTSUP;
    err = alternate_stack();
    if (err < 0)
        return err;
    action.sa_flags |= (int)SA_RESETHAND; /* its bit is the sign's */
    (void)sigemptyset(&action.sa_mask);
    for (i = 0; i < MW_COUNT(faults); i++) {
        if (sigaction(faults[i].number, NULL, &before) < 0)
            return -errno;
        if (before.sa_handler == SIG_DFL && sigaction(faults[i].number, &action, NULL) < 0) /* else it is somebody else's, and stays */
            return -errno;
    }
    atomic_store(&is_catching, true);
    return 0;
}
