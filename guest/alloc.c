/* SPDX-License-Identifier: MIT */
/*
 * Page frames. Memory is zero at boot (include/gnomon/abi.h), so a frame that was never given out needs no clearing.
 * Fresh 4 KiB frames come from the bottom of a range, fresh 2 MiB frames from its top. Freed frames are chained through
 * their first word. They are taken before fresh ones, and cleared then.
 *
 * Some frames are zero, and the host may have taken others. Nothing may be written into either, so pages of notes hold
 * runs of them.
 *
 * Free 2 MiB frames are of three kinds. The balloon gave them back: they are zero, and noted. Programs freed them: they
 * are chained. Or programs freed them and the host was told (balloon_report.c): it may have taken them, and they are
 * noted.
 */
#include "device.h"
#include "kernel.h"

#define BELOW      0 /* the image. Mostly tables go there, away from code (layout.h) */
#define MEMORY     1 /* RAM below and, next, above the hole at 3 GiB */
#define NR_MEMORY  2
#define BEHIND     3 /* the image, in the 2 MiB of its code. Taken late */
#define BROKEN     4 /* the 2 MiB frame that 4 KiB frames are taken from when there are no others */
#define NR_RANGES  5
#define HUGE_PAGES (PAGE_2M / PAGE_SIZE)
#define NOTES      (PAGE_SIZE / sizeof(struct run) - 2)

/* A page of notes. `below` is the one that filled up before it. */
struct notes {
	gpa_t below;
	uint64_t n;
	struct run run[NOTES];
};
_Static_assert(sizeof(struct notes) == PAGE_SIZE, "one page");

static struct range {
	uint64_t next, end;
} ranges[NR_RANGES];
static bool ready;
static gpa_t free_pages, free_huges;
static uint64_t nr_freed; /* chained, or out for a report, in 4 KiB pages */
static struct runs zero_huges, told_huges;

/* Memory is what the device tree says, less what the loader and the image take. The first request for a frame asks. */
static void find_memory(void)
{
	uint32_t nr;
	const uint64_t *reg = memory_ranges(&nr);

	if (!reg)
		panic("the device tree has no memory", NULL);
	for (uint32_t i = 0; i < NR_MEMORY && i < nr; i++) {
		uint64_t base = fdt_u64(reg[2 * i]);

		ranges[MEMORY + i].end = base + fdt_u64(reg[2 * i + 1]);
		ranges[MEMORY + i].next = base < CODE_END ? CODE_END : base;
	}
	ranges[BELOW] = (struct range){GNOMON_LOADER_END, TABLES_PHYS};
	ranges[BEHIND] = (struct range){IMAGE_PHYS(IMAGE_PAGES), CODE_END};
	ready = true;
}

static gpa_t unchain(gpa_t *list, uint64_t pages)
{
	gpa_t first = *list;

	*list = *(gpa_t *)window(first);
	nr_freed -= pages;
	return first;
}

/* A page, or a frame of 2 MiB. */
static void clear(gpa_t first, uint64_t pages)
{
	void *to = pages == HUGE_PAGES ? window_large(first) : window(first);
	uint64_t words = pages * PAGE_SIZE / 8;

	__asm__ volatile("rep stosq" : "+D"(to), "+c"(words) : "a"(0) : "memory");
	if (pages == HUGE_PAGES)
		window_large_close();
}

static gpa_t pop(gpa_t *list, uint64_t pages)
{
	gpa_t first = unchain(list, pages);

	clear(first, pages);
	return first;
}

static void push(gpa_t *list, gpa_t page, uint64_t pages)
{
	nr_freed += pages;
	*(gpa_t *)window(page) = *list;
	*list = page;
}

/*
 * A long run does not begin where a 2 MiB frame could. Shadow paging would map it by large pages, and benchmarks ask
 * for 4 KiB pages.
 */
gpa_t page_alloc_run(uint64_t pages)
{
	if (!ready)
		find_memory();
	for (struct range *r = ranges; r < ranges + NR_RANGES; r++) {
		const bool skip = pages >= HUGE_PAGES && r->next % PAGE_2M == 0;
		const uint64_t first = r->next + skip * PAGE_SIZE;

		if ((r->end - r->next) / PAGE_SIZE < pages + skip)
			continue;
		if (skip)
			push(&free_pages, gpa_init(r->next), 1);
		r->next = first + pages * PAGE_SIZE;
		return gpa_init(first);
	}
	return gpa_init(0);
}

static gpa_t fresh_huge(void)
{
	if (!ready)
		find_memory();
	for (struct range *r = ranges; r < ranges + NR_RANGES; r++) {
		if (r->end - r->next >= PAGE_2M) { /* ends are multiples of 2 MiB: --memory is, and the hole */
			r->end -= PAGE_2M;
			return gpa_init(r->end);
		}
	}
	return gpa_init(0);
}

static gpa_t first_of(struct run run)
{
	return gpa_init((uint64_t)run.pfn * PAGE_SIZE);
}

static gpa_t take_huge(void)
{
	gpa_t first = first_of(runs_pop(&zero_huges, HUGE_PAGES));

	if (gpa_raw(first))
		return first;
	if (gpa_raw(free_huges))
		return pop(&free_huges, HUGE_PAGES);
	first = fresh_huge();
	if (gpa_raw(first))
		return first;
	first = first_of(runs_pop(&told_huges, HUGE_PAGES));
	if (gpa_raw(first))
		clear(first, HUGE_PAGES);
	return first;
}

/* For when there is no other place for 4 KiB frames. False: there is no 2 MiB frame either. */
static bool break_huge(void)
{
	const gpa_t first = take_huge();

	if (gpa_raw(first))
		ranges[BROKEN] = (struct range){gpa_raw(first), gpa_raw(first) + PAGE_2M};
	return gpa_raw(first);
}

gpa_t page_take(void)
{
	const gpa_t first = gpa_raw(free_pages) ? pop(&free_pages, 1) : page_alloc_run(1);

	return !gpa_raw(first) && break_huge() ? page_alloc_run(1) : first;
}

gpa_t page_alloc(void)
{
	gpa_t page;

	do
		page = page_take();
	while (!gpa_raw(page) && device_relieve());
	return page;
}

gpa_t huge_alloc(void)
{
	gpa_t frame;

	do
		frame = take_huge();
	while (!gpa_raw(frame) && device_relieve());
	return frame;
}

void page_free(gpa_t page)
{
	const uint64_t at = gpa_raw(page);

	/*
	 * The image keeps its pages (programs' text), the loader those of the device tree. What the first process has of
	 * the image is free when it has copied that, and whoever shared it has ended.
	 */
	if (at >= IMAGE_PHYS(FIRST_PAGE) || (at >= GNOMON_LOADER_END && at < TABLES_PHYS) ||
	    (at >= FIRST_TABLES && at < FIRST_TABLES_END))
		push(&free_pages, page, 1);
}

void huge_free(gpa_t page)
{
	push(&free_huges, page, HUGE_PAGES);
}

/* Makes room for `n` more runs. False: out of memory. */
bool runs_room(struct runs *s, uint64_t n)
{
	gpa_t page;

	if (gpa_raw(s->top) && ((struct notes *)window(s->top))->n + n <= NOTES)
		return true;
	page = page_take();
	if (!gpa_raw(page))
		return false;
	((struct notes *)window(page))->below = s->top;
	s->top = page;
	return true;
}

/* The caller has made room. */
void runs_push(struct runs *s, struct run run)
{
	struct notes *notes = window(s->top);

	notes->run[notes->n++] = run;
	s->pages += run.pages;
}

/* Takes up to `most` pages from the end of the last run. No pages: there are no runs. */
struct run runs_pop(struct runs *s, uint32_t most)
{
	struct notes *notes;
	struct run *last, run;
	gpa_t empty;

	/* A page that runs_room() added may still be empty. */
	while (gpa_raw(empty = s->top) && (notes = window(empty))->n == 0) {
		s->top = notes->below;
		page_free(empty);
	}
	if (!gpa_raw(s->top))
		return (struct run){0, 0};
	last = &notes->run[notes->n - 1];
	run = *last;
	if (run.pages > most) {
		last->pages -= most;
		run = (struct run){last->pfn + last->pages, most};
	} else {
		notes->n--;
	}
	s->pages -= run.pages;
	return run;
}

uint64_t page_count_free(void)
{
	uint64_t n = nr_freed + zero_huges.pages + told_huges.pages;

	if (!ready)
		find_memory();
	for (const struct range *r = ranges; r < ranges + NR_RANGES; r++)
		n += (r->end - r->next) / PAGE_SIZE;
	return n;
}

/* A 2 MiB frame, first of all one that takes up the host's memory. */
static gpa_t huge_for_balloon(void)
{
	if (gpa_raw(free_huges))
		return unchain(&free_huges, HUGE_PAGES);
	if (told_huges.pages || zero_huges.pages)
		return first_of(runs_pop(told_huges.pages ? &told_huges : &zero_huges, HUGE_PAGES));
	return fresh_huge();
}

/* A run of up to `most` frames that were never used. No pages: there are none. */
static struct run fresh_run(uint32_t most)
{
	for (const struct range *r = ranges; r < ranges + NR_RANGES; r++) {
		uint64_t pages = (r->end - r->next) / PAGE_SIZE;

		if (pages > most)
			pages = most;
		if (pages)
			return (struct run){gpa_raw(page_alloc_run(pages)) / PAGE_SIZE, pages};
	}
	return (struct run){0, 0};
}

/*
 * Takes a run of up to `most` frames: a 2 MiB frame if `most` allows it, else frames never used, else one freed frame,
 * else part of a 2 MiB frame.
 */
bool frames_take(uint32_t most, struct run *ret_run)
{
	const gpa_t huge = most >= HUGE_PAGES ? huge_for_balloon() : gpa_init(0);

	if (gpa_raw(huge))
		*ret_run = (struct run){gpa_raw(huge) / PAGE_SIZE, HUGE_PAGES};
	else
		*ret_run = fresh_run(most);
	if (!ret_run->pages && gpa_raw(free_pages))
		*ret_run = (struct run){gpa_raw(unchain(&free_pages, 1)) / PAGE_SIZE, 1};
	if (!ret_run->pages && break_huge())
		*ret_run = fresh_run(most);
	return ret_run->pages;
}

static bool give_to_range(uint64_t from, uint64_t size)
{
	for (struct range *r = ranges; r < ranges + NR_RANGES; r++) {
		if (from == r->end && size == PAGE_2M) {
			r->end += size;
			return true;
		}
		if (from + size == r->next) {
			r->next = from;
			return true;
		}
	}
	return false;
}

/* Frames that are zero (include/gnomon/abi.h) and border on a range are as good as never used. */
void frames_give(struct run run, bool zero)
{
	const uint64_t from = run.pfn * PAGE_SIZE, size = run.pages * PAGE_SIZE;

	if (zero && give_to_range(from, size))
		return;
	if (size == PAGE_2M && from % PAGE_2M == 0) {
		if (zero && runs_room(&zero_huges, 1))
			runs_push(&zero_huges, run);
		else
			huge_free(gpa_init(from));
		return;
	}
	for (uint64_t i = 0; i < size; i += PAGE_SIZE)
		page_free(gpa_init(from + i));
}

/* Takes out a free 2 MiB frame that the host has not been told of. It still counts as free. gpa 0: there is none. */
gpa_t huge_untold(void)
{
	const gpa_t first = gpa_raw(free_huges) ? unchain(&free_huges, HUGE_PAGES) : gpa_init(0);

	if (gpa_raw(first))
		nr_freed += HUGE_PAGES;
	return first;
}

void huge_put_back(gpa_t frame)
{
	nr_freed -= HUGE_PAGES;
	push(&free_huges, frame, HUGE_PAGES);
}

/* Makes room for notes of so many runs. False: out of memory. */
bool huges_room(uint64_t runs)
{
	return runs_room(&told_huges, runs);
}

/* The caller has made room. */
void huges_told(struct run run)
{
	nr_freed -= run.pages;
	runs_push(&told_huges, run);
}
