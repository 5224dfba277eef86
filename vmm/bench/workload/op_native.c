/* SPDX-License-Identifier: MIT */
#include "bench/workload/op_native.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../guest/chase_core.h"

#define FLOORS 8

uint64_t op_native_floors(void)
{
	const uint64_t begin = chase_tsc();

	for (int i = 0; i < FLOORS; i++)
		syscall(SYS_getppid);
	return chase_tsc() - begin;
}

static int compare(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* As guest/cost/main.c has it: the lower one of the two in the middle. */
static unsigned long long median(uint64_t *v, size_t n)
{
	qsort(v, n, sizeof(*v), compare);
	return v[(n - 1) / 2];
}

void op_native_print(const struct op_request *q, uint64_t *tsc, uint64_t *floor_tsc)
{
	dprintf(STDOUT_FILENO, "cost row=%s ops=%020u blocks=%020u tsc=%020llu floors=%020u floor_tsc=%020llu\n",
	        q->row, q->ops, q->blocks, median(tsc, q->blocks), FLOORS, median(floor_tsc, q->blocks));
}
