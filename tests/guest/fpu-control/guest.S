/* SPDX-License-Identifier: MIT */
/*
 * CR0.TS, EM and MP decide whether x87, MMX and SSE instructions run, at either CPL: APM2 3.1.1, SDM vol. 3 2.5. So a
 * kernel that switches these registers lazily mixes no two programs up; the last part is such a kernel.
 */
#include "program.inc"

#define CR0_FPU (CR0_TS | CR0_EM | CR0_MP)

.macro SET_CR0 bits
	mov %cr0, %rax
	and $~CR0_FPU, %eax
	or $(\bits), %eax
	mov %rax, %cr0
.endm
.macro OF program, what, status
	RUN \program
	EXPECT \what, \status
	EXPECT_RIP AT(\program), \status + 1
.endm

/* #NM came at the program's first instruction: its registers come in, and it runs on to its UD2. */
.macro CHECK_AND_GIVE area, program, status
	EXPECT VEC_NM, \status
	call save_owner
	movq $\area, owner
	movq \area, %xmm0
	RUN \program
	EXPECT VEC_UD, \status + 1
.endm

start:
	PREPARE_PROGRAM
	mov %cr4, %rax
	or $CR4_OSFXSR, %eax
	mov %rax, %cr4
	/* Each of them runs up to its UD2. */
	SET_CR0 CR0_MP
	RUN x87
	EXPECT VEC_UD, 1
	EXPECT_RIP AT(x87_end), 2
	RUN sse
	EXPECT VEC_UD, 3
	EXPECT_RIP AT(sse_end), 4
	SET_CR0 CR0_TS
	OF x87, VEC_NM, 5
	OF mmx, VEC_NM, 7
	OF sse, VEC_NM, 9
	OF sse_store, VEC_NM, 11
	OF fxsave, VEC_NM, 13
	RUN wait
	EXPECT_RIP AT(wait_end), 15
	RUN no_fpu
	EXPECT VEC_UD, 16
	EXPECT_RIP AT(no_fpu_end), 17
	cmp $100, %rbx
	CHECK e, 18
	/* Not the first instruction, and not after a trap: wherever it stands. */
	RUN later
	EXPECT VEC_NM, 19
	EXPECT_RIP AT(later_fpu), 20
	SET_CR0 CR0_TS | CR0_MP
	OF wait, VEC_NM, 21
	SET_CR0 CR0_EM
	OF x87, VEC_NM, 23
	OF mmx, VEC_UD, 25
	OF sse, VEC_UD, 27
	/* The kernel's own, and CLTS. */
	SET_CR0 CR0_TS
	TRY fld1
	EXPECT VEC_NM, 29
	TRY movaps %xmm0, %xmm1
	EXPECT VEC_NM, 30
	clts
	mov %cr0, %rax
	test $CR0_TS, %eax
	CHECK z, 31
	RUN x87
	EXPECT_RIP AT(x87_end), 32
	/*
	 * Two programs and lazy switching: TS with each switch; at #NM the registers of the one that asks for them come
	 * in, the other one's go to its area. Ten turns each; each adds 1 or 2 to its own XMM0.
	 */
	mov $10, %ebp
1:	SET_CR0 CR0_TS
	RUN adds_1
	CHECK_AND_GIVE first_area, adds_1, 33
	SET_CR0 CR0_TS
	RUN adds_2
	CHECK_AND_GIVE second_area, adds_2, 35
	dec %ebp
	jnz 1b
	call save_owner
	cmpq $10, first_area
	CHECK e, 37
	cmpq $20, second_area
	CHECK e, 38
	EXIT 0

/* The owner's XMM0 goes to its area. Clobbers rax. */
save_owner:
	clts
	mov owner, %rax
	test %rax, %rax
	jz 1f
	movq %xmm0, (%rax)
1:	ret

x87:	fld1
	fstp %st
x87_end: ud2
mmx:	pxor %mm0, %mm0
	emms
	ud2
sse:	movaps %xmm0, %xmm1
sse_end: ud2
sse_store: movups %xmm0, page(%rip)
	ud2
fxsave:	fxsave area(%rip)
	ud2
wait:	fwait
wait_end: ud2
no_fpu:	mov $100, %ecx
	xor %ebx, %ebx
1:	inc %rbx
	lea (%rbx), %rax
	push %rax
	pop %rdx
	loop 1b
	prefetcht0 page(%rip)
	movnti %eax, page(%rip)
	popcnt %eax, %eax
no_fpu_end: ud2
later:	mov page(%rip), %rax
	mov $3, %ecx
1:	dec %ecx
	jnz 1b
	call 2f
2:	pop %rax
later_fpu: addsd %xmm0, %xmm0
	ud2
adds_1:	paddq one(%rip), %xmm0
	ud2
adds_2:	paddq two(%rip), %xmm0
	ud2

	.data
	.balign 16
one:	.quad 1, 0
two:	.quad 2, 0
first_area: .quad 0
second_area: .quad 0
owner:	.quad 0
	.bss
	.balign 64
area:	.skip 512
