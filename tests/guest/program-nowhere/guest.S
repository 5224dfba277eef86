/* SPDX-License-Identifier: MIT */
/*
 * A program jumps to a page that its kernel mapped where there is no memory: a device's registers, beyond them, and
 * nothing at all. Its kernel gets #UD at the address, and goes on.
 */
#include "program.inc"

#define DEVICE  GNOMON_VIRTIO_BASE
#define BEHIND  0x800 /* the device's page has no register there */
#define NOTHING 0xa0000000

/* Points PAGE(n) at an address that MAP has no room for. Clobbers rax. */
.macro MAP_FAR n, to
	movabs $(\to + PTE_U + PTE_P), %rax
	mov %rax, pt + 8 * \n
.endm

/* Statuses from `status` on, two of them. */
.macro JUMPS status, n, offset
	.pushsection .text, 1
10:	movabs $PAGE(\n) + \offset, %rbx
	jmp *%rbx
	.popsection
	RUN 10b
	EXPECT VEC_UD, \status
	EXPECT_RIP PAGE(\n) + \offset, \status + 1
.endm

start:
	PREPARE_PROGRAM
	MAP_FAR 0, DEVICE
	MAP_FAR 1, NOTHING
	JUMPS 1, 0, 0
	JUMPS 3, 0, BEHIND
	JUMPS 5, 1, 0
	JUMPS 7, 1, BEHIND
	EXIT 0
