/* SPDX-License-Identifier: MIT */
/*
 * cost ROW MOST OPERATIONS BLOCKS: does a row's operation OPERATIONS times, in BLOCKS blocks that alternate with blocks
 * of FLOORS floors. Prints how long the median block of each took, so that a block in which the host did something else
 * does not count. The row prepares for MOST operations.
 *
 * Nothing outside the operations depends on their number, not even the length of the output. Two runs that differ only
 * in OPERATIONS therefore differ only in the operations' exits.
 *
 * arena PAGES KIND: see arena.c. It is in the same image, but measures nothing by itself.
 */
#include "fdt.h"
#include "mem.h"

#include <gnomon/abi.h>

#include "../arena.h"
#include "cost.h"

#define MAX_BLOCKS 128
#define FLOORS     8 /* in a block */

/* Handed to CPL 0 as a whole. */
struct cost_job {
	const struct cost_row *row;
	uint32_t ops, blocks;
	uint64_t tsc[MAX_BLOCKS], floor_tsc[MAX_BLOCKS];
};

void cost_main(const struct fdt *fdt);

/* Without a fence: operations take microseconds, and KVM's emulator knows no fence. */
static inline uint64_t tsc(void)
{
	uint32_t lo, hi;

	__asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi) : : "memory");
	return (uint64_t)hi << 32 | lo;
}

static void measure(void *arg)
{
	struct cost_job *job = arg;
	const uint32_t n = job->ops / job->blocks;

	for (uint32_t b = 0; b < job->blocks; b++) {
		const uint64_t begin = tsc();
		uint64_t middle;

		cost_floor(FLOORS);
		middle = tsc();
		job->row->run(b * n, n);
		job->tsc[b] = tsc() - middle;
		job->floor_tsc[b] = middle - begin;
	}
}

/* Sorts the values. Of two in the middle the lower one counts. */
static uint64_t median(uint64_t *v, uint32_t n)
{
	for (uint32_t i = 1; i < n; i++) {
		const uint64_t x = v[i];
		uint32_t at = i;

		for (; at > 0 && v[at - 1] > x; at--)
			v[at] = v[at - 1];
		v[at] = x;
	}
	return v[(n - 1) / 2];
}

static void report(struct cost_job *job)
{
	char line[192], *p = cost_put_text(line, "cost row=");

	p = cost_put_text(p, job->row->name);
	p = cost_put_number(p, " ops=", job->ops);
	p = cost_put_number(p, " blocks=", job->blocks);
	p = cost_put_number(p, " tsc=", median(job->tsc, job->blocks));
	p = cost_put_number(p, " floors=", FLOORS);
	p = cost_put_number(p, " floor_tsc=", median(job->floor_tsc, job->blocks));
	*p++ = '\n';
	*p = 0;
	cost_say(line);
}

static bool word_is(const char *text, const char *name, const char **ret_rest)
{
	while (*name && *text == *name)
		text++, name++;
	*ret_rest = text;
	return !*name && (*text == ' ' || !*text);
}

static const char *number(const char *text, uint32_t *ret_value)
{
	uint32_t v = 0;

	if (!text || *text++ != ' ' || *text < '0' || *text > '9')
		return NULL;
	for (; *text >= '0' && *text <= '9' && v < 1 << 24; text++)
		v = v * 10 + (*text - '0');
	*ret_value = v;
	return text;
}

/* Fills in the job. False: the words are not a row and its numbers. */
static bool parse(const char *args, struct cost_job *job, uint32_t *ret_most)
{
	const char *rest = NULL;

	for (uint32_t i = 0; i < cost_nr_rows && !job->row; i++)
		if (word_is(args, cost_rows[i].name, &rest))
			job->row = &cost_rows[i];
	if (!job->row)
		return false;
	rest = number(number(number(rest, ret_most), &job->ops), &job->blocks);
	return rest && !*rest && *ret_most <= job->row->most && job->ops && job->ops <= *ret_most && job->blocks &&
	       job->blocks <= MAX_BLOCKS && job->ops % (job->row->unit * job->blocks) == 0;
}

static void warm_up(void *arg)
{
	const struct cost_job *job = arg;

	job->row->run(0, job->row->unit);
	cost_floor(FLOORS);
}

static noreturn void end(int status)
{
	for (;;)
		__asm__ volatile("out %%al, %%dx" : : "a"(status), "d"(GNOMON_PORT_EXIT));
}

void cost_main(const struct fdt *fdt)
{
	static struct cost_job job;
	uint32_t most, len, pages, kind;
	const char *args = fdt_property(fdt, FDT_NAME("chosen"), FDT_NAME("bootargs"), &len), *rest;

	if (args && word_is(args, "arena", &rest)) {
		if (!number(number(rest, &pages), &kind) || !pages || kind >= ARENA_NR_KINDS ||
		    pages > (kind == ARENA_APART ? ARENA_APART_PAGES : ARENA_PAGES))
			end(COST_USAGE);
		cost_arena(pages, kind);
	}
	if (!args || !parse(args, &job, &most))
		end(COST_USAGE);
	if (job.row->prepare)
		job.row->prepare(most);
	if (job.row->kernel) {
		cost_at_cpl0(warm_up, &job);
		cost_interrupts = 0;
		cost_at_cpl0(measure, &job);
	} else {
		measure(&job);
	}
	if (job.row->check && !job.row->check(job.ops))
		end(COST_WRONG);
	report(&job);
	end(0);
}
