/* Coroutines: laid out at the top of a pooled stack, entered and left by switch_*.S or ucontext(3).
 * Where a sanitizer is built in, the switches go through here so that it is told.
 * Read next: ../tasklet/tasklet_priv.h.
 * SPDX-License-Identifier: MIT */
#include "coroutine/coroutine.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

#if COROUTINE_UCONTEXT

#define CONTROL_EXTRA sizeof(struct coroutine) /* two contexts: asked for on top of what the caller wants */

static void raw_enter(struct coroutine *c, int passed)
{
    c->passed = passed;
    swapcontext(&c->resumer, &c->own);
}

static int raw_leave(struct coroutine *c)
{
    swapcontext(&c->own, &c->resumer);
    return c->passed;
}

#else

#define CONTROL_EXTRA 0
#if defined(__x86_64__)
#define RAW(name) __asm__("coroutine_" name "_x86_64")
#else
#define RAW(name) __asm__("coroutine_" name "_aarch64")
#endif
void coroutine_raw_start(void) RAW("start");
#if COROUTINE_ASAN || COROUTINE_TSAN
void coroutine_raw_enter(struct coroutine *c, int passed) RAW("enter");
int coroutine_raw_leave(struct coroutine *c) RAW("leave");
#define raw_enter coroutine_raw_enter
#define raw_leave coroutine_raw_leave
#endif

#endif

#if COROUTINE_UCONTEXT || COROUTINE_ASAN || COROUTINE_TSAN

void coroutine_enter(struct coroutine *c, int passed)
{
#if COROUTINE_ASAN
    void *fake = NULL;

    __sanitizer_start_switch_fiber(&fake, c->stack->low, c->stack->bytes);
#endif
#if COROUTINE_TSAN
    c->resumer_fiber = __tsan_get_current_fiber();
    __tsan_switch_to_fiber(c->fiber, 0);
#endif
    raw_enter(c, passed);
#if COROUTINE_ASAN
    __sanitizer_finish_switch_fiber(fake, NULL, NULL);
#endif
}

int coroutine_leave(struct coroutine *c)
{
    int passed;

#if COROUTINE_ASAN
    __sanitizer_start_switch_fiber(&c->fake_stack, c->resumer_low, c->resumer_bytes);
#endif
#if COROUTINE_TSAN
    __tsan_switch_to_fiber(c->resumer_fiber, 0);
#endif
    passed = raw_leave(c);
#if COROUTINE_ASAN
    __sanitizer_finish_switch_fiber(c->fake_stack, &c->resumer_low, &c->resumer_bytes);
#endif
    return passed;
}

bool coroutine_leave_bool(struct coroutine *c)
{
    return coroutine_leave(c) != 0;
}

void coroutine_end(struct coroutine *c)
{
#if COROUTINE_ASAN
    /* For the last time: no fake stack to come back to. */
    __sanitizer_start_switch_fiber(NULL, c->resumer_low, c->resumer_bytes);
#if COROUTINE_TSAN
#error "one sanitizer of addresses or threads at a time"
#endif
    (void)raw_leave(c);
#else
    (void)coroutine_leave(c);
#endif
    abort(); /* an ended coroutine was entered */
}

#endif

/* The first function on the new stack. */
static void coroutine_main(struct coroutine *c)
{
#if COROUTINE_ASAN
    __sanitizer_finish_switch_fiber(NULL, &c->resumer_low, &c->resumer_bytes);
#endif
    c->entry(c->argument);
    coroutine_end(c);
}

#if COROUTINE_UCONTEXT

/* makecontext passes ints: a pointer comes in two halves. */
static void coroutine_main_halves(unsigned high, unsigned low)
{
    coroutine_main((struct coroutine *)(((uintptr_t)high << 16 << 16) | (uintptr_t)low));
}

static void coroutine_lay_out(struct coroutine *c)
{
    uintptr_t at = (uintptr_t)c;

    getcontext(&c->own);
    c->own.uc_stack.ss_sp = c->stack->low;
    c->own.uc_stack.ss_size = (size_t)((char *)c - c->stack->low);
    c->own.uc_link = NULL;
    makecontext(&c->own, (void (*)(void))coroutine_main_halves, 2, (unsigned)(at >> 16 >> 16), (unsigned)at);
}

#else

/* What the first enter restores and where it goes. */
static void coroutine_lay_out(struct coroutine *c)
{
#if defined(__x86_64__)
    /* r15 r14 r13 r12 rbx rbp, return address; above these seven sp is 16-aligned, as before a call. */
    void **frame = (void **)(void *)c - 9;

    frame[2] = c;
    frame[5] = frame[7] = NULL; /* where frames end; what the other registers hold nobody reads */
    *(void (**)(struct coroutine *))(void *)&frame[3] = coroutine_main;
    *(void (**)(void))(void *)&frame[6] = coroutine_raw_start;
#else
    /* x19 to x30, d8 to d15. */
    void **frame = (void **)(void *)c - 20;

    memset(frame, 0, 20 * sizeof(*frame));
    *(void (**)(struct coroutine *))(void *)&frame[0] = coroutine_main;
    frame[1] = c;
    *(void (**)(void))(void *)&frame[11] = coroutine_raw_start;
#endif
    c->sp = frame;
}

#endif

/* Stacks begin at equal offsets of a page, so that the busiest lines of all of them would fall into the same few
 * sets of the first-level cache. Where a stack is large enough, its beginning is moved by up to 2,688 bytes. */
static size_t stack_colour(const struct stack *stack)
{
    uint32_t page = (uint32_t)((uintptr_t)stack->low >> 12);

    return stack->bytes < (size_t)16 << 10 ? 0 : (size_t)(page * UINT32_C(0x9e3779b1) >> 29) * 384;
}

int coroutine_new(size_t stack_bytes, void (*entry)(void *argument), void *argument, struct coroutine **ret,
                  struct mw_error *ret_error)
{
    struct stack *stack;
    struct coroutine *c;
    int err;

#if COROUTINE_UCONTEXT || COROUTINE_ASAN || COROUTINE_TSAN
    if (stack_bytes < STACK_BYTES_LEAST)
        stack_bytes = STACK_BYTES_DEFAULT; /* their frames are too large for small ones */
#endif
    err = stack_take(stack_bytes + CONTROL_EXTRA, &stack, ret_error);

    if (err < 0)
        return err;
    c = (struct coroutine *)(((uintptr_t)stack - sizeof(*c) - stack_colour(stack)) & ~(uintptr_t)63);
    *c = (struct coroutine){.stack = stack, .entry = entry, .argument = argument};
    coroutine_lay_out(c);
#if COROUTINE_TSAN
    c->fiber = __tsan_create_fiber(0);
#endif
    *ret = c;
    return 0;
}

void coroutine_free(struct coroutine *c)
{
    if (!c)
        return;
#if COROUTINE_TSAN
    __tsan_destroy_fiber(c->fiber);
#endif
    stack_give(c->stack);
}

bool coroutine_has_address(const struct coroutine *c, const void *address)
{
    return (const char *)address >= c->stack->low && (const char *)address < c->stack->low + c->stack->bytes;
}
