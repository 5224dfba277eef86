/* SPDX-License-Identifier: MIT */
/* The way in and down to CPL 3, the tables that all vCPUs share, and the way out. All memory is mapped for CPL 3. */
#include <gnomon/abi.h>
#include <gnomon/x86.h>

#include "machine.h"
#include "slice.h"

#define ALL (PTE_P | PTE_W | PTE_U | PTE_A)

	.text
	.globl start, start_other
start:					/* RDI: the device tree */
	mov $pml4, %eax
	mov %rax, %cr3
	mov $areas + AREA_BYTES, %esp
	call boot
	mov $areas, %edi
	jmp 1f
start_other:				/* RDI: its struct area, which RSP ends; CR3 is set */
	push %rdi
	call area_init
	pop %rdi
1:	push $USER_DS
	lea AREA_USER_STACK(%rdi), %rax
	push %rax
	push $(RFLAGS_FIXED | RFLAGS_IOPL)
	push $USER_CS
	push $hammer
	iretq

	.globl crashed, breakpoint
crashed:
	mov $SLICE_CRASHED, %al
breakpoint:				/* AL: exit status */
	out %al, $GNOMON_PORT_EXIT
1:	pause
	jmp 1b

/* probe(attempts, slice): R8 counts the accesses that came back; the guest's end shows it. */
	.globl probe
probe:
	xor %r8d, %r8d
1:	incq (%rdi)
	mov %r8, (%rsi)
	inc %r8
	jmp 1b

	.data
	.balign 4096
	.globl pml4
pml4:	.quad pdpt + ALL
	.fill 511, 8, 0
pdpt:	.quad pd + ALL
	.fill 511, 8, 0
pd:	.set page, 0
	.rept SLICE_MEMORY / 0x200000
	.quad page + (ALL | PTE_D | PTE_PS)
	.set page, page + 0x200000
	.endr
	.fill 512 - SLICE_MEMORY / 0x200000, 8, 0

	.bss
	.globl areas
	.balign AREA_BYTES
areas:	.skip SLICE_CPUS * AREA_BYTES
	.section .note.GNU-stack, "", @progbits
