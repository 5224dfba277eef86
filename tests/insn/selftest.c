/* SPDX-License-Identifier: MIT */
/* The checker checked: a result is falsified in each way that there is, and is found, by what is wrong in it. */
#include <stdio.h>
#include <string.h>

#include "check.h"

#define CASES 300
#define AT    100 /* the first case that may be falsified */

const char *const plant_names[PLANTS] = {
    [PLANT_NONE] = "none",           [PLANT_FLAG] = "flag", [PLANT_REGISTER] = "register", [PLANT_ERROR] = "error",
    [PLANT_VECTOR] = "vector",       [PLANT_RIP] = "rip",   [PLANT_CR2] = "cr2",           [PLANT_MEMORY] = "memory",
    [PLANT_VECTOR_REGISTER] = "xmm", [PLANT_FALL] = "fall",
};

/* What the kind of the difference must say. */
static const char *const words[PLANTS] = {
    [PLANT_NONE] = "",
    [PLANT_FLAG] = "rflags",
    [PLANT_REGISTER] = "r10",
    [PLANT_ERROR] = "error code",
    [PLANT_VECTOR] = " not #",
    [PLANT_RIP] = "rip",
    [PLANT_CR2] = "CR2",
    [PLANT_MEMORY] = "memory",
    [PLANT_VECTOR_REGISTER] = "XMM",
    [PLANT_FALL] = " where native has ",
};

int self_test(struct check *k)
{
	int status = 0;

	printf("1..%d\n", PLANTS);
	for (unsigned plant = 0; plant < PLANTS; plant++) {
		const unsigned expected = plant != PLANT_NONE;
		bool good;

		k->plant = plant;
		k->plant_at = AT;
		k->different = k->unsteady = 0;
		*k->kind = 0;
		good = check_cases(k, 0, CASES) == 0 && k->different == expected && !k->unsteady &&
		       strstr(k->kind, words[plant]);
		printf("%sok %u - falsified: %s; %llu found: %s\n", good ? "" : "not ", plant + 1, plant_names[plant],
		       (unsigned long long)k->different, *k->kind ? k->kind : "none");
		status = good ? status : CHECK_DIFFERENT;
	}
	return status;
}
