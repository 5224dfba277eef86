/* SPDX-License-Identifier: MIT */
/*
 * Requests of pages: runs come out of them whole and ascending, bad ones do nothing at all, and what the balloon holds
 * is what ops did; by hand and by the worker.
 */
#include <criterion/criterion.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "balloon_driver.h"

/* In any order: ops see runs, ascending, none across the gap between the two ranges of memory. */
Test(balloon, coalesces_runs)
{
	inflate(0x102, 0x100, 0x101, 0x500, 0xfff, 0x100000, 0x502, 0x501);
	expect("reclaim 100+3;and 500+3;and fff+1;and 100000+1;");
	cr_assert_eq(ballooned(), 8);
	cr_assert_eq(vd_used(&vd, VIRTIO_BALLOON_QUEUE_INFLATE)->idx, 1);
	cr_assert_eq(interrupts, 1);
	deflate(0x501, 0x101, 0x100000);
	expect("release 101+1;and 501+1;and 100000+1;");
	cr_assert_eq(ballooned(), 5);
}

static void counted(uint64_t inflated, uint64_t deflated, uint64_t runs)
{
	cr_assert_eq(counter_read(&counters, CTR_BALLOON_INFLATED), inflated);
	cr_assert_eq(counter_read(&counters, CTR_BALLOON_DEFLATED), deflated);
	cr_assert_eq(counter_read(&counters, CTR_BALLOON_RUNS), runs);
}

/* What is done is counted then, and not only at the end of the run; what is refused is not. */
Test(balloon, counts)
{
	inflate(0x500, 0x501, 0x503);
	counted(3, 0, 2);
	deflate(0x501);
	counted(3, 1, 3);
	inflate(0x600, 0x600);
	counted(3, 1, 3);
}

/* A 2 MiB run is one call. */
Test(balloon, huge_run)
{
	uint32_t pfns[512];

	for (uint32_t i = 0; i < 512; i++)
		pfns[i] = 0x400 + i;
	pages(VIRTIO_BALLOON_QUEUE_INFLATE, pfns, 512);
	expect("reclaim 400+200;");
}

/* PFNs may come in several buffers, cut anywhere. */
Test(balloon, request_in_pieces)
{
	const uint32_t pfns[] = {0x700, 0x701, 0x702};
	struct virtq_desc *d = vd_desc(&vd, VIRTIO_BALLOON_QUEUE_INFLATE);

	memcpy(vd.bytes + PFNS, pfns, sizeof(pfns));
	d[2] = (struct virtq_desc){PFNS, 5, VIRTQ_DESC_NEXT, 3};
	d[3] = (struct virtq_desc){PFNS + 5, 7, 0, 0};
	vd_offer(&vd, VIRTIO_BALLOON_QUEUE_INFLATE, SIZE, 2);
	serve();
	expect("reclaim 700+3;");
}

static const struct {
	const char *words;
	uint32_t pfns[4];
} bad_pfns[] = {
    {"outside memory", {0x700, 0x701, 0x702, RAM_LOW >> PAGE_SHIFT}},
    {"outside memory", {0x700, 0xd0000, 0x701, 0x702}}, /* a device's registers */
    {"outside memory", {0x700, 0xfffff, 0x701, 0x702}},
    {"outside memory", {0x700, (HIGH_BASE + RAM_HIGH) >> PAGE_SHIFT, 0x701, 0x702}},
    {"outside memory", {0xffffffff, 0x700, 0x701, 0x702}},
    {"twice", {0x700, 0x702, 0x701, 0x700}},
    {"kernel image", {0x700, 0x702, IMAGE >> PAGE_SHIFT, 0x701}},
    {"kernel image", {0x400, 0x401, 0x3ff, 0x402}},
    {"already", {0x700, 0x702, 0x600, 0x701}},
};

/* One bad page spoils a request: nothing of it is done, the device waits for a reset, which gives all back. */
Test(balloon, bad_pages)
{
	for (size_t i = 0; i < sizeof(bad_pfns) / sizeof(*bad_pfns); i++) {
		inflate(0x600);
		expect("reclaim 600+1;");
		pages(VIRTIO_BALLOON_QUEUE_INFLATE, bad_pfns[i].pfns, 4);
		failed(bad_pfns[i].words);
		expect("");
		cr_assert_eq(ballooned(), 1);
		cr_assert_eq(vd_used(&vd, VIRTIO_BALLOON_QUEUE_INFLATE)->idx, 1);
		put(VIRTIO_MMIO_STATUS, 0);
		cr_assert_neq(get(VIRTIO_MMIO_STATUS), 0); /* until the pages are back */
		serve();
		expect("release 600+1;");
		cr_assert_eq(get(VIRTIO_MMIO_STATUS), 0);
		cr_assert_eq(ballooned(), 0);
		drive(ALL);
	}
}

static void forget_calls(void)
{
	put(VIRTIO_MMIO_STATUS, 0);
	serve();
	drive(ALL);
}

/* Runs of any length anywhere: what the balloon holds is what a plain array says, and a run half in it is refused. */
Test(balloon, random_runs)
{
	static bool in[0x1000]; /* by page number */
	uint32_t pfns[200];
	unsigned mixed = 0;

	for (int step = 0; step < 3000; step++) {
		const uint32_t n = 1 + rand() % (step % 2 ? 200 : 3), first = 0x400 + rand() % (0x1000 - 0x400 - n);
		uint32_t ballooned_before = 0;

		for (uint32_t i = 0; i < n; i++) {
			pfns[i] = first + i;
			ballooned_before += in[first + i];
		}
		pages(step % 3 ? VIRTIO_BALLOON_QUEUE_INFLATE : VIRTIO_BALLOON_QUEUE_DEFLATE, pfns, n);
		if (ballooned_before == (step % 3 ? 0 : n)) {
			memset(in + first, step % 3 != 0, n);
		} else {
			failed("in the balloon");
			forget_calls();
			memset(in, 0, sizeof(in));
			mixed++;
		}
		ballooned_before = 0;
		for (size_t i = 0; i < sizeof(in); i++)
			ballooned_before += in[i];
		cr_assert_eq(ballooned(), ballooned_before, "step %d", step);
	}
	cr_assert(mixed > 100 && mixed < 2900, "%u", mixed);
}

Test(balloon, deflates_only_what_it_holds)
{
	inflate(0x600, 0x601);
	deflate(0x600, 0x602);
	failed("not in the balloon");
	cr_assert_eq(ballooned(), 2);
}

Test(balloon, requests_of_odd_shapes)
{
	static const struct {
		uint64_t at;
		uint32_t len;
		uint16_t flags;
		const char *words;
	} bad[] = {{PFNS, 0, 0, "whole number"},
	           {PFNS, 3, 0, "whole number"},
	           {PFNS, 4, VIRTQ_DESC_WRITE, "to write to"},
	           {PFNS, (BALLOON_PFNS_MAX + 1) * 4, 0, "too many"},
	           {VD_MEMORY - 4, 8, 0, "outside memory"},
	           {PFNS, 4, VIRTQ_DESC_INDIRECT, "indirect"},
	           {~0ull, 4, 0, "wraps"}};

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		give(VIRTIO_BALLOON_QUEUE_INFLATE, bad[i].at, bad[i].len, bad[i].flags);
		serve();
		failed(bad[i].words);
		expect("");
		put(VIRTIO_MMIO_STATUS, 0);
		serve();
		drive(ALL);
	}
}

/* Every other page: the most runs that ops take at once, then the rest. */
static void inflate_single_pages(uint32_t n)
{
	uint32_t pfns[BALLOON_RUNS_MAX + 3];

	for (uint32_t i = 0; i < n; i++)
		pfns[i] = 0x700 + 2 * i;
	pages(VIRTIO_BALLOON_QUEUE_INFLATE, pfns, n);
}

/* More runs than ops take at once come in several calls, none is left out. */
Test(balloon, many_runs)
{
	inflate_single_pages(BALLOON_RUNS_MAX + 2);
	cr_assert_eq(ballooned(), BALLOON_RUNS_MAX + 2);
	cr_assert_eq(last_runs, 2);
}

/* The host's own failure: what was done before it counts, the rest does not. */
Test(balloon, host_failure)
{
	reclaim_fails = 2;
	inflate_single_pages(BALLOON_RUNS_MAX + 2);
	failed("host could not");
	cr_assert_eq(ballooned(), BALLOON_RUNS_MAX);
}

/* A host that gives some runs back and no more: those are the guest's, the others stay in the balloon. */
Test(balloon, host_gives_some_back)
{
	inflate(0x600, 0x602, 0x604);
	expect("reclaim 600+1;and 602+1;and 604+1;");
	release_fails = 3;
	deflate(0x600, 0x602, 0x604);
	failed("the host could not give memory back");
	expect("release 600+1;and 602+1;");
	cr_assert_eq(ballooned(), 1);
}

/* All of memory but the image, page by page from the top, and back through a reset: two runs each side of it. */
Test(balloon, everything)
{
	const uint32_t low = RAM_LOW >> PAGE_SHIFT, high = RAM_HIGH >> PAGE_SHIFT, image = IMAGE >> PAGE_SHIFT;
	uint32_t *pfns = malloc((low + high) * sizeof(*pfns)), n = 0;

	for (uint32_t i = high; i-- > 0;)
		pfns[n++] = (HIGH_BASE >> PAGE_SHIFT) + i;
	for (uint32_t i = low; i-- > 0;)
		if (i < image || i >= image + 512)
			pfns[n++] = i;
	pages(VIRTIO_BALLOON_QUEUE_INFLATE, pfns, n);
	expect("reclaim 0+200;and 400+c00;and 100000+400;");
	put(VIRTIO_MMIO_STATUS, 0);
	serve();
	expect("release 0+200;release 400+c00;release 100000+400;");
	free(pfns);
}

static atomic_int live_interrupts;

static void on_live_interrupt(void *ctx)
{
	live_interrupts++;
}

/* With its worker: a notification is served by another thread, and stopping waits for it. */
Test(balloon, worker)
{
	balloon_destroy(&balloon);
	cr_assert_eq(balloon_init(&balloon, &(struct balloon_config){.ram = {{gpa_init(0), RAM_LOW}},
	                                                             .features = VIRTIO_BALLOON_F_REPORTING,
	                                                             .mem = vd.mem,
	                                                             .interrupt = on_live_interrupt,
	                                                             .ops = &ops,
	                                                             .counters = &counters}),
	             0);
	drive(ALL);
	*(uint32_t *)(void *)(vd.bytes + PFNS) = 0x700;
	give(VIRTIO_BALLOON_QUEUE_INFLATE, PFNS, 4, 0);
	for (int i = 0; i < 10000 && !live_interrupts; i++)
		usleep(1000);
	balloon_stop(&balloon);
	expect("reclaim 700+1;");
	cr_assert_eq(live_interrupts, 1);
}
