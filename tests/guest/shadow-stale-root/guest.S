/* SPDX-License-Identifier: MIT */
/*
 * CPU 1 runs in tables of its own and does not trap. CPU 0 changes these tables in ways that end their shadow, so that
 * CPU 1 goes on through what it knew before. Then a page that CPU 1 may write becomes a page table of CPU 0's: from
 * here on each store of CPU 1 to it counts, once CPU 0 has executed INVLPG (SDM vol. 3 4.10.4).
 *
 *   FLOOD_4 .. FLOOD_1  the table of that level is written again and again
 *   MANY                many entries of the leaf table go at once, and CPU 0 flushes
 *   LARGE               CPU 1 has the page by a 2 MiB entry
 *   UPPER               the page becomes a table of level 2, not a leaf table
 *   KICK                before all that CPU 1 is taken out, for another page that becomes a table, and goes on
 */
#include "guest.inc"

#define OWN   X86_U64(0x18000000000) /* CPU 1's, PML4 slot 3: the page, code, flags, 24 pages */
#define VIEW  X86_U64(0x20000000000) /* CPU 0's, PML4 slot 4 */
#define PAGE  0x2000000              /* what becomes a table; CPU 0 writes it never */
#define RW    (PTE_P | PTE_W | PTE_U)
#define USED  (RW | PTE_A | PTE_D)
#define READY 0
#define GO    4
#define DONE  8
#define COUNT 12

	.bss
	.balign 4096
pml4:	.skip 4096
pdpt:	.skip 4096
pd:	.skip 4096
pt:	.skip 4096
view_pdpt: .skip 4096
view_pd: .skip 4096
view_pt: .skip 4096
view_pt2: .skip 4096
view_pt3: .skip 4096
before:	.skip 4096
after:	.skip 4096
flags:	.skip 4096

	.macro WRITE_OFTEN table
	mov $8, %ecx
6:	movq $0, \table + 8 * 100
	dec %ecx
	jnz 6b
	.endm

	.text
start:
	mov $stack_top, %rsp
	LOAD_TABLES
	movq $1, before
	movq $2, after
	mov %cr3, %rsi
	mov (%rsi), %rax
	mov %rax, pml4
	movq $(pdpt + RW), pml4 + 24
	movq $(pd + RW), pdpt
	movq $(pt + RW), pd
#ifdef LARGE
	movq $(PAGE + (USED | PTE_PS)), pd + 8
#else
	movq $(PAGE + USED), pt
#endif
	movq $(spin + USED), pt + 8
	movq $(flags + USED), pt + 16
	mov $24, %ecx
	mov $pt + 64, %edi
	mov $(before + USED), %eax
	rep stosq
	movq $(view_pdpt + RW), 32(%rsi)
	movq $(view_pd + RW), view_pdpt
	movq $(view_pt + RW), view_pd + 8
	movq $(before + USED), view_pt
	movq $(after + USED), view_pt2
	movl $0, flags
	movl $0, flags + 4
	movl $0, flags + 8
	movl $0, flags + 12
	/* The tables on the way are known before the page is one. */
	mov $VIEW + 0x200000, %rbx
	mov (%rbx), %rax
	movq $pml4, request + 24
	OUT32 GNOMON_PORT_CPU_START, $request
	WAIT_FOR flags + READY
#ifdef KICK
	movq $(before + USED), view_pt3
	movq $(view_pt3 + RW), view_pd + 16
	mov $VIEW + 0x400000, %rdx
	mov (%rdx), %rax
	mov flags + COUNT, %eax
	add $2, %eax
1:	pause
	cmp %eax, flags + COUNT
	js 1b
#endif
#ifdef FLOOD_4
	WRITE_OFTEN pml4
#endif
#ifdef FLOOD_3
	WRITE_OFTEN pdpt
#endif
#ifdef FLOOD_2
	WRITE_OFTEN pd
#endif
#ifdef FLOOD_1
	WRITE_OFTEN pt
#endif
#ifdef MANY
	mov $20, %ecx
	mov $pt + 64, %edi
	xor %eax, %eax
	rep stosq
	mov %cr3, %rsi
	mov %rsi, %cr3
#endif
#ifdef UPPER
	movq $(PAGE + RW), view_pdpt + 8
	mov $VIEW + 0x40000000, %rbx
#else
	movq $(PAGE + RW), view_pd
	mov $VIEW, %rbx
#endif
	mov (%rbx), %rax
	cmp $1, %rax
	CHECK e, 1
	movl $1, flags + GO
	WAIT_FOR flags + DONE
	invlpg (%rbx)
	mov (%rbx), %rax
	cmp $2, %rax
	CHECK e, 2
	EXIT 0

other_cpu:
	mov $OWN + 0x1000, %rax
	jmp *%rax

/* At OWN + 0x1000. */
	.balign 4096
spin:
#ifdef LARGE
	mov $OWN + 0x200000, %rbx
#else
	mov $OWN, %rbx
#endif
	mov $OWN, %rdi
#ifdef UPPER
	movq $(view_pt + RW), (%rbx)
#else
	movq $(before + USED), (%rbx)
#endif
	mov $24, %ecx
	lea 0x8000(%rdi), %rsi
1:	mov (%rsi), %rax
	add $4096, %rsi
	dec %ecx
	jnz 1b
	movl $1, 0x2000 + READY(%rdi)
2:	mov (%rbx), %rax	/* the translation stays in the TLB */
#ifdef KICK
	incl 0x2000 + COUNT(%rdi)
#endif
	cmpl $0, 0x2000 + GO(%rdi)
	je 2b
#ifdef UPPER
	movq $(view_pt2 + RW), (%rbx)
#else
	movq $(after + USED), (%rbx)
#endif
	movl $1, 0x2000 + DONE(%rdi)
3:	pause
	jmp 3b
	.balign 4096

CPU_START_REQUEST request, GNOMON_ABI_VERSION, 1, other_cpu
