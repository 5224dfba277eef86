/* SPDX-License-Identifier: MIT */
/* Calls in a process. */
#include "../guest/chase_core.h"
#include "bench/workload/nano.h"
#include "bench/workload/op_native.h"

#define MAX_BLOCKS 128 /* as guest/cost/main.c has it */

/* As guest/cost/nano.c: `n` is a multiple of 8. A process has a red zone below its stack, which a call must not hit. */
static void calls(uint32_t n)
{
	__asm__ volatile("lea -128(%%rsp), %%rsp\n\t"
	                 ".p2align 6\n"
	                 "0:\t.rept 8\n\tcall 1f\n\t.endr\n\t"
	                 "jmp 2f\n1:\tret\n"
	                 "2:\tsub $8, %0\n\tjnz 0b\n\t"
	                 "lea 128(%%rsp), %%rsp"
	                 : "+r"(n)
	                 :
	                 : "cc", "memory");
}

int nano_native(const void *native)
{
	const struct op_request *q = ((const struct op_native *)native)->request;
	uint64_t tsc[MAX_BLOCKS], floor_tsc[MAX_BLOCKS];

	BUG_ON(q->blocks > MAX_BLOCKS);
	for (uint32_t b = 0; b < q->blocks; b++) {
		const uint64_t begin = chase_tsc();

		calls(q->ops / q->blocks);
		tsc[b] = chase_tsc() - begin;
	}
	/* Not in turns: calls are slower for some time after a system call, by up to a half where it was measured. */
	for (uint32_t b = 0; b < q->blocks; b++)
		floor_tsc[b] = op_native_floors();
	op_native_print(q, tsc, floor_tsc);
	return 0;
}
