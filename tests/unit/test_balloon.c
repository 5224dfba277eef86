/* SPDX-License-Identifier: MIT */
/* The balloon device, driven through its registers and queues, with ops that record what they were asked to do. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "virtio/balloon.h"
#include "virtq_driver.h"

#define SIZE      8
#define RAM_LOW   (16ull << 20)
#define HIGH_BASE 0x100000000ull
#define RAM_HIGH  (4ull << 20)
#define IMAGE     0x200000ull /* one 2 MiB page that may not be given away */
#define PFNS      0x20000ull  /* where the tests put requests */
#define ALL       (VIRTIO_BALLOON_F_MUST_TELL_HOST | VIRTIO_BALLOON_F_STATS_VQ | VIRTIO_BALLOON_F_REPORTING)

static struct vd vd;
static struct balloon b;
static int interrupts, reclaim_fails;
static unsigned last_runs; /* of the last call of op_reclaim */
static char calls[4096]; /* what ops were asked for, in words */
static void (*during_reclaim)(void);

static void note(const char *what, gpa_t at, uint64_t size)
{
	const size_t len = strlen(calls);

	snprintf(calls + len, sizeof(calls) - len, "%s %llx+%llx;", what, (unsigned long long)gpa_raw(at) >> PAGE_SHIFT,
	         (unsigned long long)size >> PAGE_SHIFT);
}

static const char *op_refusal(void *ctx, gpa_t at, uint64_t size)
{
	return gpa_raw(at) < IMAGE + PAGE_2M && gpa_raw(at) + size > IMAGE ? "a page lies in the kernel image" : NULL;
}

static int op_reclaim(void *ctx, const struct balloon_run *run, unsigned n)
{
	if (during_reclaim)
		during_reclaim();
	if (reclaim_fails && --reclaim_fails == 0)
		return -ENOMEM;
	last_runs = n;
	for (unsigned i = 0; i < n; i++)
		note(i ? "and" : "reclaim", gfn_to_gpa(gfn_init(run[i].pfn)), run[i].pages * PAGE_SIZE);
	return 0;
}

static int op_release(void *ctx, gpa_t at, uint64_t size)
{
	note("release", at, size);
	return 0;
}

static int op_discard(void *ctx, gpa_t at, uint64_t size)
{
	note("discard", at, size);
	return 0;
}

static void on_change(void *ctx, uint64_t bytes)
{
	note("changed", gpa_init(0), bytes);
}

static const struct balloon_ops ops = {op_refusal, op_reclaim, op_release, op_discard};

static void on_interrupt(void *ctx)
{
	interrupts++;
}

static uint32_t get(uint64_t off)
{
	uint32_t v;

	cr_assert(virtio_mmio_access(
	    &b.transport, &(struct bus_access){.offset = off, .size = 4, .count = 1, .data = (uint8_t *)&v}));
	return v;
}

static bool put(uint64_t off, uint32_t v)
{
	return virtio_mmio_access(
	    &b.transport,
	    &(struct bus_access){.offset = off, .size = 4, .count = 1, .write = true, .data = (uint8_t *)&v});
}

static void drive(uint64_t features)
{
	static const int queues[] = {VIRTIO_BALLOON_QUEUE_INFLATE, VIRTIO_BALLOON_QUEUE_DEFLATE,
	                             VIRTIO_BALLOON_QUEUE_STATS, VIRTIO_BALLOON_QUEUE_REPORTING};

	put(VIRTIO_MMIO_STATUS, 1);
	put(VIRTIO_MMIO_STATUS, 3);
	put(VIRTIO_MMIO_DRIVER_FEATURES, features);
	put(VIRTIO_MMIO_DRIVER_FEATURES_SEL, 1);
	put(VIRTIO_MMIO_DRIVER_FEATURES, 1);
	put(VIRTIO_MMIO_STATUS, 0xb);
	memset(vd.bytes + VD_DESC, 0, VIRTIO_BALLOON_QUEUES * VD_RINGS);
	for (size_t i = 0; i < 4; i++) {
		put(VIRTIO_MMIO_QUEUE_SEL, queues[i]);
		put(VIRTIO_MMIO_QUEUE_NUM, SIZE);
		put(VIRTIO_MMIO_QUEUE_DESC_LOW, VD_DESC + queues[i] * VD_RINGS);
		put(VIRTIO_MMIO_QUEUE_DRIVER_LOW, VD_AVAIL + queues[i] * VD_RINGS);
		put(VIRTIO_MMIO_QUEUE_DEVICE_LOW, VD_USED + queues[i] * VD_RINGS);
		put(VIRTIO_MMIO_QUEUE_READY, 1);
	}
	put(VIRTIO_MMIO_STATUS, 0xf);
}

static void setup(void)
{
	struct balloon_config config = {
	    .ram = {{gpa_init(0), RAM_LOW}, {gpa_init(HIGH_BASE), RAM_HIGH}},
	    .features = VIRTIO_BALLOON_F_REPORTING,
	    .interrupt = on_interrupt,
	    .ops = &ops,
	};

	vd_init(&vd);
	config.mem = vd.mem;
	cr_assert_eq(balloon_init(&b, &config), 0);
	balloon_stop(&b); /* no thread: the tests step by themselves */
	dup2(open("/dev/null", O_WRONLY), STDERR_FILENO);
	drive(ALL);
}

static void teardown(void)
{
	balloon_destroy(&b);
	free(vd.bytes);
}

TestSuite(balloon, .init = setup, .fini = teardown);

static void serve(void)
{
	while (balloon_serve(&b))
		;
}

static void give(int queue, uint64_t at, uint32_t len, uint16_t flags)
{
	vd_desc(&vd, queue)[0] = (struct virtq_desc){at, len, flags, 0};
	vd_offer(&vd, queue, SIZE, 0);
	put(VIRTIO_MMIO_QUEUE_NOTIFY, queue);
}

/* One request of these PFNs, served. */
static void pages(int queue, const uint32_t *pfns, uint32_t n)
{
	memcpy(vd.bytes + PFNS, pfns, n * sizeof(*pfns));
	give(queue, PFNS, n * sizeof(*pfns), 0);
	serve();
}
#define inflate(...)                                                                                                   \
	pages(VIRTIO_BALLOON_QUEUE_INFLATE, (const uint32_t[]){__VA_ARGS__},                                           \
	      sizeof((const uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t))
#define deflate(...)                                                                                                   \
	pages(VIRTIO_BALLOON_QUEUE_DEFLATE, (const uint32_t[]){__VA_ARGS__},                                           \
	      sizeof((const uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t))

static void expect(const char *want)
{
	cr_assert_str_eq(calls, want);
	calls[0] = 0;
}

static void failed(const char *words)
{
	struct balloon_status s;

	balloon_get_status(&b, &s);
	cr_assert(s.failure && strstr(s.failure, words), "'%s' is not in: %s", words,
	          s.failure ? s.failure : "(nothing)");
	cr_assert(get(VIRTIO_MMIO_STATUS) & VIRTIO_STATUS_NEEDS_RESET);
	cr_assert_not(s.driver);
}

static uint64_t held(void)
{
	struct balloon_status s;

	balloon_get_status(&b, &s);
	return s.held / PAGE_SIZE;
}

/* In any order: ops see runs, ascending, none across the gap between the two ranges of memory. */
Test(balloon, coalesces_runs)
{
	inflate(0x102, 0x100, 0x101, 0x500, 0xfff, 0x100000, 0x502, 0x501);
	expect("reclaim 100+3;and 500+3;and fff+1;and 100000+1;");
	cr_assert_eq(held(), 8);
	cr_assert_eq(vd_used(&vd, VIRTIO_BALLOON_QUEUE_INFLATE)->idx, 1);
	cr_assert_eq(interrupts, 1);
	deflate(0x501, 0x101, 0x100000);
	expect("release 101+1;release 501+1;release 100000+1;");
	cr_assert_eq(held(), 5);
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
		cr_assert_eq(held(), 1);
		cr_assert_eq(vd_used(&vd, VIRTIO_BALLOON_QUEUE_INFLATE)->idx, 1);
		put(VIRTIO_MMIO_STATUS, 0);
		cr_assert_neq(get(VIRTIO_MMIO_STATUS), 0); /* until the pages are back */
		serve();
		expect("release 600+1;");
		cr_assert_eq(get(VIRTIO_MMIO_STATUS), 0);
		cr_assert_eq(held(), 0);
		drive(ALL);
	}
}

Test(balloon, deflates_only_what_it_holds)
{
	inflate(0x600, 0x601);
	deflate(0x600, 0x602);
	failed("not in the balloon");
	cr_assert_eq(held(), 2);
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
	cr_assert_eq(held(), BALLOON_RUNS_MAX + 2);
	cr_assert_eq(last_runs, 2);
}

/* The host's own failure: what was done before it counts, the rest does not. */
Test(balloon, host_failure)
{
	reclaim_fails = 2;
	inflate_single_pages(BALLOON_RUNS_MAX + 2);
	failed("host could not");
	cr_assert_eq(held(), BALLOON_RUNS_MAX);
}

/* 5.5.3.1: the device may insist, and must: pages taken back untold would be reached while the host has them. */
Test(balloon, must_tell_host)
{
	put(VIRTIO_MMIO_STATUS, 0);
	drive(VIRTIO_BALLOON_F_STATS_VQ);
	cr_assert_not(get(VIRTIO_MMIO_STATUS) & VIRTIO_STATUS_FEATURES_OK);
}

/* Off by default, on when asked for. */
Test(balloon, optional_features)
{
	static const uint64_t features[] = {0, VIRTIO_BALLOON_F_DEFLATE_ON_OOM, VIRTIO_BALLOON_F_REPORTING,
	                                    BALLOON_OPTIONAL};

	for (size_t i = 0; i < sizeof(features) / sizeof(*features); i++) {
		balloon_destroy(&b);
		cr_assert_eq(balloon_init(&b, &(struct balloon_config){.ram = {{gpa_init(0), RAM_LOW}},
		                                                       .features = features[i],
		                                                       .mem = vd.mem,
		                                                       .interrupt = on_interrupt,
		                                                       .ops = &ops}),
		             0);
		balloon_stop(&b);
		cr_assert_eq(get(VIRTIO_MMIO_DEVICE_FEATURES) & BALLOON_OPTIONAL, features[i]);
	}
}

/* Without STATS_VQ and REPORTING their queues are not there. */
Test(balloon, queues_need_features)
{
	put(VIRTIO_MMIO_STATUS, 0);
	drive(VIRTIO_BALLOON_F_MUST_TELL_HOST);
	for (int i = 0; i < 6; i++) {
		put(VIRTIO_MMIO_QUEUE_SEL, i);
		cr_assert_eq(get(VIRTIO_MMIO_QUEUE_NUM_MAX) != 0, i < 2, "queue %d", i);
	}
}

Test(balloon, target)
{
	const uint32_t generation = get(VIRTIO_MMIO_CONFIG_GENERATION);
	struct balloon_status s;

	cr_assert_eq(balloon_set_target(&b, PAGE_SIZE + 1), -EINVAL);
	cr_assert_eq(balloon_set_target(&b, RAM_LOW + RAM_HIGH + PAGE_SIZE), -ERANGE);
	cr_assert_eq(balloon_set_target(&b, ~0ull << PAGE_SHIFT), -ERANGE);
	cr_assert_eq(interrupts, 0);
	cr_assert_eq(balloon_set_target(&b, RAM_LOW + RAM_HIGH), 0);
	cr_assert_eq(interrupts, 1);
	cr_assert_eq(get(VIRTIO_MMIO_INTERRUPT_STATUS), VIRTIO_MMIO_INTERRUPT_CFG);
	cr_assert_neq(get(VIRTIO_MMIO_CONFIG_GENERATION), generation);
	cr_assert_eq(get(VIRTIO_MMIO_CONFIG), (RAM_LOW + RAM_HIGH) >> PAGE_SHIFT);
	cr_assert_eq(balloon_set_target(&b, RAM_LOW + RAM_HIGH), 0); /* no news */
	cr_assert_eq(interrupts, 1);
	balloon_get_status(&b, &s);
	cr_assert_eq(s.target, RAM_LOW + RAM_HIGH);
	cr_assert_eq(s.ram, RAM_LOW + RAM_HIGH);
	cr_assert(s.driver);
	put(VIRTIO_MMIO_STATUS, 0);
	balloon_get_status(&b, &s);
	cr_assert_not(s.driver);
	cr_assert_eq(balloon_set_target(&b, PAGE_SIZE), 0); /* for a driver to come */
	cr_assert_eq(interrupts, 1);
}

/* num_pages is the device's; `actual` is what the driver says, and a lie shows. */
Test(balloon, actual)
{
	struct balloon_status s;

	cr_assert_not(put(VIRTIO_MMIO_CONFIG, 7));
	inflate(0x700, 0x701);
	expect("reclaim 700+2;");
	balloon_set_listener(&b, on_change, NULL);
	cr_assert(put(VIRTIO_MMIO_CONFIG + 4, 0xffffffff));
	expect("changed 0+2;");
	balloon_get_status(&b, &s);
	cr_assert_eq(s.held, 2 * PAGE_SIZE);
	cr_assert_eq(s.claimed, 0xffffffffull << PAGE_SHIFT);
	cr_assert_eq(get(VIRTIO_MMIO_CONFIG + 4), 0xffffffff);
}

static void stat(int i, uint16_t tag, uint64_t value)
{
	const struct virtio_balloon_stat s = {tag, value};

	memcpy(vd.bytes + PFNS + i * sizeof(s), &s, sizeof(s));
}

/* The first buffer comes by itself, the next when asked for; unknown tags are passed over. */
Test(balloon, statistics)
{
	struct balloon_stats s;

	balloon_get_stats(&b, &s);
	cr_assert_eq(s.seq, 0);
	stat(0, VIRTIO_BALLOON_S_MEMFREE, 1234);
	stat(1, 999, 1);
	stat(2, VIRTIO_BALLOON_S_MEMTOT, ~0ull);
	give(VIRTIO_BALLOON_QUEUE_STATS, PFNS, 30, 0);
	serve();
	balloon_get_stats(&b, &s);
	cr_assert_eq(s.seq, 1);
	cr_assert_eq(s.valid, 1u << VIRTIO_BALLOON_S_MEMFREE | 1u << VIRTIO_BALLOON_S_MEMTOT);
	cr_assert_eq(s.value[VIRTIO_BALLOON_S_MEMFREE], 1234);
	cr_assert_eq(s.value[VIRTIO_BALLOON_S_MEMTOT], ~0ull);
	cr_assert_eq(vd_used(&vd, VIRTIO_BALLOON_QUEUE_STATS)->idx, 0); /* kept */
	balloon_request_stats(&b);
	serve();
	cr_assert_eq(vd_used(&vd, VIRTIO_BALLOON_QUEUE_STATS)->idx, 1);
	cr_assert_eq(interrupts, 1);
	balloon_request_stats(&b); /* while the driver is at it: granted with its next buffer, at once */
	serve();
	give(VIRTIO_BALLOON_QUEUE_STATS, PFNS, 10, 0);
	serve();
	balloon_get_stats(&b, &s);
	cr_assert_eq(s.seq, 2);
	cr_assert_eq(s.valid, 1u << VIRTIO_BALLOON_S_MEMFREE);
	cr_assert_eq(vd_used(&vd, VIRTIO_BALLOON_QUEUE_STATS)->idx, 2);
}

/* The buffer that was kept is the old driver's; the next one's is taken as the first was, and wanted anew. */
Test(balloon, statistics_after_a_reset)
{
	struct balloon_stats s;

	stat(0, VIRTIO_BALLOON_S_MEMFREE, 1);
	for (int i = 1; i <= 2; i++) {
		give(VIRTIO_BALLOON_QUEUE_STATS, PFNS, 10, 0);
		serve();
		balloon_get_stats(&b, &s);
		cr_assert_eq(s.seq, (uint64_t)i);
		cr_assert_eq(vd_used(&vd, VIRTIO_BALLOON_QUEUE_STATS)->idx, 0);
		put(VIRTIO_MMIO_STATUS, 0);
		drive(ALL);
	}
}

/* A second buffer waits its turn: none is lost, and each goes back once. */
Test(balloon, two_statistics_buffers)
{
	struct balloon_stats s;

	stat(0, VIRTIO_BALLOON_S_MEMFREE, 1);
	stat(1, VIRTIO_BALLOON_S_MEMFREE, 2);
	for (uint16_t i = 0; i < 2; i++) {
		vd_desc(&vd, VIRTIO_BALLOON_QUEUE_STATS)[i] = (struct virtq_desc){PFNS + i * 10, 10, 0, 0};
		vd_offer(&vd, VIRTIO_BALLOON_QUEUE_STATS, SIZE, i);
	}
	serve();
	for (uint16_t i = 0; i < 2; i++) {
		balloon_get_stats(&b, &s);
		cr_assert_eq(s.seq, i + 1);
		cr_assert_eq(s.value[VIRTIO_BALLOON_S_MEMFREE], i + 1);
		balloon_request_stats(&b);
		serve();
		cr_assert_eq(vd_used(&vd, VIRTIO_BALLOON_QUEUE_STATS)->idx, i + 1);
		cr_assert_eq(vd_used(&vd, VIRTIO_BALLOON_QUEUE_STATS)->ring[i].id, i);
	}
}

Test(balloon, bad_statistics)
{
	static const struct {
		uint64_t at;
		uint32_t len;
		uint16_t flags;
		const char *words;
	} bad[] = {{PFNS, 0, 0, "whole number"},
	           {PFNS, 9, 0, "whole number"},
	           {PFNS, 11, 0, "whole number"},
	           {PFNS, (BALLOON_STATS_MAX + 1) * 10, 0, "too many"},
	           {PFNS, 0xfffffffa, 0, "too many"},
	           {PFNS, 10, VIRTQ_DESC_WRITE, "to write to"},
	           {VD_MEMORY - 5, 10, 0, "outside memory"}};
	struct balloon_stats s;

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		give(VIRTIO_BALLOON_QUEUE_STATS, bad[i].at, bad[i].len, bad[i].flags);
		serve();
		failed(bad[i].words);
		put(VIRTIO_MMIO_STATUS, 0);
		drive(ALL);
	}
	balloon_get_stats(&b, &s);
	cr_assert_eq(s.seq, 0);
}

/* Reported pages stay the guest's; they are not in the balloon, and nothing that is may be reported. */
Test(balloon, reporting)
{
	give(VIRTIO_BALLOON_QUEUE_REPORTING, 0x400000, 0x200000, VIRTQ_DESC_WRITE);
	serve();
	expect("discard 400+200;");
	cr_assert_eq(held(), 0);
	cr_assert_eq(vd_used(&vd, VIRTIO_BALLOON_QUEUE_REPORTING)->idx, 1);
	inflate(0x500);
	expect("reclaim 500+1;");
	give(VIRTIO_BALLOON_QUEUE_REPORTING, 0x400000, 0x200000, VIRTQ_DESC_WRITE);
	serve();
	failed("in the balloon");
	expect("");
}

Test(balloon, bad_reports)
{
	static const struct {
		uint64_t at;
		uint32_t len;
		uint16_t flags;
		const char *words;
	} bad[] = {{0x400000, 0x1000, 0, "to read from"},
	           {0x400001, 0x1000, VIRTQ_DESC_WRITE, "whole pages"},
	           {0x400000, 0xfff, VIRTQ_DESC_WRITE, "whole pages"},
	           {0x400000, 0, VIRTQ_DESC_WRITE, "whole pages"},
	           {RAM_LOW - 0x1000, 0x2000, VIRTQ_DESC_WRITE, "outside memory"},
	           {0xd0000000, 0x1000, VIRTQ_DESC_WRITE, "outside memory"},
	           {0x1ff000, 0x2000, VIRTQ_DESC_WRITE, "kernel image"}};

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		give(VIRTIO_BALLOON_QUEUE_REPORTING, bad[i].at, bad[i].len, bad[i].flags);
		serve();
		failed(bad[i].words);
		expect("");
		put(VIRTIO_MMIO_STATUS, 0);
		drive(ALL);
	}
}

static void reset_now(void)
{
	put(VIRTIO_MMIO_STATUS, 0);
	cr_assert_neq(get(VIRTIO_MMIO_STATUS), 0);
}

/* A reset while the worker is with ops: its buffer is not given back, its pages are. */
Test(balloon, reset_during_a_request)
{
	during_reclaim = reset_now;
	inflate(0x700);
	during_reclaim = NULL;
	expect("reclaim 700+1;release 700+1;");
	cr_assert_eq(get(VIRTIO_MMIO_STATUS), 0);
	cr_assert_eq(vd_used(&vd, VIRTIO_BALLOON_QUEUE_INFLATE)->idx, 0);
	cr_assert_eq(held(), 0);
	drive(ALL);
	inflate(0x700);
	expect("reclaim 700+1;");
}

/* What goes wrong with a request from before a reset is no failure of the driver after it. */
Test(balloon, failure_during_a_reset)
{
	during_reclaim = reset_now;
	reclaim_fails = 1;
	inflate(0x700);
	expect("");
	cr_assert_eq(get(VIRTIO_MMIO_STATUS), 0);
	cr_assert_eq(b.transport.failures, 0);
	cr_assert_eq(interrupts, 0);
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
	balloon_destroy(&b);
	cr_assert_eq(balloon_init(&b, &(struct balloon_config){.ram = {{gpa_init(0), RAM_LOW}},
	                                                       .features = VIRTIO_BALLOON_F_REPORTING,
	                                                       .mem = vd.mem,
	                                                       .interrupt = on_live_interrupt,
	                                                       .ops = &ops}),
	             0);
	drive(ALL);
	*(uint32_t *)(void *)(vd.bytes + PFNS) = 0x700;
	give(VIRTIO_BALLOON_QUEUE_INFLATE, PFNS, 4, 0);
	for (int i = 0; i < 10000 && !live_interrupts; i++)
		usleep(1000);
	balloon_stop(&b);
	expect("reclaim 700+1;");
	cr_assert_eq(live_interrupts, 1);
}
