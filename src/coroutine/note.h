/* What every assembly file says to the linker, also one that is empty on this machine: the stack is not executable,
 * indirect branches are tracked. Shadow stacks are not claimed: we change stacks behind their back.
 * SPDX-License-Identifier: MIT */
#if defined(__ELF__)
    .section .note.GNU-stack, "", %progbits
#if defined(__x86_64__) && !defined(__ILP32__)
    .section .note.gnu.property, "a", %note
    .p2align 3
    .long   4, 16, 5
    .asciz  "GNU"
    .long   0xc0000002, 4, 1, 0
#elif defined(__aarch64__) && defined(__ARM_FEATURE_BTI_DEFAULT)
/* BTI, and pointer authentication: no return address is kept unsigned that a callee signed. */
    .section .note.gnu.property, "a", %note
    .p2align 3
    .long   4, 16, 5
    .asciz  "GNU"
    .long   0xc0000000, 4, 3, 0
#endif
#endif
