/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"

#define XFEATURES 0xe7 /* x87, SSE, AVX, AVX-512 */

/* What a run prints, from the front on. */
struct reader {
	const uint8_t *at;
	size_t left;
};

static bool take(struct reader *r, void *to, size_t len)
{
	if (r->left < len)
		return false;
	memcpy(to, r->at, len);
	r->at += len;
	r->left -= len;
	return true;
}

static int begin(const struct side *side, const struct block *b, struct run *run, struct hello *ret_hello,
                 struct reader *ret_reader)
{
	int r = side->run(side, b, run);

	if (r < 0)
		return r;
	*ret_reader = (struct reader){run->output, run->output_len};
	if (take(ret_reader, ret_hello, sizeof(*ret_hello)) && ret_hello->magic == BLOCK_MAGIC)
		return 0;
	fprintf(stderr, "insn-check: %s: no case was run: %s\n", side->name, run->why);
	return -EIO;
}

int side_abilities(const struct side *side, const struct generator *g, struct abilities *ret_abilities)
{
	const struct abilities none = {0};
	struct reader reader;
	struct hello hello;
	struct run run;
	int r = begin(side, block_make(g, NULL, 0, &none), &run, &hello, &reader);

	if (r < 0)
		return r;
	*ret_abilities = (struct abilities){hello.xcr0 & XFEATURES, hello.fsgsbase};
	return 0;
}

/* Leaves out the cases before `next`, for this run. */
static void leave_out_before(struct block *b, unsigned next, uint32_t *saved)
{
	for (unsigned i = 0; i < b->count; i++) {
		saved[i] = block_case(b, i)->how;
		block_case(b, i)->how |= i < next ? HOW_SKIP : 0;
	}
}

static void take_back(struct block *b, const uint32_t *saved)
{
	for (unsigned i = 0; i < b->count; i++)
		block_case(b, i)->how = saved[i];
}

static bool take_outcome(struct reader *r, bool detail, struct outcome *ret_outcome)
{
	struct outcome o = {.fate = FATE_RAN};

	if (!take(r, &o.hash, sizeof(o.hash)))
		return false;
	if (detail) {
		if (r->left < sizeof(*o.result))
			return false;
		o.result = malloc(sizeof(*o.result));
		if (!o.result)
			abort();
		take(r, o.result, sizeof(*o.result));
	}
	*ret_outcome = o;
	return true;
}

/* The cases that are run from `next` on get their results. Returns the first that has none; `count`: all have. */
static unsigned assign(struct block *b, unsigned next, struct reader *r, struct outcome *outcomes)
{
	for (; next < b->count; next++) {
		const uint32_t how = block_case(b, next)->how;

		if (!(how & HOW_SKIP) && !take_outcome(r, how & HOW_DETAIL, &outcomes[next]))
			break;
	}
	return next;
}

int side_cases(const struct side *side, struct block *b, struct outcome *ret_outcomes)
{
	static uint32_t saved[BLOCK_CASES];
	const uint32_t batch = b->batch;
	unsigned next = 0;

	memset(ret_outcomes, 0, b->count * sizeof(*ret_outcomes));
	while (next < b->count) {
		struct reader reader;
		struct hello hello;
		struct run run;
		int r;

		leave_out_before(b, next, saved);
		r = begin(side, b, &run, &hello, &reader);
		take_back(b, saved);
		if (r < 0)
			return r;
		next = assign(b, next, &reader, ret_outcomes);
		if (run.ended && next < b->count) {
			fprintf(stderr, "insn-check: %s: case %u has no result\n", side->name, next);
			return -EIO;
		}
		if (next == b->count)
			break;
		/* Which of a batch ended the run is seen when each is printed by itself. */
		if (b->batch == 1) {
			ret_outcomes[next] = (struct outcome){.fate = FATE_ENDED, .why = strdup(run.why)};
			next++;
			b->plant = b->plant == PLANT_FALL ? PLANT_NONE : b->plant; /* once */
		}
		b->batch = b->batch == 1 ? batch : 1;
	}
	b->batch = batch;
	return 0;
}

void outcomes_free(struct outcome *outcomes, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		free(outcomes[i].result);
		free(outcomes[i].why);
	}
}
