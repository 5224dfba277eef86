/* SPDX-License-Identifier: MIT */
/*
 * An enclave of one page of code, one of data behind it, and a buffer at RDX. RDI says what it does (sample.h), RSI with what.
 */
#define EXIT     8 /* enum gnomon_enclave_call */
#define CALL_OUT 9

	.section .rodata
	.balign 4096
	.globl sample, sample_end
sample:
	dec %rdi
	js sum
	dec %rdi
	js ask
	dec %rdi
	js peek
	dec %rdi
	js poke
	dec %rdi
	js spin
	dec %rdi
	js copy
	dec %rdi
	js privileged
	dec %rdi
	js count
	dec %rdi
	js flags
	dec %rdi
	js fs
	dec %rdi
	js segments
	ud2

sum:	/* RSI + RDX */
	lea (%rsi,%rdx), %rdi
	mov $EXIT, %eax
	syscall
	ud2

ask:	/* calls out with 5 and RSI; the answer and a register that was kept are what it returns */
	mov $0x1000, %rbx
	mov $5, %edi
	mov $CALL_OUT, %eax
	syscall
	lea (%rax,%rbx), %rdi
	mov $EXIT, %eax
	syscall
	ud2

peek:	/* reads at RSI */
	mov (%rsi), %rdi
	mov $EXIT, %eax
	syscall
	ud2

poke:	/* writes at RSI */
	mov %rsi, (%rsi)
	mov %rsi, %rdi
	mov $EXIT, %eax
	syscall
	ud2

spin:	/* until the buffer at RDX says otherwise, with a value in a vector register */
	movq %rsi, %xmm5
1:	pause
	cmpq $0, (%rdx)
	je 1b
	movq %xmm5, %rdi
	mov $EXIT, %eax
	syscall
	ud2

copy:	/* a word of the buffer, plus one, back into it */
	mov (%rdx), %rdi
	inc %rdi
	mov %rdi, (%rdx)
	mov $EXIT, %eax
	syscall
	ud2

privileged:
	cli
	ud2

count:	/* one more in the second page: what it was before */
	lea sample + 0x1000(%rip), %rax
	mov (%rax), %rdi
	incq (%rax)
	mov $EXIT, %eax
	syscall
	ud2

flags:	/* calls out with RSI in RFLAGS; returns what they are then */
	lea sample + 0x2000(%rip), %rsp
	push %rsi
	popf
	mov $CALL_OUT, %eax
	syscall
	pushf
	pop %rdi
	mov $EXIT, %eax
	syscall
	ud2

fs:	/* the first word at FS.base */
	mov %fs:0, %rdi
	mov $EXIT, %eax
	syscall
	ud2

segments: /* calls out with RSI in all data segments, and exits */
	mov %esi, %ds
	mov %esi, %es
	mov %esi, %fs
	mov %esi, %gs
	xor %edi, %edi
	mov $CALL_OUT, %eax
	syscall
	mov $EXIT, %eax
	syscall
	ud2
	.balign 4096
sample_end:
	.section .note.GNU-stack, "", @progbits
