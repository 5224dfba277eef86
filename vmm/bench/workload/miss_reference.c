/* SPDX-License-Identifier: MIT */
/*
 * The same loads by a loop written by hand, from the first timestamp to the last. The native chase is compared with it.
 * It shares nothing with guest/chase_core.h, so that what makes that slower does not make this slower as well.
 */
#include "bench/workload/miss.h"

/* So many times 16 loads from `line` on. The line behind, and the ticks in *ret_ticks. */
static uint64_t sixteens(uint64_t line, uint64_t times, uint64_t *ret_ticks)
{
	uint64_t began, ended;

	__asm__ volatile("lfence\n"
	                 "rdtsc\n"
	                 "lfence\n"
	                 "shl $32, %%rdx\n"
	                 "or %%rdx, %%rax\n"
	                 "mov %%rax, %[began]\n"
	                 "test %[times], %[times]\n"
	                 "jz 2f\n"
	                 "1:\n"
	                 ".rept 16\n"
	                 "movq (%[line]), %[line]\n"
	                 ".endr\n"
	                 "sub $1, %[times]\n"
	                 "jnz 1b\n"
	                 "2:\n"
	                 "lfence\n"
	                 "rdtsc\n"
	                 "lfence\n"
	                 "shl $32, %%rdx\n"
	                 "or %%rdx, %%rax\n"
	                 "mov %%rax, %[ended]\n"
	                 : [line] "+r"(line), [times] "+r"(times), [began] "=&r"(began), [ended] "=&r"(ended)
	                 :
	                 : "rax", "rdx", "cc", "memory");
	*ret_ticks = ended - began;
	return line;
}

void miss_reference(struct arena_block *b)
{
	const uint64_t loads = b->loads / 16;
	uint64_t unused;

	b->line = sixteens(b->line, b->warm / 16, &unused);
	b->parts = b->loads % (16 * ARENA_PARTS) ? 1 : ARENA_PARTS;
	b->tsc = 0;
	for (uint32_t i = 0; i < b->parts; i++) {
		b->line = sixteens(b->line, loads / b->parts, &b->part[i]);
		b->tsc += b->part[i];
	}
}
