/* SPDX-License-Identifier: MIT */
/* Beyond 1 GiB the boot tables map nothing: the read is a page fault with CR2, not memory. */
#include "guest.inc"

start:
	mov $stack_top, %rsp
	LOAD_TABLES
	SET_GATE VEC_PF, handler
	mov 0x40000000, %eax
	EXIT 1
handler:
	cmpq $0, (%rsp) /* error code: a read at CPL 0, not present */
	CHECK e, 2
	mov %cr2, %rax
	cmp $0x40000000, %rax
	CHECK e, 3
	EXIT 0
