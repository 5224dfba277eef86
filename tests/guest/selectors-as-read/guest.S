/* SPDX-License-Identifier: MIT */
/*
 * What a kernel that loaded CS and SS reads of them: the same (APM2 4.5.2) where it runs at CPL 0. In shadow mode the
 * selectors are real ones of CPL 3: the stub's (STUB), on kvm_pvm the host's (PVM).
 */
#include "guest.inc"

#if defined(STUB)
#define CS_READ 0x19b
#define SS_READ 0x193
#elif defined(PVM)
#define CS_READ 0x33
#define SS_READ 0x2b
#else
#define CS_READ GNOMON_BOOT_CS
#define SS_READ GNOMON_BOOT_DS
#endif

start:
	mov $stack_top, %esp
	LOAD_TABLES
	mov $GNOMON_BOOT_DS, %eax
	mov %eax, %ss
	pushq $GNOMON_BOOT_CS
	pushq $loaded
	lretq
loaded:
	mov %cs, %eax
	cmp $CS_READ, %eax
	CHECK e, 1
	mov %ss, %eax
	cmp $SS_READ, %eax
	CHECK e, 2
	EXIT 0
