/* SPDX-License-Identifier: MIT */
/*
 * ACCESS of the range that the guest must map nothing in; at OFFSET 0 lies the stub's code. As long as the guest keeps
 * to that it is a page fault as anywhere else, with ERROR. MAPPED: the guest maps a page there.
 */
#include "shadow-fault/fault.inc"

start:
	PREPARE
#ifdef MAPPED
	MAP 0, page, PTE_W | PTE_U
	mov %cr3, %rax
	movq $(pdpt + (PTE_P | PTE_W | PTE_U)), 508 * 8(%rax)
#endif
	mov $(GNOMON_RESERVED_BASE + OFFSET), %rax
	TRY ACCESS
#ifdef ERROR
	EXPECT_PF ERROR, GNOMON_RESERVED_BASE + OFFSET, 2
	EXIT 0
#endif
	EXIT 1
