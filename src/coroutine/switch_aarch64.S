/* The switch between two stacks, AArch64 (AAPCS64): x19 to x30, d8 to d15 and sp are a callee's to keep.
 * Where branch targets are checked (BTI) it is left by ret, which may go anywhere; elsewhere by br, which predicts better.
 * FPCR is not switched: who changes the rounding in a body changes it back. Twin: switch_x86_64.S.
 * SPDX-License-Identifier: MIT */
#if defined(__aarch64__) && defined(__ELF__)

#if defined(__ARM_FEATURE_BTI_DEFAULT)
#define LANDING bti c
#define GO ret x30
#else
#define LANDING nop
#define GO br x30
#endif

    .text

    .macro save_registers
    sub     sp, sp, #160
    .cfi_adjust_cfa_offset 160
    stp     x19, x20, [sp, #0]
    stp     x21, x22, [sp, #16]
    stp     x23, x24, [sp, #32]
    stp     x25, x26, [sp, #48]
    stp     x27, x28, [sp, #64]
    stp     x29, x30, [sp, #80]
    .cfi_rel_offset x29, 80
    .cfi_rel_offset x30, 88
    stp     d8, d9, [sp, #96]
    stp     d10, d11, [sp, #112]
    stp     d12, d13, [sp, #128]
    stp     d14, d15, [sp, #144]
    mov     x9, sp
    .endm

    .macro restore_registers_and_go
    mov     sp, x10
    ldp     x19, x20, [sp, #0]
    ldp     x21, x22, [sp, #16]
    ldp     x23, x24, [sp, #32]
    ldp     x25, x26, [sp, #48]
    ldp     x27, x28, [sp, #64]
    ldp     x29, x30, [sp, #80]
    ldp     d8, d9, [sp, #96]
    ldp     d10, d11, [sp, #112]
    ldp     d12, d13, [sp, #128]
    ldp     d14, d15, [sp, #144]
    add     sp, sp, #160
    .cfi_adjust_cfa_offset -160
    GO
    .endm

/* void coroutine_raw_enter(struct coroutine *c, int passed) */
    .globl  coroutine_enter_aarch64
    .hidden coroutine_enter_aarch64
    .type   coroutine_enter_aarch64, %function
    .globl  coroutine_enter_last_aarch64
    .hidden coroutine_enter_last_aarch64
    .type   coroutine_enter_last_aarch64, %function
    .p2align 4
coroutine_enter_aarch64:
coroutine_enter_last_aarch64:
    .cfi_startproc
    LANDING
    save_registers
    str     x9, [x0, #8]
    ldr     x10, [x0]
    mov     w0, w1
    restore_registers_and_go
    .cfi_endproc
    .size   coroutine_enter_aarch64, . - coroutine_enter_aarch64

/* int coroutine_raw_leave(struct coroutine *c); by another name what returns a bool, as a name has one type */
    .globl  coroutine_leave_aarch64
    .hidden coroutine_leave_aarch64
    .type   coroutine_leave_aarch64, %function
    .globl  coroutine_leave_bool_aarch64
    .hidden coroutine_leave_bool_aarch64
    .type   coroutine_leave_bool_aarch64, %function
    .p2align 4
coroutine_leave_aarch64:
coroutine_leave_bool_aarch64:
    .cfi_startproc
    LANDING
    save_registers
    str     x9, [x0]
    ldr     x10, [x0, #8]
    restore_registers_and_go
    .cfi_endproc
    .size   coroutine_leave_aarch64, . - coroutine_leave_aarch64

/* void coroutine_begin(struct coroutine *c, int (*entry)(void *argument), void *argument): as enter, onto a stack with nothing on it. The first
 * frame lies under the coroutine. */
    .globl  coroutine_begin_aarch64
    .hidden coroutine_begin_aarch64
    .type   coroutine_begin_aarch64, %function
    .p2align 4
coroutine_begin_aarch64:
    .cfi_startproc
    LANDING
    save_registers
    str     x9, [x0, #8]
    mov     x21, x0
    mov     sp, x0
    b       coroutine_start_aarch64
    .cfi_endproc
    .size   coroutine_begin_aarch64, . - coroutine_begin_aarch64

/* The first function on the stack: x1 the entry, x2 its argument, x21 the coroutine. What the entry returns is noted, and the coroutine left for
 * the last time, with nothing to keep; from there on CFA and registers are the resumer's. Unwinding ends here. */
    .type   coroutine_start_aarch64, %function
    .p2align 4
coroutine_start_aarch64:
    .cfi_startproc
    .cfi_undefined x30
    mov     x29, xzr
    mov     x30, xzr
    mov     x0, x2
    blr     x1
    str     w0, [x21, #24]
    ldr     x10, [x21, #8]
    mov     sp, x10
    .cfi_def_cfa_offset 160
    .cfi_offset x29, -80
    .cfi_offset x30, -72
    restore_registers_and_go
    .cfi_endproc
    .size   coroutine_start_aarch64, . - coroutine_start_aarch64

#endif
#include "coroutine/note.h"
