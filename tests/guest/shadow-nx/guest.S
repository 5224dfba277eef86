/* SPDX-License-Identifier: MIT */
/* NX forbids the fetch and nothing else, at the leaf and above it; without it the code runs. */
#include "shadow-fault/fault.inc"

start:
	PREPARE
	movb $0xc3, page /* ret */
	MAP 0, page, PTE_W | PTE_NX
	mov $TEST, %rsi
	TRY call *%rsi
	EXPECT_PF PFEC_P | PFEC_I, TEST, 1
	mov $stack_top, %rsp /* what the call pushed */
	TRY cmpb $0xc3, (%rsi)
	EXPECT_NONE 4
	MAP 0, page, 0
	TRY call *%rsi
	EXPECT_NONE 5
	btsq $63, pd
	mov %cr3, %rax
	mov %rax, %cr3
	TRY call *%rsi
	EXPECT_PF PFEC_P | PFEC_I, TEST, 6
	mov $stack_top, %rsp
	TRY cmpb $0xc3, (%rsi)
	EXPECT_NONE 9
	btrq $63, pd
	mov %cr3, %rax
	mov %rax, %cr3
	TRY call *%rsi
	EXPECT_NONE 10
	EXIT 0
