/* SPDX-License-Identifier: MIT */
/*
 * Rows about the balloon (virtio 1.2, 5.5). The driver gives away just what a row wants, run by run. It waits for the
 * device in a loop, as a busy guest would. It runs at CPL 3 like any row: the device is mapped there (tables.S).
 *
 *   single pages   every other page of the arena, so that no two make a run
 *   blocks         every other 2 MiB
 */
#include <gnomon/abi.h>

#include "balloon.h"
#include "chase_core.h"
#include "cost.h"
#include "virtio.h"

#define PAGE            4096ull
#define BLOCK           0x200000ull
#define PAGES           512               /* of a block */
#define REPORTING       2                 /* its place in queues[] */
#define REQUEST_SINGLES 1024              /* pages of one request at most */
#define REQUEST_BLOCKS  VIRTIO_QUEUE_SIZE /* a report takes a descriptor for each block */
#define PFNS            (REQUEST_BLOCKS * PAGES)
#define SLICE_FIRST     100 /* of a block */
#define SLICE_PAGES     16
#define BLOCKS          (COST_ARENA / BLOCK)
#define RING            (BLOCKS * (PAGES - 1)) /* lines */
#define SPINS           (1ull << 30)

static struct virtio_device device = {.registers = GNOMON_VIRTIO_BASE}; /* the image lies at its own address */
static struct virtio_queue queues[3];
static const int queue_number[] = {VIRTIO_BALLOON_QUEUE_INFLATE, VIRTIO_BALLOON_QUEUE_DEFLATE,
                                   VIRTIO_BALLOON_QUEUE_REPORTING};

static uint32_t pfns[PFNS] __attribute__((aligned(4096)));
static uint32_t nr_pfns;
static void **ring;
static bool failed;

/* check_balloon() finds out about a device that refuses. */
static void start(void)
{
	failed = !virtio_negotiate(&device, 0, VIRTIO_BALLOON_F_MUST_TELL_HOST | VIRTIO_BALLOON_F_REPORTING);
	for (uint32_t i = 0; i < (device.features & VIRTIO_BALLOON_F_REPORTING ? 3 : 2); i++) {
		queues[i].avail.flags = VIRTQ_AVAIL_NO_INTERRUPT;
		failed |= !virtio_set_queue(&device, queue_number[i], &queues[i]);
	}
	virtio_start(&device);
}

/*
 * Offers the chain that begins with descriptor 0, and waits until the device has used it. The loop is part of what is
 * measured, so it makes no exits.
 */
static void offer(int queue)
{
	virtio_offer(&device, queue_number[queue], &queues[queue]);
	for (uint64_t i = 0; !virtio_is_done(&queues[queue]); i++) {
		if (failed || i == SPINS) {
			failed = true;
			break;
		}
		__asm__ volatile("pause");
	}
}

/* Gives a queue the pages noted since the last request. */
static void request(int queue)
{
	queues[queue].desc[0] = (struct virtq_desc){.addr = (uint64_t)pfns, .len = nr_pfns * sizeof(*pfns)};
	offer(queue);
	nr_pfns = 0;
}

static void note(uint64_t at, uint32_t pages)
{
	for (uint32_t i = 0; i < pages; i++)
		pfns[nr_pfns++] = at / PAGE + i;
}

static void touch(uint64_t at, uint32_t pages)
{
	for (uint32_t i = 0; i < pages; i++)
		*(volatile uint8_t *)(at + i * PAGE) = 1;
}

static inline uint64_t single(uint32_t i)
{
	return COST_FRAMES + 2 * i * PAGE;
}

static inline uint64_t block(uint32_t i)
{
	return COST_FRAMES + 2 * i * BLOCK;
}

static void singles(uint32_t from, uint32_t n, int queue)
{
	for (uint32_t i = 0; i < n; i++) {
		note(single(from + i), 1);
		if (nr_pfns == REQUEST_SINGLES || i == n - 1)
			request(queue);
	}
}

static void blocks(uint32_t from, uint32_t n, int queue)
{
	for (uint32_t i = 0; i < n; i++) {
		note(block(from + i), PAGES);
		if (nr_pfns == REQUEST_BLOCKS * PAGES || i == n - 1)
			request(queue);
	}
}

void prepare_untouched(uint32_t most)
{
	start();
}

/* The neighbours are in use as well. */
void prepare_singles(uint32_t most)
{
	touch(COST_FRAMES, 2 * most);
	start();
}

void prepare_singles_away(uint32_t most)
{
	prepare_singles(most);
	singles(0, most, VIRTIO_BALLOON_QUEUE_INFLATE);
}

void prepare_blocks(uint32_t most)
{
	touch(COST_FRAMES, 2 * most * PAGES);
	start();
}

void prepare_blocks_away(uint32_t most)
{
	prepare_blocks(most);
	blocks(0, most, VIRTIO_BALLOON_QUEUE_INFLATE);
}

void run_reclaim_4k(uint32_t from, uint32_t n)
{
	singles(from, n, VIRTIO_BALLOON_QUEUE_INFLATE);
}

void run_return_4k(uint32_t from, uint32_t n)
{
	singles(from, n, VIRTIO_BALLOON_QUEUE_DEFLATE);
}

void run_return_touch_4k(uint32_t from, uint32_t n)
{
	run_return_4k(from, n);
	for (uint32_t i = from; i < from + n; i++)
		touch(single(i), 1);
}

void run_reclaim_2m(uint32_t from, uint32_t n)
{
	blocks(from, n, VIRTIO_BALLOON_QUEUE_INFLATE);
}

/* Free page reporting: the host takes the content, the guest keeps the pages. */
void run_report_2m(uint32_t from, uint32_t n)
{
	struct virtq_desc *d = queues[REPORTING].desc;

	for (uint32_t i = 0, k = 0; i < n; i++) {
		const bool last = k == REQUEST_BLOCKS - 1 || i == n - 1;

		d[k] = (struct virtq_desc){.addr = block(from + i),
		                           .len = BLOCK,
		                           .flags = VIRTQ_DESC_WRITE | (last ? 0 : VIRTQ_DESC_NEXT),
		                           .next = k + 1};
		k = last ? 0 : k + 1;
		if (last)
			offer(REPORTING);
	}
}

void run_return_2m(uint32_t from, uint32_t n)
{
	blocks(from, n, VIRTIO_BALLOON_QUEUE_DEFLATE);
}

void run_return_touch_2m(uint32_t from, uint32_t n)
{
	run_return_2m(from, n);
	for (uint32_t i = from; i < from + n; i++)
		touch(block(i), PAGES);
}

static void touch_rest(uint64_t at)
{
	touch(at, SLICE_FIRST);
	touch(at + (SLICE_FIRST + SLICE_PAGES) * PAGE, PAGES - SLICE_FIRST - SLICE_PAGES);
}

/* Takes the slice out of the middle. The rest stays. */
void run_split(uint32_t from, uint32_t n)
{
	for (uint32_t i = from; i < from + n; i++) {
		note(block(i) + SLICE_FIRST * PAGE, SLICE_PAGES);
		request(VIRTIO_BALLOON_QUEUE_INFLATE);
		touch_rest(block(i));
	}
}

/* Takes all and gives the rest back, with the same end. */
void run_zap(uint32_t from, uint32_t n)
{
	for (uint32_t i = from; i < from + n; i++) {
		blocks(i, 1, VIRTIO_BALLOON_QUEUE_INFLATE);
		note(block(i), SLICE_FIRST);
		note(block(i) + (SLICE_FIRST + SLICE_PAGES) * PAGE, PAGES - SLICE_FIRST - SLICE_PAGES);
		request(VIRTIO_BALLOON_QUEUE_DEFLATE);
		touch_rest(block(i));
	}
}

/* Uses the sets of the cache evenly, as chase_line() does. */
static void **sparse_line(uint64_t i)
{
	const uint64_t page = i / (PAGES - 1) * PAGES + 1 + i % (PAGES - 1);

	return (void **)(COST_FRAMES + page * PAGE + chase_offset(page, 0));
}

static void **dense_line(uint64_t i)
{
	return (void **)(COST_FRAMES + i * CHASE_LINE);
}

/* One random cycle through all lines (Sattolo). */
static void link_ring(void **line(uint64_t i))
{
	uint64_t state = 1;

	touch(COST_FRAMES, BLOCKS * PAGES);
	for (uint64_t i = 0; i < RING; i++)
		*line(i) = line(i);
	for (uint64_t i = RING - 1; i > 0; i--) {
		void **a = line(i), **b = line(chase_random(&state) % i), *t = *a;

		*a = *b;
		*b = t;
	}
	ring = chase_walk(line(0), RING);
}

void prepare_load_dense(uint32_t most)
{
	link_ring(dense_line);
}

/* A line in each page but the first of a block. */
void prepare_load(uint32_t most)
{
	link_ring(sparse_line);
}

static void first_pages(uint32_t blocks, int queue)
{
	for (uint32_t i = 0; i < blocks; i++)
		note(COST_FRAMES + i * BLOCK, 1);
	request(queue);
}

void holes_make(uint32_t blocks)
{
	start();
	first_pages(blocks, VIRTIO_BALLOON_QUEUE_INFLATE);
}

void holes_fill(uint32_t blocks)
{
	first_pages(blocks, VIRTIO_BALLOON_QUEUE_DEFLATE);
}

void prepare_load_holes(uint32_t most)
{
	prepare_load(most);
	holes_make(BLOCKS);
	ring = chase_walk(ring, RING);
}

void prepare_load_joined(uint32_t most)
{
	prepare_load_holes(most);
	holes_fill(BLOCKS);
	ring = chase_walk(ring, RING);
}

void run_load(uint32_t from, uint32_t n)
{
	ring = chase_walk(ring, n);
}

bool check_balloon(uint32_t n)
{
	return !failed;
}
