/* The switch between two stacks, x86-64 System V. Left by a jump: a return would be mispredicted, for the processor
 * remembers the call that came in (3 ns against 9). The jump is notrack: return addresses carry no endbr64.
 * The control words of x87 and SSE are not switched: who changes the rounding in a body changes it back.
 * SPDX-License-Identifier: MIT */
#if defined(__x86_64__) && !defined(__ILP32__) && defined(__ELF__)

    .text

    .macro save_registers
    push    %rbp
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset %rbp, 0
    push    %rbx
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset %rbx, 0
    push    %r12
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset %r12, 0
    push    %r13
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset %r13, 0
    push    %r14
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset %r14, 0
    push    %r15
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset %r15, 0
    .endm

    .macro restore_registers_and_go
    pop     %r15
    .cfi_adjust_cfa_offset -8
    .cfi_restore %r15
    pop     %r14
    .cfi_adjust_cfa_offset -8
    .cfi_restore %r14
    pop     %r13
    .cfi_adjust_cfa_offset -8
    .cfi_restore %r13
    pop     %r12
    .cfi_adjust_cfa_offset -8
    .cfi_restore %r12
    pop     %rbx
    .cfi_adjust_cfa_offset -8
    .cfi_restore %rbx
    pop     %rbp
    .cfi_adjust_cfa_offset -8
    .cfi_restore %rbp
    pop     %rcx
    .cfi_adjust_cfa_offset -8
    .cfi_register %rip, %rcx
    notrack jmp *%rcx
    .endm

/* void coroutine_raw_enter(struct coroutine *c, int passed) */
    .globl  coroutine_enter_x86_64
    .hidden coroutine_enter_x86_64
    .type   coroutine_enter_x86_64, @function
    .p2align 5
coroutine_enter_x86_64:
    .cfi_startproc
    endbr64
    save_registers
    mov     %rsp, 8(%rdi)
    mov     %esi, %eax
    mov     (%rdi), %rsp
    restore_registers_and_go
    .cfi_endproc
    .size   coroutine_enter_x86_64, . - coroutine_enter_x86_64

/* int coroutine_raw_leave(struct coroutine *c); by another name what returns a bool, as a name has one type */
    .globl  coroutine_leave_x86_64
    .hidden coroutine_leave_x86_64
    .type   coroutine_leave_x86_64, @function
    .globl  coroutine_leave_bool_x86_64
    .hidden coroutine_leave_bool_x86_64
    .type   coroutine_leave_bool_x86_64, @function
    .p2align 5
coroutine_leave_x86_64:
coroutine_leave_bool_x86_64:
    .cfi_startproc
    endbr64
    save_registers
    mov     %rsp, (%rdi)
    mov     8(%rdi), %rsp
    restore_registers_and_go
    .cfi_endproc
    .size   coroutine_leave_x86_64, . - coroutine_leave_x86_64

/* void coroutine_enter_last(struct coroutine *c, int passed): enter one whose body will return. The processor foresees where a return goes from the
 * calls before it, and those of this stack tell nothing about that one. So the call that began the body is made once more, to foresee its return;
 * and that return leads to another one, of the call that came in here. */
    .globl  coroutine_enter_last_x86_64
    .hidden coroutine_enter_last_x86_64
    .type   coroutine_enter_last_x86_64, @function
    .p2align 5
coroutine_enter_last_x86_64:
    .cfi_startproc
    endbr64
    lea     .Lback(%rip), %rcx
    push    %rcx
    .cfi_adjust_cfa_offset 8
    save_registers
    mov     %rsp, 8(%rdi)
    mov     %esi, %eax
    lea     .Lenter(%rip), %r12
    jmp     .Lcall
.Lenter:
    .cfi_adjust_cfa_offset 8
    endbr64
    mov     (%rdi), %rsp
    .cfi_adjust_cfa_offset -8
    restore_registers_and_go
    .Lback:
    .cfi_def_cfa %rsp, 8
    ret
    .cfi_endproc
    .size   coroutine_enter_last_x86_64, . - coroutine_enter_last_x86_64

/* void coroutine_begin(struct coroutine *c, int (*entry)(void *argument), void *argument): as enter, onto a stack with nothing on it. The first
 * frame lies under the coroutine. */
    .globl  coroutine_begin_x86_64
    .hidden coroutine_begin_x86_64
    .type   coroutine_begin_x86_64, @function
    .p2align 5
coroutine_begin_x86_64:
    .cfi_startproc
    endbr64
    save_registers
    mov     %rsp, 8(%rdi)
    mov     %rdi, %rbx
    mov     %rsi, %r12
    mov     %rdi, %rsp
    jmp     coroutine_start_x86_64
    .cfi_endproc
    .size   coroutine_begin_x86_64, . - coroutine_begin_x86_64

/* The first function on the stack: %r12 the entry, %rdx its argument, %rbx the coroutine. What the entry returns is noted, and the coroutine
 * left for the last time, with nothing to keep; from there on CFA and registers are the resumer's. Unwinding ends here. */
    .type   coroutine_start_x86_64, @function
    .p2align 5
coroutine_start_x86_64:
    .cfi_startproc
    .cfi_undefined %rip
    xor     %ebp, %ebp
    mov     %rdx, %rdi
.Lcall:
    call    *%r12
    mov     %eax, 24(%rbx)
    mov     8(%rbx), %rsp
    .cfi_def_cfa_offset 56
    .cfi_offset %rip, -8
    .cfi_offset %rbp, -16
    .cfi_offset %rbx, -24
    .cfi_offset %r12, -32
    .cfi_offset %r13, -40
    .cfi_offset %r14, -48
    .cfi_offset %r15, -56
    restore_registers_and_go
    .cfi_endproc
    .size   coroutine_start_x86_64, . - coroutine_start_x86_64

#endif
#include "coroutine/note.h"
