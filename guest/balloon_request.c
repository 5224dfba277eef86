/* SPDX-License-Identifier: MIT */
/*
 * Requests to inflate and to deflate, one at a time. The program sees the runs and writes their page numbers into pages
 * that the request names. A request covers up to 32 MiB, so that many pages share one exit.
 */
#include "balloon_parts.h"

#define PFNS_PER_PAGE (PAGE_SIZE / sizeof(uint32_t))
#define RUNS          (URUN_PAGES * PAGE_SIZE / sizeof(struct run)) /* many: single pages share an exit as well */
#define KEEP          256 /* pages that stay with the guest whatever is asked of it */
_Static_assert(UPFN_PAGES <= VIRTIO_QUEUE_SIZE, "a descriptor for each page of PFNs");

static struct run runs[RUNS] __attribute__((aligned(4096)));
static gpa_t pfn_pages[UPFN_PAGES];
static uint32_t back[HUGE_PAGES] __attribute__((aligned(2048))); /* PFNs of frames that are taken back */

int request_show(void)
{
	if (pt_map(USER_PAGE(UBALLOON_AT), kernel_gpa(runs), URUN_PAGES, PTE_P | PTE_U | PTE_NX) < 0)
		return -ENOMEM;
	for (int i = 0; i < UPFN_PAGES; i++) {
		pfn_pages[i] = page_alloc();
		if (!gpa_raw(pfn_pages[i]) || pt_map(USER_PAGE(UBALLOON_AT + URUN_PAGES + i), pfn_pages[i], 1,
		                                     PTE_P | PTE_W | PTE_U | PTE_NX) < 0)
			return -ENOMEM;
	}
	return 0;
}

/* How many pages the next request should have. */
static uint64_t pages_wanted(const struct balloon *b)
{
	const uint64_t most = UPFN_PAGES * PFNS_PER_PAGE;
	uint64_t free = page_count_free(), want;

	if (b->target <= b->held) {
		want = b->held - b->target;
	} else {
		free = free > KEEP ? free - KEEP : 0;
		want = b->target - b->held;
		want = want < free ? want : free;
	}
	return want < most ? want : most;
}

static bool take_run(struct balloon *b, uint32_t most, struct run *ret_run)
{
	if (!runs_room(&b->runs, 1) || !frames_take(most, ret_run))
		return false;
	runs_push(&b->runs, *ret_run);
	return true;
}

int64_t request_make(struct balloon *b)
{
	const bool inflate = b->target > b->held;
	uint64_t want = pages_wanted(b), n;

	b->request = (struct request){
	    .queue = inflate ? VIRTIO_BALLOON_QUEUE_INFLATE : VIRTIO_BALLOON_QUEUE_DEFLATE,
	};
	b->busy = true;
	for (n = 0; want && n < RUNS; n++) {
		if (!inflate)
			runs[n] = runs_pop(&b->runs, want);
		else if (!take_run(b, want, &runs[n]))
			break;
		want -= runs[n].pages;
		b->request.pages += runs[n].pages;
	}
	b->busy = false;
	return n;
}

void request_submit(struct balloon *b)
{
	struct virtio_queue *q = &b->queues[b->request.queue];
	uint32_t left = b->request.pages;

	for (int i = 0; left; i++) {
		const uint32_t n = left < PFNS_PER_PAGE ? left : PFNS_PER_PAGE;

		left -= n;
		q->desc[i] = (struct virtq_desc){
		    .addr = gpa_raw(pfn_pages[i]),
		    .len = n * sizeof(uint32_t),
		    .flags = left ? VIRTQ_DESC_NEXT : 0,
		    .next = i + 1,
		};
	}
	b->request.submitted = true;
	virtio_offer(&b->device, b->request.queue, q);
}

static void tell_held(const struct balloon *b)
{
	*virtio_register(&b->device, VIRTIO_MMIO_CONFIG + __builtin_offsetof(struct virtio_balloon_config, actual)) =
	    b->held;
}

void request_finish(struct balloon *b)
{
	if (b->request.queue == VIRTIO_BALLOON_QUEUE_INFLATE) {
		b->held += b->request.pages;
	} else {
		b->held -= b->request.pages;
		for (uint32_t i = 0, pages = 0; pages < b->request.pages; pages += runs[i++].pages)
			frames_give(runs[i], true);
	}
	b->request.pages = 0;
	tell_held(b);
}

/* The guest keeps what it took back from the balloon. A lower target may have come meanwhile, and stays. */
static void want_no_more(struct balloon *b)
{
	if (b->target > b->held)
		b->target = b->held;
}

/* The device knows nothing of the request yet. */
static void drop(struct balloon *b)
{
	while (b->request.pages) {
		const struct run run = runs_pop(&b->runs, b->request.pages);

		frames_give(run, false);
		b->request.pages -= run.pages;
	}
	want_no_more(b);
}

/* In the program's place. The program may be writing the same numbers at the same time. */
static void expand(const struct balloon *b)
{
	uint32_t *pfns = NULL, n = 0;

	for (const struct run *r = runs; n < b->request.pages; r++)
		for (uint32_t i = 0; i < r->pages; i++, n++) {
			if (n % PFNS_PER_PAGE == 0)
				pfns = window(pfn_pages[n / PFNS_PER_PAGE]);
			pfns[n % PFNS_PER_PAGE] = r->pfn + i;
		}
}

bool request_hurry(struct balloon *b)
{
	const bool inflate = b->request.queue == VIRTIO_BALLOON_QUEUE_INFLATE;

	if (inflate && !b->request.submitted) {
		drop(b);
		return true;
	}
	if (!b->request.submitted) {
		expand(b);
		request_submit(b);
	}
	if (!virtio_wait(&b->device, &b->queues[b->request.queue]))
		return false;
	request_finish(b);
	return !inflate;
}

bool request_take_back(struct balloon *b)
{
	struct virtio_queue *q = &b->queues[VIRTIO_BALLOON_QUEUE_DEFLATE];
	struct run run;

	if (!b->held)
		return false;
	run = runs_pop(&b->runs, HUGE_PAGES);
	for (uint32_t i = 0; i < run.pages; i++)
		back[i] = run.pfn + i;
	q->desc[0] = (struct virtq_desc){.addr = gpa_raw(kernel_gpa(back)), .len = run.pages * sizeof(*back)};
	virtio_offer(&b->device, VIRTIO_BALLOON_QUEUE_DEFLATE, q);
	if (!virtio_wait(&b->device, q))
		return false;
	frames_give(run, true);
	b->held -= run.pages;
	want_no_more(b);
	tell_held(b);
	return true;
}
