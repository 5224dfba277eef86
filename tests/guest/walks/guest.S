/* SPDX-License-Identifier: MIT */
/*
 * How long walks are, asked of the VMM: the boot tables map 512 pages, and the answer is from 3 to 35 references for
 * each. What is not mapped does not count, whatever its address. The words around the request stay as they were. In
 * shadow mode (SHADOW) no page counts: nothing was done at CPL 3, so there is no shadow for it.
 */
#include "guest.inc"

start:
	OUT32 GNOMON_PORT_WALKS, $request
	cmpl $0x55555555, before
	CHECK e, 7
	cmpl $0x55555555, request + 56
	CHECK e, 8
#ifdef SHADOW
	cmpq $0, request + 24
	CHECK e, 1
	EXIT 0
#endif
	cmpq $512, request + 24
	CHECK e, 1
	mov request + 32, %eax
	cmp $3, %eax
	CHECK ae, 2
	cmp request + 36, %eax
	CHECK be, 3
	cmpl $35, request + 36
	CHECK be, 4
	mov request + 40, %rax
	cmp request + 48, %rax
	CHECK be, 5
	/* 512 pages: the sums are between 512 times the ends */
	mov request + 32, %ecx
	shl $9, %rcx
	cmp %rcx, %rax
	CHECK ae, 6

	/* Beyond the tables' end, and where no address is canonical. */
	movabs $0x4000000000, %rax
	mov %rax, request + 8
	OUT32 GNOMON_PORT_WALKS, $request
	cmpq $0, request + 24
	CHECK e, 9
	movabs $0x800000000000, %rax
	mov %rax, request + 8
	OUT32 GNOMON_PORT_WALKS, $request
	cmpq $0, request + 24
	CHECK e, 10

	/* No bytes, no pages; 511 bytes across the end of one lie in two. */
	movq $0, request + 8
	movq $0, request + 16
	OUT32 GNOMON_PORT_WALKS, $request
	cmpq $0, request + 24
	CHECK e, 11
	movq $0x1ff, request + 16
	movq $0xfff, request + 8
	OUT32 GNOMON_PORT_WALKS, $request
	cmpq $2, request + 24
	CHECK e, 12

	/* The port is for writing; what is read floats. */
	mov $GNOMON_PORT_WALKS, %dx
	in %dx, %eax
	cmp $-1, %eax
	CHECK e, 13
	EXIT 0

	.data
	.balign 64
	.skip 60
before:	.long 0x55555555
request:
	.long GNOMON_ABI_VERSION, 0
	.quad 0, 512 * 4096, 0, 0, 0, 0
	.long 0x55555555
