/* SPDX-License-Identifier: MIT */
/*
 * Two CPUs count with LOCK prefixes in the same places, of all sizes. The VMM executes CPU 0's instructions, for
 * breakpoints are enabled there; CPU 1's the CPU itself. No increment may be lost: SDM vol. 3 9.1.2.
 */
#include "guest.inc"

#define TIMES 1000

	.bss
	.balign 64
counters: .skip 64 /* of 1, 2, 4 and 8 bytes, 8 apart, and one of 4 that is not aligned; of 16 at 48 */
by_other: .skip 8
pairs_by_other: .skip 8
ready:	.skip 4
go:	.skip 4
stop:	.skip 4
done:	.skip 4

	.macro COUNT
	lock incb counters
	lock incw counters + 8
	lock incl counters + 16
	lock incq counters + 24
	lock incl counters + 33
	/* One attempt, for who is slow might never succeed; R10 counts those that did. */
	mov counters + 48, %rax
	xor %edx, %edx
	lea 1(%rax), %rbx
	lock cmpxchg16b counters + 48
	setz %al
	movzbl %al, %eax
	add %rax, %r10
	.endm
	.macro CHECK_COUNT reg, cmp, at, status
	\cmp \reg, counters + \at
	mov $\status, %ebx
	jne failed
	.endm

	.text
start:
	mov $stack_top, %rsp
	LOAD_TABLES
	START_CPU request
	WAIT_FOR ready
	mov $other, %eax
	mov %rax, %dr0
	mov $0xd0402, %eax
	mov %rax, %dr7
	movl $1, go
	mov $TIMES, %r8d
	xor %r10d, %r10d
1:	xor %ecx, %ecx
	COUNT
	dec %r8d
	jnz 1b
	movl $1, stop
	mov $0x400, %eax
	mov %rax, %dr7
	WAIT_FOR done
	mov by_other, %rax
	add $TIMES, %rax
	CHECK_COUNT %al, cmpb, 0, 1
	CHECK_COUNT %ax, cmpw, 8, 2
	CHECK_COUNT %eax, cmpl, 16, 3
	CHECK_COUNT %rax, cmpq, 24, 4
	CHECK_COUNT %eax, cmpl, 33, 5
	mov pairs_by_other, %rax
	add %r10, %rax
	CHECK_COUNT %rax, cmpq, 48, 6
	xor %ebx, %ebx
failed:	mov %ebx, %eax
	out %al, $GNOMON_PORT_EXIT

other:	mov $ap_stack_top, %rsp
	xor %r8d, %r8d
	xor %r10d, %r10d
	movl $1, ready
	WAIT_FOR go
1:	xor %ecx, %ecx
	COUNT
	inc %r8
	mov $500, %ebx
2:	dec %ebx
	jnz 2b
	cmpl $0, stop
	je 1b
	mov %r8, by_other
	mov %r10, pairs_by_other
	movl $1, done
3:	pause
	jmp 3b

CPU_START_REQUEST request, GNOMON_ABI_VERSION, 1, other
