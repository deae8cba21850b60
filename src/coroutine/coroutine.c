/* Coroutines: placed at the top of a pooled stack, entered and left by switch_*.S or ucontext(3).
 * Where a sanitizer is built in, the switches go through here so that it is told.
 * Read next: ../tasklet/tasklet_priv.h.
 * SPDX-License-Identifier: MIT */
#include "coroutine/coroutine.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/hint.h"
#include "base/memory.h"
#include "coroutine/thread.h"

/* Freed ones that are kept where they lie: so many as come and go together as a rule. */
#define SPARES_MOST 64u

#if !COROUTINE_TELLS
static_assert(sizeof(struct coroutine) <= 64, "of the smallest stacks it is a sixteenth");
#endif

#if COROUTINE_UCONTEXT

#define CONTROL_EXTRA sizeof(struct coroutine) /* two contexts: asked for on top of what the caller wants */

static int coroutine_main(void *argument);

/* makecontext passes ints: a pointer comes in two halves. */
static void coroutine_main_halves(unsigned high, unsigned low)
{
    (void)coroutine_main((void *)(((uintptr_t)high << 16 << 16) | (uintptr_t)low));
}

static void raw_begin(struct coroutine *c)
{
    uintptr_t at = (uintptr_t)c;

    getcontext(&c->own);
    c->own.uc_stack.ss_sp = c->stack->low;
    c->own.uc_stack.ss_size = (size_t)((char *)c - c->stack->low);
    c->own.uc_link = NULL;
    makecontext(&c->own, (void (*)(void))coroutine_main_halves, 2, (unsigned)(at >> 16 >> 16), (unsigned)at);
    swapcontext(&c->resumer, &c->own);
}

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
static_assert(offsetof(struct coroutine, sp) == 0 && offsetof(struct coroutine, resumer_sp) == 8 && offsetof(struct coroutine, result) == 24,
              "as in the .S files");
#if COROUTINE_TELLS
void coroutine_raw_begin(struct coroutine *c, int (*entry)(void *argument), void *argument) RAW("begin");
void coroutine_raw_enter(struct coroutine *c, int passed) RAW("enter");
int coroutine_raw_leave(struct coroutine *c) RAW("leave");
#define raw_begin(c) coroutine_raw_begin((c), coroutine_main, (c))
#define raw_enter coroutine_raw_enter
#define raw_leave coroutine_raw_leave
#endif

#endif

#if COROUTINE_TELLS

static int coroutine_main(void *argument);

static void enter(struct coroutine *c, bool is_begun, int passed)
{
#if COROUTINE_ASAN
    void *fake = NULL;

    __sanitizer_start_switch_fiber(&fake, c->stack->low, c->stack->bytes);
#endif
#if COROUTINE_TSAN
    c->resumer_fiber = __tsan_get_current_fiber();
    __tsan_switch_to_fiber(c->fiber, 0);
#endif
    if (is_begun)
        raw_enter(c, passed);
    else
        raw_begin(c);
#if COROUTINE_ASAN
    __sanitizer_finish_switch_fiber(fake, NULL, NULL);
#endif
}

void coroutine_begin(struct coroutine *c, int (*entry)(void *argument), void *argument)
{
    c->entry = entry;
    c->argument = argument;
    enter(c, false, 0);
}

void coroutine_enter(struct coroutine *c, int passed)
{
    enter(c, true, passed);
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

void coroutine_enter_last(struct coroutine *c, int passed)
{
    coroutine_enter(c, passed);
}

static MW_NORETURN void coroutine_end(struct coroutine *c)
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

/* The first function on the new stack. */
static int coroutine_main(void *argument)
{
    struct coroutine *c = argument;

#if COROUTINE_ASAN
    __sanitizer_finish_switch_fiber(NULL, &c->resumer_low, &c->resumer_bytes);
#endif
    c->result = c->entry(c->argument);
    coroutine_end(c);
}

#endif

/* Stacks begin at equal offsets of a page, so that the busiest lines of all of them would fall into the same few
 * sets of the first-level cache. Where a stack is large enough, its beginning is moved by up to 2,688 bytes. */
static size_t stack_colour(const struct stack *stack)
{
    uint32_t page = (uint32_t)((uintptr_t)stack->low >> 12);

    return stack->bytes < (size_t)16 << 10 ? 0 : (size_t)(page * UINT32_C(0x9e3779b1) >> 29) * 384;
}

static void spares_give(void)
{
    struct stack_pool *pool = &mw_thread.stacks;
    struct coroutine *c;

    while ((c = pool->spare) != NULL) {
        pool->spare = c->next_spare;
        stack_give(c->stack);
    }
    pool->spare_count = 0;
}

/* On a stack that no spare one has. What there is in spare ones is of another size, and not asked for now. */
static __attribute__((noinline)) int coroutine_place(size_t stack_bytes, struct coroutine **ret, struct mw_error *ret_error)
{
    struct stack *stack;
    struct coroutine *c;
    int err;

    spares_give();
#if COROUTINE_TELLS
    if (stack_bytes < STACK_BYTES_LEAST)
        stack_bytes = STACK_BYTES_DEFAULT; /* their frames are too large for small ones */
#endif
    err = stack_take(stack_bytes + CONTROL_EXTRA, &stack, ret_error);
    if (err < 0)
        return err;
    c = (struct coroutine *)(((uintptr_t)stack - sizeof(*c) - stack_colour(stack)) & ~(uintptr_t)63);
    *c = (struct coroutine){.stack = stack};
    if (!COROUTINE_TELLS && stack_bytes % 4096 == 0) /* the tools are to see each by itself */
        c->stack_pages = (uint16_t)(stack_bytes / 4096);
    *ret = c;
    return 0;
}

int coroutine_new(size_t stack_bytes, struct coroutine **ret, struct mw_error *ret_error)
{
    struct stack_pool *pool = &mw_thread.stacks;
    struct coroutine *c = pool->spare;
    int err = 0;

    if (LIKELY(c && (size_t)c->stack_pages * 4096 == stack_bytes)) {
        pool->spare = c->next_spare;
        pool->spare_count--;
        c->wait_timer = NULL;
        *ret = c;
    } else {
        err = coroutine_place(stack_bytes, ret, ret_error);
    }
#if COROUTINE_TSAN
    if (err >= 0)
        (*ret)->fiber = __tsan_create_fiber(0);
#endif
    return err;
}

void coroutine_free(struct coroutine *c)
{
    struct stack_pool *pool = &mw_thread.stacks;

    if (!c)
        return;
    if (LIKELY(c->stack_pages > 0 && pool->spare_count < SPARES_MOST)) {
        c->next_spare = pool->spare;
        pool->spare = c;
        pool->spare_count++;
        return;
    }
#if COROUTINE_TSAN
    __tsan_destroy_fiber(c->fiber);
#endif
    stack_give(c->stack);
}

void coroutine_pool_clear(void)
{
    spares_give();
    stack_pool_clear();
}

bool coroutine_has_address(const struct coroutine *c, const void *address)
{
    return (const char *)address >= c->stack->low && (const char *)address < c->stack->low + c->stack->bytes;
}
