/* SPDX-License-Identifier: MIT */
#include "balloon_driver.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

struct vd vd;
struct balloon balloon;
int interrupts, reclaim_fails, release_fails;
unsigned last_runs;
void (*during_reclaim)(void);
static char calls[4096]; /* what ops were asked for, in words */

void note(const char *what, gpa_t at, uint64_t size)
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

static int op_release(void *ctx, const struct balloon_run *run, unsigned n, unsigned *ret_done)
{
	for (*ret_done = 0; *ret_done < n; ++*ret_done) {
		if (release_fails && --release_fails == 0)
			return -ENOMEM;
		note(*ret_done ? "and" : "release", gfn_to_gpa(gfn_init(run[*ret_done].pfn)),
		     run[*ret_done].pages * PAGE_SIZE);
	}
	return 0;
}

static int op_discard(void *ctx, gpa_t at, uint64_t size)
{
	note("discard", at, size);
	return 0;
}

struct counters counters;
const struct balloon_ops ops = {op_refusal, op_reclaim, op_release, op_discard};

void on_interrupt(void *ctx)
{
	interrupts++;
}

uint32_t get(uint64_t off)
{
	uint32_t v;

	cr_assert(virtio_mmio_access(
	    &balloon.transport, &(struct bus_access){.offset = off, .size = 4, .count = 1, .data = (uint8_t *)&v}));
	return v;
}

bool put(uint64_t off, uint32_t v)
{
	return virtio_mmio_access(
	    &balloon.transport,
	    &(struct bus_access){.offset = off, .size = 4, .count = 1, .write = true, .data = (uint8_t *)&v});
}

void drive(uint64_t features)
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
	    .counters = &counters,
	};

	vd_init(&vd);
	config.mem = vd.mem;
	cr_assert_eq(balloon_init(&balloon, &config), 0);
	balloon_stop(&balloon); /* no thread: the tests step by themselves */
	dup2(open("/dev/null", O_WRONLY), STDERR_FILENO);
	drive(ALL);
}

static void teardown(void)
{
	balloon_destroy(&balloon);
	free(vd.bytes);
}

TestSuite(balloon, .init = setup, .fini = teardown);

void serve(void)
{
	while (balloon_serve(&balloon))
		;
}

void give(int queue, uint64_t at, uint32_t len, uint16_t flags)
{
	vd_desc(&vd, queue)[0] = (struct virtq_desc){at, len, flags, 0};
	vd_offer(&vd, queue, SIZE, 0);
	put(VIRTIO_MMIO_QUEUE_NOTIFY, queue);
}

void pages(int queue, const uint32_t *pfns, uint32_t n)
{
	memcpy(vd.bytes + PFNS, pfns, n * sizeof(*pfns));
	give(queue, PFNS, n * sizeof(*pfns), 0);
	serve();
}

void expect(const char *want)
{
	cr_assert_str_eq(calls, want);
	calls[0] = 0;
}

void failed(const char *words)
{
	struct balloon_status s;

	balloon_get_status(&balloon, &s);
	cr_assert(s.failure && strstr(s.failure, words), "'%s' is not in: %s", words,
	          s.failure ? s.failure : "(nothing)");
	cr_assert(get(VIRTIO_MMIO_STATUS) & VIRTIO_STATUS_NEEDS_RESET);
	cr_assert_not(s.driver);
}

uint64_t ballooned(void)
{
	struct balloon_status s;

	balloon_get_status(&balloon, &s);
	return s.ballooned / PAGE_SIZE;
}
