/* What a thread tells its processor where it shares lines of the cache with others.
 * SPDX-License-Identifier: MIT */
#ifndef BASE_PROCESSOR_H
#define BASE_PROCESSOR_H

/* Between two looks at what another thread writes: rest for some tens of cycles. */
static inline void cpu_relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("isb" ::: "memory"); /* yield does nothing on most of them */
#else
    __asm__ volatile("" ::: "memory");
#endif
}

/* The line will be written soon: fetch it, away from whoever has it. */
static inline void cpu_prefetch_to_write(const void *line)
{
#if defined(__x86_64__)
    __asm__ volatile("prefetchw %0" ::"m"(*(const char *)line)); /* the compiler's own is a fetch for reading unless it is told of a newer machine */
#else
    __builtin_prefetch(line, 1);
#endif
}

#endif
