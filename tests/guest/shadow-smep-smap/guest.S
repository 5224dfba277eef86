/* SPDX-License-Identifier: MIT */
/* The kernel and user pages: free without SMEP and SMAP; with them no fetch, and no data but under AC. */
#include "shadow-fault/fault.inc"

start:
	PREPARE
	movb $0xc3, page /* ret */
	MAP 0, page, PTE_W | PTE_U
	mov $TEST, %rsi
	mov %cr4, %rbx
	TRY call *%rsi
	EXPECT_NONE 1
	or $CR4_SMEP, %ebx
	mov %rbx, %cr4
	TRY call *%rsi
	EXPECT_PF PFEC_P | PFEC_I, TEST, 2
	mov $stack_top, %rsp /* what the call pushed */
	TRY movb $0xc3, (%rsi)
	EXPECT_NONE 5
	or $CR4_SMAP, %ebx
	mov %rbx, %cr4
	TRY movb $0xc3, (%rsi)
	EXPECT_PF PFEC_P | PFEC_W, TEST, 6
	TRY cmpb $0, (%rsi)
	EXPECT_PF PFEC_P, TEST, 9
	stac
	TRY movb $0xc3, (%rsi)
	EXPECT_NONE 12
	clac
	TRY cmpb $0, (%rsi)
	EXPECT_PF PFEC_P, TEST, 13
	and $~(CR4_SMEP | CR4_SMAP), %ebx
	mov %rbx, %cr4
	TRY call *%rsi
	EXPECT_NONE 16
	EXIT 0
