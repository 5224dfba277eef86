/* SPDX-License-Identifier: MIT */
/*
 * Stacks of runs of frames, noted in pages of their own: nothing is written into the frames, which the host may have,
 * or which are zero.
 */
#include "kernel.h"

#define NOTES (PAGE_SIZE / sizeof(struct run) - 2)

/* A page of notes, linked to the one that was full before. */
struct notes {
	gpa_t below;
	uint64_t n;
	struct run run[NOTES];
};
_Static_assert(sizeof(struct notes) == PAGE_SIZE, "one page");

/* Room for `n` more runs. False: out of memory. */
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

/* There is room. */
void runs_push(struct runs *s, struct run run)
{
	struct notes *notes = window(s->top);

	notes->run[notes->n++] = run;
	s->pages += run.pages;
}

/* At most `most` pages, the end of the last run. No pages: there are no runs. */
struct run runs_pop(struct runs *s, uint32_t most)
{
	struct notes *notes;
	struct run *last, run;
	gpa_t empty;

	/* What runs_room() added may have stayed empty. */
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
