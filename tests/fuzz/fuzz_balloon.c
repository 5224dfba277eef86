/* SPDX-License-Identifier: MIT */
/*
 * A hostile driver at the balloon: any register accesses, any rings, any requests, resets in between. Whatever it does,
 * ops see whole pages of RAM only, no page is reclaimed twice or released without having been reclaimed, none of the
 * image ever, the sum that the device tells agrees with ops, and after a reset the balloon is empty.
 *
 * Input: a byte that drives the device into a good state first or does not, then steps.
 */

#include "virtio/balloon.h"
#include "virtq_driver.h"

#define SIZE       8
#define RAM_BYTES  VD_MEMORY
#define RAM_PAGES  (RAM_BYTES / PAGE_SIZE)
#define HIGH_BASE  0x100000000ull
#define HIGH_PAGES 4
#define IMAGE_PAGE 0x60
#define REQUESTS   0x40000ull /* where steps write requests */

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct vd vd;
static struct balloon b;
static uint8_t taken[RAM_PAGES + HIGH_PAGES];
static uint64_t nr_taken;
static bool reset_next;

static void require(bool condition)
{
	if (!condition)
		abort();
}

static uint8_t *page_of(uint64_t pfn)
{
	if (pfn < RAM_PAGES)
		return &taken[pfn];
	require(pfn - HIGH_BASE / PAGE_SIZE < HIGH_PAGES);
	return &taken[RAM_PAGES + pfn - HIGH_BASE / PAGE_SIZE];
}

static void put(uint64_t off, uint32_t v)
{
	(void)virtio_mmio_access(
	    &b.transport,
	    &(struct bus_access){.offset = off, .size = 4, .count = 1, .write = true, .data = (uint8_t *)&v});
}

static uint32_t get(uint64_t off)
{
	uint32_t v = 0;

	(void)virtio_mmio_access(&b.transport,
	                         &(struct bus_access){.offset = off, .size = 4, .count = 1, .data = (uint8_t *)&v});
	return v;
}

static int change(gpa_t at, uint64_t size, bool take)
{
	require(size && !page_offset(gpa_raw(at)) && !page_offset(size));
	if (reset_next) { /* another vCPU resets the device while the worker is here */
		reset_next = false;
		put(VIRTIO_MMIO_STATUS, 0);
	}
	for (uint64_t i = 0; i < size / PAGE_SIZE; i++) {
		uint8_t *page = page_of(gpa_raw(at) / PAGE_SIZE + i);

		require(*page == !take && (!take || page != &taken[IMAGE_PAGE]));
		*page = take;
		nr_taken += take ? 1 : -1;
	}
	return 0;
}

static const char *op_refusal(void *ctx, gpa_t at, uint64_t size)
{
	const uint64_t image = IMAGE_PAGE * PAGE_SIZE;

	return gpa_raw(at) <= image && image < gpa_raw(at) + size ? "the image" : NULL;
}

static int op_reclaim(void *ctx, const struct balloon_run *run, unsigned n)
{
	require(n && n <= BALLOON_RUNS_MAX);
	for (unsigned i = 0; i < n; i++) {
		require(!i || run[i].pfn > run[i - 1].pfn + run[i - 1].pages);
		change(gfn_to_gpa(gfn_init(run[i].pfn)), run[i].pages * PAGE_SIZE, true);
	}
	return 0;
}

static int op_release(void *ctx, const struct balloon_run *run, unsigned n, unsigned *ret_done)
{
	require(n && n <= BALLOON_RUNS_MAX);
	for (unsigned i = 0; i < n; i++) {
		require(!i || run[i].pfn > run[i - 1].pfn + run[i - 1].pages);
		change(gfn_to_gpa(gfn_init(run[i].pfn)), run[i].pages * PAGE_SIZE, false);
	}
	*ret_done = n;
	return 0;
}

static int op_discard(void *ctx, gpa_t at, uint64_t size)
{
	require(size && !page_offset(gpa_raw(at)) && !page_offset(size));
	for (uint64_t i = 0; i < size / PAGE_SIZE; i++)
		require(!*page_of(gpa_raw(at) / PAGE_SIZE + i));
	return 0;
}

static void on_interrupt(void *ctx)
{
}

static void drive(void)
{
	static const int queues[] = {VIRTIO_BALLOON_QUEUE_INFLATE, VIRTIO_BALLOON_QUEUE_DEFLATE,
	                             VIRTIO_BALLOON_QUEUE_STATS, VIRTIO_BALLOON_QUEUE_REPORTING};

	put(VIRTIO_MMIO_STATUS, 0);
	put(VIRTIO_MMIO_STATUS, 1);
	put(VIRTIO_MMIO_STATUS, 3);
	put(VIRTIO_MMIO_DRIVER_FEATURES, get(VIRTIO_MMIO_DEVICE_FEATURES));
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

struct step {
	uint8_t what, queue;
	uint16_t a;
	uint32_t v;
} __attribute__((packed));

/* One request in order: up to 16 page numbers near each other, some of them odd. */
static void request(const struct step *s)
{
	const int queue = s->queue % VIRTIO_BALLOON_QUEUES;
	uint32_t *pfns = (void *)(vd.bytes + REQUESTS + queue * PAGE_SIZE);
	const uint32_t n = 1 + (s->a & 15);

	for (uint32_t i = 0; i < n; i++)
		pfns[i] = (s->v + i * (1 + (s->a >> 4 & 3))) % (RAM_PAGES + 1);
	if (s->a & 0x100)
		pfns[0] = HIGH_BASE / PAGE_SIZE + s->v % (HIGH_PAGES + 1);
	vd_desc(&vd, queue)[0] =
	    (struct virtq_desc){REQUESTS + queue * PAGE_SIZE, queue == VIRTIO_BALLOON_QUEUE_STATS ? n * 10 : n * 4,
	                        s->a >> 12 == 1 ? VIRTQ_DESC_WRITE : 0, 0};
	if (queue == VIRTIO_BALLOON_QUEUE_REPORTING)
		vd_desc(&vd, queue)[0] =
		    (struct virtq_desc){(uint64_t)pfns[0] << PAGE_SHIFT, n * (uint32_t)PAGE_SIZE, VIRTQ_DESC_WRITE, 0};
	vd_offer(&vd, queue, SIZE, 0);
}

static void do_step(const struct step *s)
{
	switch (s->what & 7) {
	case 0: /* any register, any width */
		(void)virtio_mmio_access(&b.transport,
		                         &(struct bus_access){.offset = s->a % 0x200,
		                                              .size = 1 << (s->queue & 3),
		                                              .count = 1,
		                                              .write = s->queue & 4,
		                                              .data = (uint8_t[8]){s->v & 0xff, s->v >> 8}});
		break;
	case 1:
		put(s->a % 0x80 * 4, s->v);
		break;
	case 2: /* any word of the rings */
		memcpy(vd.bytes + VD_DESC + s->a % (VIRTIO_BALLOON_QUEUES * VD_RINGS / 4 - 1) * 4, &s->v, 4);
		break;
	case 3:
		drive();
		break;
	case 4:
		reset_next = true;
		break;
	case 5:
		balloon_request_stats(&b);
		(void)!balloon_set_target(&b, (uint64_t)s->v << (s->a & 31));
		break;
	default:
		request(s);
	}
}

static void check(void)
{
	struct balloon_status status;

	balloon_get_status(&b, &status);
	require(status.ballooned == nr_taken * PAGE_SIZE && status.target <= status.ram);
	require(!(status.driver && status.failure));
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	vd_init(&vd);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct counters counters;
	static const struct balloon_ops ops = {op_refusal, op_reclaim, op_release, op_discard};
	const struct balloon_config config = {
	    .ram = {{gpa_init(0), RAM_BYTES}, {gpa_init(HIGH_BASE), HIGH_PAGES * PAGE_SIZE}},
	    .features = BALLOON_OPTIONAL,
	    .mem = vd.mem,
	    .interrupt = on_interrupt,
	    .ops = &ops,
	    .counters = &counters,
	};
	struct step s;

	if (!size || balloon_init(&b, &config) < 0)
		return 0;
	b.transport.failures = 1000; /* said often enough */
	balloon_stop(&b);
	memset(taken, 0, sizeof(taken));
	nr_taken = 0;
	if (data[0] & 1)
		drive();
	for (data++, size--; size >= sizeof(s); data += sizeof(s), size -= sizeof(s)) {
		memcpy(&s, data, sizeof(s));
		do_step(&s);
		if (s.what & 0x80)
			while (balloon_serve(&b))
				check();
		check();
	}
	put(VIRTIO_MMIO_STATUS, 0);
	while (balloon_serve(&b))
		;
	require(get(VIRTIO_MMIO_STATUS) == 0 && nr_taken == 0);
	balloon_destroy(&b);
	return 0;
}
