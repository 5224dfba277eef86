/* SPDX-License-Identifier: MIT */
/*
 * The same loads by a loop written by hand, from the first timestamp to the last. The native chase is compared with it.
 * It shares nothing with guest/chase_core.h, so that what makes that slower does not make this slower as well.
 */
#include "bench/workload/miss.h"

void miss_reference(struct arena_block *b)
{
	uint64_t line = b->line, warm = b->warm / 16, loads = b->loads / 16, began, ended;

	__asm__ volatile(
	    "test %[warm], %[warm]\n"
	    "jz 2f\n"
	    "1:\n"
	    ".rept 16\n"
	    "movq (%[line]), %[line]\n"
	    ".endr\n"
	    "sub $1, %[warm]\n"
	    "jnz 1b\n"
	    "2:\n"
	    "lfence\n"
	    "rdtsc\n"
	    "lfence\n"
	    "shl $32, %%rdx\n"
	    "or %%rdx, %%rax\n"
	    "mov %%rax, %[began]\n"
	    "3:\n"
	    ".rept 16\n"
	    "movq (%[line]), %[line]\n"
	    ".endr\n"
	    "sub $1, %[loads]\n"
	    "jnz 3b\n"
	    "lfence\n"
	    "rdtsc\n"
	    "lfence\n"
	    "shl $32, %%rdx\n"
	    "or %%rdx, %%rax\n"
	    "mov %%rax, %[ended]\n"
	    : [line] "+r"(line), [warm] "+r"(warm), [loads] "+r"(loads), [began] "=&r"(began), [ended] "=&r"(ended)
	    :
	    : "rax", "rdx", "cc", "memory");
	b->tsc = ended - began;
	b->line = line;
}
