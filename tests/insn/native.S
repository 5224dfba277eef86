/* SPDX-License-Identifier: MIT */
/* Where the host's kernel brings the signals of a case: with its AC still set, as it may be. */
	.text
	.globl native_signal
native_signal:
	pushfq
	andq $~(1 << 18), (%rsp)
	popfq
	jmp native_trap

	.section .note.GNU-stack, "", @progbits
