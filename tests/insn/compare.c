/* SPDX-License-Identifier: MIT */
/* A block of cases on both sides, and what to say where they differ. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"

#define TEXT 600

static struct generated cases[BLOCK_CASES];
static struct outcome judged[BLOCK_CASES], found[BLOCK_CASES];

/* Whether the judge can tell what this case must do. */
static bool is_judged(const struct check *k, const struct generated *gen)
{
	if (gen->not_judged_by & k->judge.judge)
		return false;
	if (k->judge.judge != JUDGE_NATIVE)
		return true;
	return (k->wide || !gen->wide) && (k->addresses_48 || !gen->at_half) && (k->split_locks || !gen->split_lock);
}

static void prepare(struct check *k, uint64_t first, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		struct generated *gen = &cases[i];

		generate(&k->generator, first + i, gen);
		if (k->judge.judge == JUDGE_NATIVE) /* Linux does not do that for a program */
			gen->c.flip_cr0 = gen->c.flip_cr4 = 0;
		quirk_mask(&k->tested, gen);
		if (k->stores_only && !gen->stores) {
			gen->c.how |= HOW_SKIP;
			gen->length = 0;
			continue;
		}
		if (!is_judged(k, gen) || quirk_leaves_out(&k->tested, gen)) {
			gen->c.how |= HOW_SKIP;
			gen->length = 0; /* nor does anybody come there by a wrong way */
			k->left_out++;
			continue;
		}
		k->compared++;
		k->mnemonics[gen->mnemonic] = 1;
		k->shapes[gen->shape] = 1;
	}
}

static void set_plant(const struct check *k, struct block *b, uint64_t first, bool tested)
{
	b->plant = tested && k->plant_at < first + b->count ? k->plant : PLANT_NONE;
	b->plant_from = k->plant_at > first ? k->plant_at - first : 0;
}

static struct block *make(const struct check *k, uint64_t first, unsigned count, const struct side *side)
{
	struct block *b = block_make(&k->generator, cases, count, &k->both);

	set_plant(k, b, first, side == &k->tested);
	if (side->run == native_run)
		b->touch = 0;
	return b;
}

/* Numbers are not part of a kind. */
static void without_numbers(char *text)
{
	char *to = text;

	for (const char *p = text; *p; to++) {
		const size_t digits = *p >= '0' && *p <= '9' ? strspn(p, "0123456789abcdefx") : 0;

		*to = digits ? 'N' : *p;
		p += digits ? digits : 1;
	}
	*to = 0;
}

/* A case in which the sides do not agree, as it is when it is run once more. */
struct look {
	const struct insn_result *judge, *found; /* NULL where the run ended */
	const char *judge_why, *found_why;
	bool again, judge_changed;
};

static void describe_kind(const struct check *k, const struct block *b, const struct look *l, char kind[TEXT])
{
	if (!l->again) {
		snprintf(kind, TEXT, "unsteady: %s", l->judge_changed ? k->judge.name : k->tested.name);
	} else if (l->judge && l->found) {
		describe_difference(b, l->judge, l->found, false, kind, TEXT);
	} else if (l->judge) {
		snprintf(kind, TEXT, "%s where %s has %s", l->found_why, k->judge.name,
		         vector_name(l->judge->trapped.vector));
		without_numbers(kind);
	} else {
		snprintf(kind, TEXT, "%s itself: %s", k->judge.name, l->judge_why);
		without_numbers(kind);
	}
}

static bool is_same(const struct outcome *x, const struct outcome *y)
{
	return x->fate == y->fate && (x->fate != FATE_RAN || x->hash == y->hash) && x->fate != FATE_ENDED;
}

/* Whether the case differs, too, when it is the only one that is run. */
static bool differs_alone(const struct check *k, uint64_t first, unsigned count, unsigned index)
{
	static struct outcome x[BLOCK_CASES], y[BLOCK_CASES];
	const struct side *sides[2] = {&k->judge, &k->tested};
	struct outcome *outcomes[2] = {x, y};
	bool differs;

	for (unsigned s = 0; s < 2; s++) {
		struct block *b = make(k, first, count, sides[s]);

		for (unsigned i = 0; i < count; i++)
			block_case(b, i)->how |= i == index ? 0 : HOW_SKIP;
		if (side_cases(sides[s], b, outcomes[s]) < 0)
			return false;
	}
	differs = !is_same(&x[index], &y[index]);
	outcomes_free(x, count);
	outcomes_free(y, count);
	return differs;
}

static void show_side(const char *name, const struct insn_result *r, const char *why)
{
	if (r)
		report_result(name, r);
	else
		fprintf(stderr, "#   %s: %s\n", name, why ? why : "not run");
}

static void show(const struct check *k, uint64_t first, unsigned count, unsigned index, const struct look *l)
{
	const struct generated *gen = &cases[index];
	const bool alone = differs_alone(k, first, count, index);
	char text[TEXT];

	fprintf(stderr, "# case %llu of seed %llu%s\n", (unsigned long long)gen->number,
	        (unsigned long long)k->generator.seed, l->again ? "" : ": it did not come again");
	report_case(gen);
	show_side(k->judge.name, l->judge, l->judge_why);
	show_side(k->tested.name, l->found, l->found_why);
	if (l->judge && l->found) {
		describe_difference(make(k, first, count, &k->tested), l->judge, l->found, true, text, sizeof(text));
		fprintf(stderr, "#   different: %s\n", *text ? text : "nothing");
	}
	if (alone || k->always_shown)
		fprintf(stderr, "#   again: %s --case %llu%s\n", k->again, (unsigned long long)gen->number,
		        k->again_behind);
	else
		fprintf(stderr, "#   again, behind the cases before it: %s --from %llu --count %llu%s\n", k->again,
		        (unsigned long long)first, (unsigned long long)(gen->number - first + 1), k->again_behind);
}

/* One difference, looked at: excused, counted by kind, or shown. */
static void judge_difference(struct check *k, uint64_t first, unsigned count, unsigned index, const struct look *l)
{
	const struct block *b = make(k, first, count, &k->tested);
	const char *excuse = l->judge && l->found ? quirk_excuses(&k->tested, &cases[index], l->judge, l->found) : NULL;
	char kind[TEXT];

	if (excuse && l->again) {
		k->excused++;
		snprintf(kind, sizeof(kind), "excused: %s", excuse);
	} else {
		describe_kind(k, b, l, kind);
		k->unsteady += !l->again;
		/* A judge that changes its mind says nothing of the other. */
		k->different += !(l->judge_changed && !l->again);
	}
	summary_add(kind, &cases[index]);
	snprintf(k->kind, sizeof(k->kind), "%.200s", kind);
	if (k->shown && !excuse) {
		k->shown--;
		show(k, first, count, index, l);
	}
}

/* Runs the wanted cases once more, on one side, for all of their results; `others`: with the rest between them. */
static int run_again(const struct check *k, uint64_t first, unsigned count, const struct side *side, const bool *wanted,
                     bool others, const struct outcome *before, struct outcome *ret_outcomes)
{
	struct block *b = make(k, first, count, side);

	for (unsigned i = 0; i < count; i++) {
		block_case(b, i)->how |= wanted[i] ? HOW_DETAIL : others ? 0 : HOW_SKIP;
		block_case(b, i)->how |= before[i].fate == FATE_ENDED ? HOW_SKIP : 0;
	}
	return side_cases(side, b, ret_outcomes);
}

static bool differs(unsigned i)
{
	return !is_same(&judged[i], &found[i]);
}

static struct look look_at(unsigned i, const struct outcome *judge, const struct outcome *tested)
{
	return (struct look){
	    .judge = judge->result,
	    .found = tested->result,
	    .judge_why = judged[i].why ? judged[i].why : judge->why,
	    .found_why = found[i].why ? found[i].why : tested->why,
	    .again = !differs(i) || !is_same(judge, tested),
	    .judge_changed = judged[i].fate != judge->fate || judged[i].hash != judge->hash,
	};
}

/*
 * Looks at the wanted cases. Returns how many of them do not differ any more, which then are what is wanted, or
 * -errno. With `others` such a case is one that did not come again.
 */
static int judge_differences(struct check *k, uint64_t first, unsigned count, bool *wanted, bool others)
{
	static struct outcome judged_again[BLOCK_CASES], found_again[BLOCK_CASES];
	int left = 0;
	int r = run_again(k, first, count, &k->judge, wanted, others, judged, judged_again);

	if (r == 0)
		r = run_again(k, first, count, &k->tested, wanted, others, found, found_again);
	for (unsigned i = 0; r == 0 && i < count; i++) {
		const struct look l = look_at(i, &judged_again[i], &found_again[i]);

		if (!wanted[i])
			continue;
		wanted[i] = !l.again && !others;
		left += wanted[i];
		if (!wanted[i] && differs(i))
			judge_difference(k, first, count, i, &l);
		else if (!wanted[i])
			show(k, first, count, i, &l);
	}
	outcomes_free(judged_again, count);
	outcomes_free(found_again, count);
	return r < 0 ? r : left;
}

int check_block(struct check *k, uint64_t first, unsigned count)
{
	static bool wanted[BLOCK_CASES];
	bool any = false;
	int r;

	prepare(k, first, count);
	r = side_cases(&k->judge, make(k, first, count, &k->judge), judged);
	if (r == 0)
		r = side_cases(&k->tested, make(k, first, count, &k->tested), found);
	for (unsigned i = 0; i < count; i++) {
		wanted[i] = k->always_shown || differs(i);
		any |= wanted[i];
	}
	if (r == 0 && any)
		r = judge_differences(k, first, count, wanted, false);
	if (r > 0)
		r = judge_differences(k, first, count, wanted, true);
	outcomes_free(judged, count);
	outcomes_free(found, count);
	return r;
}

int check_cases(struct check *k, uint64_t first, uint64_t count)
{
	int r = 0;

	while (count && r == 0) {
		const unsigned room = BLOCK_CASES - first % BLOCK_CASES, n = count < room ? count : room;

		r = check_block(k, first, n);
		first += n;
		count -= n;
	}
	return r;
}
