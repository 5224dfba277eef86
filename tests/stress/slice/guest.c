/* SPDX-License-Identifier: MIT */
/*
 * What each vCPU does, at CPL 3. A visit reads and checks its own two words of a page, writes both anew, reads and
 * checks the next vCPU's word, and adds one to the word that all share, with a lock.
 */
#include <gnomon/abi.h>

#include "bare.h"
#include "machine.h"
#include "slice.h"

#define SERVE_EACH 64 /* visits between two looks for a new turn */

static struct slice_mailbox *const mailbox = (struct slice_mailbox *)SLICE_MAILBOX;

struct worker {
	uint32_t cpu, beside;          /* whose words are checked, too */
	uint32_t page, n[SLICE_PAGES]; /* the next one, and how often each was visited */
	struct slice_cpu *report;
	struct slice_stalls *stalls;
	uint64_t floor, last, turn_longest; /* ticks; when the last visit was over; the longest gap of this turn */
};

static uint64_t load(const uint64_t *p)
{
	return __atomic_load_n(p, __ATOMIC_ACQUIRE);
}

static void store(uint64_t *p, uint64_t value)
{
	__atomic_store_n(p, value, __ATOMIC_RELEASE);
}

static void __attribute__((noreturn)) wrong(const struct worker *w, const char *what, uint32_t page, uint64_t found)
{
	print("slice: vCPU ");
	print_number(w->cpu);
	print(" finds ");
	print_hex(found);
	print(" as ");
	print(what);
	print(" of page ");
	print_number(page);
	print(" at its visit ");
	print_number(w->n[page]);
	print("\n");
	__asm__ volatile("int3" : : "a"(SLICE_WRONG));
	__builtin_unreachable();
}

/* vCPU `cpu`'s two words in a page. */
static uint64_t *words(uint32_t page, uint32_t cpu)
{
	return (uint64_t *)(SLICE_BLOCK + (uint64_t)page * SLICE_PAGE + cpu * SLICE_WORDS);
}

static void stamp(const struct worker *w, uint32_t page)
{
	uint64_t *own = words(page, w->cpu);
	const uint64_t value = slice_stamp(w->n[page], page, w->cpu);

	store(own, value);
	store(own + 1, ~value);
}

static void visit(struct worker *w, uint32_t page)
{
	uint64_t *own = words(page, w->cpu);
	const uint64_t expected = slice_stamp(w->n[page], page, w->cpu);
	uint64_t found = load(own);

	if (found != expected)
		wrong(w, "its own word", page, found);
	found = load(own + 1);
	if (found != ~expected)
		wrong(w, "its own second word", page, found);
	w->n[page]++;
	stamp(w, page);
	found = load(words(page, w->beside));
	if (found != slice_stamp(found, page, w->beside))
		wrong(w, "another's word", page, found);
	__atomic_fetch_add((uint64_t *)(SLICE_BLOCK + (uint64_t)page * SLICE_PAGE + SLICE_SHARED), 1, __ATOMIC_RELAXED);
}

static void note_gap(struct worker *w)
{
	const uint64_t now = __builtin_ia32_rdtsc(), gap = now - w->last;

	w->stalls->floors += gap > w->floor;
	if (gap > w->turn_longest)
		w->turn_longest = gap;
	w->last = now;
}

static void end_turn(struct worker *w)
{
	if (w->turn_longest) /* else there was no visit */
		w->stalls->turns[slice_bucket(w->turn_longest)]++;
	if (w->turn_longest > w->stalls->longest)
		w->stalls->longest = w->turn_longest;
	w->turn_longest = 0;
}

/* The slice is ours for another turn: it is zeroed, and can be written. This takes faults, which are no stalls. */
static void touch_slice(const struct worker *w, uint64_t turn)
{
	for (uint32_t page = SLICE_FIRST; page < SLICE_FIRST + SLICE_LEN; page++) {
		const uint64_t found = load(words(page, w->cpu));

		if (found)
			wrong(w, "a word of the slice, that came back,", page, found);
		store(words(page, w->cpu), turn);
	}
}

static void serve(struct worker *w)
{
	const uint64_t turn = load(&mailbox->turn);

	if (turn == w->report->touched)
		return;
	end_turn(w);
	if (mailbox->kind == SLICE_BUSY)
		touch_slice(w, turn);
	store(&w->report->touched, turn);
	w->last = __builtin_ia32_rdtsc();
}

static uint32_t next_page(uint32_t page)
{
	page++;
	return page == SLICE_FIRST ? SLICE_FIRST + SLICE_LEN : page % SLICE_PAGES;
}

static void run_phase(struct worker *w)
{
	const uint64_t quota = mailbox->quota;

	w->last = __builtin_ia32_rdtsc();
	for (uint64_t i = 0; i < quota; i++) {
		if (i % SERVE_EACH == 0)
			serve(w);
		visit(w, w->page);
		note_gap(w);
		w->page = next_page(w->page);
	}
	end_turn(w);
	w->report->visits += quota;
}

/* Each begins elsewhere; all words hold something before any is checked. */
static void begin(struct worker *w, uint32_t cpu)
{
	static uint64_t begun;

	w->cpu = w->beside = cpu;
	w->report = &mailbox->cpu[cpu];
	for (uint32_t page = 0; page < SLICE_PAGES; page++)
		if (page < SLICE_FIRST || page >= SLICE_FIRST + SLICE_LEN)
			stamp(w, page);
	for (uint32_t i = 0; i < cpu * (SLICE_KEPT / SLICE_CPUS); i++)
		w->page = next_page(w->page);
	if (cpu == 0)
		mailbox->user_floor_ticks = time_floor();
	w->floor = mailbox->floor_ticks;
	__atomic_fetch_add(&begun, 1, __ATOMIC_RELEASE);
	while (load(&begun) < mailbox->cpus)
		__asm__ volatile("pause");
	if (w->beside + 1 < mailbox->cpus)
		w->beside++;
	else
		w->beside = 0;
	if (cpu == 0) {
		store(&mailbox->magic, SLICE_MAGIC);
		print("ready\n");
	}
}

void hammer(const struct area *area)
{
	static struct worker workers[SLICE_CPUS];
	struct worker *w = &workers[area->cpu];
	uint64_t phase = 0;

	begin(w, area->cpu);
	w->stalls = w->report->stalls;
	for (;;) {
		while (load(&mailbox->phase) == phase) {
			serve(w);
			__asm__ volatile("pause");
		}
		phase++;
		if (mailbox->kind == SLICE_PROBE && w->cpu == 0)
			probe(&mailbox->attempts, (uint64_t *)SLICE_GPA);
		w->stalls = &w->report->stalls[mailbox->kind == SLICE_BUSY];
		run_phase(w);
		store(&w->report->phase_done, phase);
	}
}
