/* A kernel of our own below a whole server: sockets that cut, delay and break what goes through them, a clock that moves when it is told to,
 * and random numbers from a seed. The linker puts its calls in place of the real ones (cmake/tests-more.cmake).
 * Files stay the real kernel's. Read next: people.h.
 * SPDX-License-Identifier: MIT */
#ifndef WORLD_KERNEL_H
#define WORLD_KERNEL_H

#include "chance.h"

#define SECOND_NS INT64_C(1000000000)
#define MS_NS INT64_C(1000000)

/* The other end of a connection. The server's end is a descriptor. */
struct kernel_socket;

void kernel_begin(struct chance *chance); /* the world's clock starts, always at the same time */
void kernel_end(void);                    /* frees what both ends have left */
int64_t kernel_now_ns(void);
void kernel_let_pass(int64_t ns);
/* is_rough: sockets give and take less than they could, and are interrupted. */
void kernel_be_rough(bool is_rough);
/* As if no descriptor were left: nothing can be accepted. */
void kernel_run_out(bool has_run_out);
size_t kernel_held(void); /* sockets that the server holds, listeners too */

/* ---- the other end ----------------------------------------------------------------------------------------- */
/* NULL: nobody listens on that port. address: IPv4, in the order of the machine */
struct kernel_socket *kernel_connect(uint16_t port, uint32_t address, size_t window);
/* returns how many bytes fitted; 0 too when it has broken. */
size_t kernel_put(struct kernel_socket *s, const void *bytes, size_t byte_count);
size_t kernel_take(struct kernel_socket *s, void *bytes, size_t room);
bool kernel_has_ended(const struct kernel_socket *s); /* the server has said its last, and all of it was taken */
void kernel_finish(struct kernel_socket *s);          /* no more comes from this end, which still listens */
/* This end is gone; is_reset: with what was under way. The socket is not to be used again. */
void kernel_leave(struct kernel_socket *s, bool is_reset);

/* For poller.c: which of the wanted events are there (enum POLLER_READ, POLLER_WRITE); -1: no descriptor of this kernel. */
int kernel_ready(int fd, int wanted);
struct chance *kernel_chance(void);
#endif
