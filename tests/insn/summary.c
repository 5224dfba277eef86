/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"

#define KINDS     400
#define KIND_TEXT 240
#define NAMED     10 /* instructions that a kind's line names */

static struct kind {
	char text[KIND_TEXT];
	unsigned count, nr_mnemonics;
	uint64_t example;
	uint8_t seen[ZYDIS_MNEMONIC_MAX_VALUE + 1];
} kinds[KINDS];
static unsigned nr_kinds;

void summary_add(const char *kind, const struct generated *gen)
{
	struct kind *k = kinds;

	while (k < kinds + nr_kinds && strncmp(k->text, kind, KIND_TEXT - 1) != 0)
		k++;
	if (k == kinds + nr_kinds) {
		if (nr_kinds == KINDS)
			k--; /* together with the last */
		else
			nr_kinds++;
		snprintf(k->text, KIND_TEXT, "%s", kind);
		k->example = gen->number;
	}
	k->count++;
	k->nr_mnemonics += !k->seen[gen->mnemonic];
	k->seen[gen->mnemonic] = 1;
}

static int by_count(const void *a, const void *b)
{
	const struct kind *x = a, *y = b;

	return x->count < y->count ? 1 : x->count > y->count ? -1 : 0;
}

void summary_print(void)
{
	qsort(kinds, nr_kinds, sizeof(*kinds), by_count);
	for (const struct kind *k = kinds; k < kinds + nr_kinds; k++) {
		unsigned named = 0;

		fprintf(stderr, "# %6u  %s; case %llu:", k->count, k->text, (unsigned long long)k->example);
		for (unsigned m = 0; m <= ZYDIS_MNEMONIC_MAX_VALUE && named < NAMED; m++)
			if (k->seen[m])
				named++, fprintf(stderr, " %s", m ? ZydisMnemonicGetString(m) : "(unknown)");
		fprintf(stderr, "%s\n", k->nr_mnemonics > named ? " ..." : "");
	}
}
