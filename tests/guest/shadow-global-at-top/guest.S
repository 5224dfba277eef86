/* SPDX-License-Identifier: MIT */
/*
 * G in an entry of level 4 is reserved on AMD (APM2 5.3.3), and ignored by Intel (SDM vol. 3 4.5) and by QEMU's walker.
 * The status says which: 100 reserved, 101 ignored.
 */
#include "shadow-fault/fault.inc"

start:
	PREPARE
	MAP 0, page, PTE_W
	mov $TEST, %rsi
	mov %cr3, %rbx
	orq $PTE_G, TEST_PML4E(%rbx)
	mov %rbx, %cr3
	TRY mov %rdi, (%rsi)
	cmpq $0, vector
	je ignored
	EXPECT VEC_PF, PFEC_RSVD | PFEC_W | PFEC_P, 1
	EXIT 100
ignored:
	EXIT 101
