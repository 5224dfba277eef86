/* SPDX-License-Identifier: MIT */
/* The split virtqueue against a driver that keeps to the specification, and against one that does not. */
#include <criterion/criterion.h>
#include <errno.h>

#include "virtq_driver.h"

#define SIZE 8

static struct vd vd;
static struct virtq q;
static struct virtq_chain chain;
static const char *why;

static void ready(uint16_t size)
{
	virtq_reset(&q, &vd.mem);
	q.size = size;
	q.desc = gpa_init(VD_DESC);
	q.driver = gpa_init(VD_AVAIL);
	q.device = gpa_init(VD_USED);
	why = NULL;
}

static void setup(void)
{
	vd_init(&vd);
	ready(SIZE);
	cr_assert_eq(virtq_enable(&q, &why), 0, "%s", why);
}

static void teardown(void)
{
	free(vd.bytes);
}

TestSuite(virtq, .init = setup, .fini = teardown);

static void desc(int i, uint64_t addr, uint32_t len, uint16_t flags, uint16_t next)
{
	vd_desc(&vd, 0)[i] = (struct virtq_desc){addr, len, flags, next};
}

static void refused(int r, const char *words)
{
	cr_assert_eq(r, -EPROTO, "%d", r);
	cr_assert(why && strstr(why, words), "'%s' is not in: %s", words, why ? why : "(nothing)");
}

/* Readable buffers come before writable ones, with their lengths; the order of chains is the driver's. */
Test(virtq, takes_chains)
{
	desc(3, 0x10000, 100, VIRTQ_DESC_NEXT, 5);
	desc(5, 0x20000, 50, VIRTQ_DESC_NEXT | VIRTQ_DESC_WRITE, 0);
	desc(0, 0x30000, 7, VIRTQ_DESC_WRITE, 0);
	desc(6, 0x40000, 1, 0, 99); /* without NEXT the successor means nothing */
	vd_offer(&vd, 0, SIZE, 3);
	vd_offer(&vd, 0, SIZE, 6);
	cr_assert_eq(virtq_pop(&q, &chain, &why), 1);
	cr_assert_eq(chain.head, 3);
	cr_assert_eq(chain.nr_in, 1);
	cr_assert_eq(chain.nr_out, 2);
	cr_assert_eq(chain.in_len, 100);
	cr_assert_eq(chain.out_len, 57);
	cr_assert_eq(gpa_raw(chain.buffer[2].at), 0x30000);
	cr_assert_eq(virtq_pop(&q, &chain, &why), 1);
	cr_assert_eq(chain.head, 6);
	cr_assert_eq(virtq_pop(&q, &chain, &why), 0);
}

/* Indices are free-running 16-bit numbers: nothing happens at their wrap, with any number of chains in flight. */
Test(virtq, indices_wrap)
{
	for (int i = 0; i < SIZE; i++)
		desc(i, 0x10000 + i, 1, 0, 0);
	for (uint32_t n = 0; n < 70000; n++) {
		const int in_flight = 1 + n % SIZE;

		for (int i = 0; i < in_flight; i++)
			vd_offer(&vd, 0, SIZE, i);
		for (int i = 0; i < in_flight; i++) {
			cr_assert_eq(virtq_pop(&q, &chain, &why), 1, "%s", why);
			cr_assert_eq(chain.head, i);
			cr_assert_eq(virtq_push(&q, chain.head, n, &why), 0);
			const struct virtq_used *used = vd_used(&vd, 0);

			cr_assert_eq(used->idx, q.used_idx);
			cr_assert_eq(used->ring[(uint16_t)(used->idx - 1) % SIZE].id, (uint32_t)i);
			cr_assert_eq(used->ring[(uint16_t)(used->idx - 1) % SIZE].len, n);
		}
		cr_assert_eq(virtq_pop(&q, &chain, &why), 0);
	}
}

/* The longest chain there can be is one that uses every descriptor. */
Test(virtq, chain_as_long_as_the_queue)
{
	for (int i = 0; i < SIZE; i++)
		desc(i, 0x10000, 1, i < SIZE - 1 ? VIRTQ_DESC_NEXT : 0, i + 1);
	vd_offer(&vd, 0, SIZE, 0);
	cr_assert_eq(virtq_pop(&q, &chain, &why), 1, "%s", why);
	cr_assert_eq(chain.nr_in, SIZE);
}

Test(virtq, loop)
{
	desc(0, 0x10000, 1, VIRTQ_DESC_NEXT, 1);
	desc(1, 0x10000, 1, VIRTQ_DESC_NEXT, 0);
	vd_offer(&vd, 0, SIZE, 0);
	refused(virtq_pop(&q, &chain, &why), "loops");
}

Test(virtq, loop_onto_itself)
{
	desc(0, 0x10000, 1, VIRTQ_DESC_NEXT, 0);
	vd_offer(&vd, 0, SIZE, 0);
	refused(virtq_pop(&q, &chain, &why), "loops");
}

/* In the largest queue a loop must end before the chain has outgrown what is kept of it; the sanitizer watches that. */
Test(virtq, loop_in_the_largest_queue)
{
	ready(VIRTQ_SIZE_MAX);
	cr_assert_eq(virtq_enable(&q, &why), 0, "%s", why);
	for (int i = 0; i < VIRTQ_SIZE_MAX; i++)
		desc(i, 0x10000, 1, VIRTQ_DESC_NEXT, (i + 1) % VIRTQ_SIZE_MAX);
	vd_offer(&vd, 0, VIRTQ_SIZE_MAX, 0);
	refused(virtq_pop(&q, &chain, &why), "loops");
	cr_assert_leq(chain.nr_in, VIRTQ_SIZE_MAX);
}

Test(virtq, head_outside_the_table)
{
	static const uint16_t heads[] = {SIZE, 0x7fff, 0xffff};

	for (size_t i = 0; i < sizeof(heads) / sizeof(*heads); i++) {
		vd_avail(&vd, 0)->ring[0] = heads[i];
		vd_avail(&vd, 0)->idx = 1;
		refused(virtq_pop(&q, &chain, &why), "outside the table");
	}
}

Test(virtq, successor_outside_the_table)
{
	desc(0, 0x10000, 1, VIRTQ_DESC_NEXT, SIZE);
	vd_offer(&vd, 0, SIZE, 0);
	refused(virtq_pop(&q, &chain, &why), "successor");
}

Test(virtq, indirect)
{
	desc(0, 0x10000, 16, VIRTQ_DESC_INDIRECT, 0);
	vd_offer(&vd, 0, SIZE, 0);
	refused(virtq_pop(&q, &chain, &why), "indirect");
}

Test(virtq, length_wraps)
{
	desc(0, ~0ull - 10, 10, 0, 0);
	desc(1, ~0ull - 10, 12, 0, 0);
	vd_offer(&vd, 0, SIZE, 0);
	vd_offer(&vd, 0, SIZE, 1);
	cr_assert_eq(virtq_pop(&q, &chain, &why), 1, "%s", why);
	refused(virtq_copy_in(&q, &chain, (uint8_t[10]){0}, 10, &why), "outside memory");
	refused(virtq_pop(&q, &chain, &why), "wraps");
}

/* 2.7.5: at most 2^32 bytes in a chain; sums of lengths must not wrap below that. */
Test(virtq, chain_of_4_gib)
{
	desc(0, 0, 0x80000000, VIRTQ_DESC_NEXT, 1);
	desc(1, 0, 0x80000001, VIRTQ_DESC_WRITE, 0);
	vd_offer(&vd, 0, SIZE, 0);
	refused(virtq_pop(&q, &chain, &why), "more than 4 GiB");
	desc(1, 0, 0x80000000, VIRTQ_DESC_WRITE, 0);
	cr_assert_eq(virtq_pop(&q, &chain, &why), 1, "%s", why);
	cr_assert_eq(chain.in_len + chain.out_len, 1ull << 32);
}

Test(virtq, readable_after_writable)
{
	desc(0, 0x10000, 1, VIRTQ_DESC_NEXT | VIRTQ_DESC_WRITE, 1);
	desc(1, 0x10000, 1, 0, 0);
	vd_offer(&vd, 0, SIZE, 0);
	refused(virtq_pop(&q, &chain, &why), "follows");
}

/* A full queue is the most that can be offered at once; one more than that, or a step back, is a jump. */
Test(virtq, available_index_jumps)
{
	desc(0, 0x10000, 1, 0, 0);
	vd_avail(&vd, 0)->idx = SIZE;
	cr_assert_eq(virtq_pop(&q, &chain, &why), 1);
	vd_avail(&vd, 0)->idx = SIZE + 2;
	refused(virtq_pop(&q, &chain, &why), "jumped");
	vd_avail(&vd, 0)->idx = 0;
	refused(virtq_pop(&q, &chain, &why), "jumped");
}

/* An error takes nothing: the queue stands where it stood. */
Test(virtq, error_takes_nothing)
{
	desc(0, 0x10000, 1, VIRTQ_DESC_INDIRECT, 0);
	vd_offer(&vd, 0, SIZE, 0);
	refused(virtq_pop(&q, &chain, &why), "indirect");
	desc(0, 0x10000, 1, 0, 0);
	cr_assert_eq(virtq_pop(&q, &chain, &why), 1);
}

Test(virtq, sizes)
{
	static const struct {
		uint16_t size;
		const char *words;
	} bad[] = {{0, "size 0"},         {3, "power of two"},
	           {127, "power of two"}, {VIRTQ_SIZE_MAX + 1, "QueueNumMax"},
	           {256, "QueueNumMax"},  {0xffff, "QueueNumMax"}};

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		ready(bad[i].size);
		refused(virtq_enable(&q, &why), bad[i].words);
		cr_assert_not(q.ready);
	}
	for (uint16_t size = 1; size <= VIRTQ_SIZE_MAX; size *= 2) {
		ready(size);
		cr_assert_eq(virtq_enable(&q, &why), 0, "size %u: %s", size, why);
		cr_assert(q.ready);
	}
}

/* Each ring: misaligned, outside, in the hole, half-way into the hole, at the wrap of the address space. */
Test(virtq, rings_outside_memory)
{
	static const uint64_t bad[] = {1, VD_MEMORY, VD_HOLE, VD_MEMORY - 2, VD_HOLE - 16, ~0ull - 15, ~0ull << 12};

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		for (int ring = 0; ring < 3; ring++) {
			ready(SIZE);
			*(gpa_t *[]){&q.desc, &q.driver, &q.device}[ring] = gpa_init(bad[i]);
			refused(virtq_enable(&q, &why), "outside memory");
		}
	}
	ready(SIZE);
	q.driver = gpa_init(VD_HOLE - 20); /* 4 + 8 * 2: ends just before it */
	cr_assert_eq(virtq_enable(&q, &why), 0, "%s", why);
}

/* Rings may cross pages; a used element, aligned to 4 only, may do so in its middle. */
Test(virtq, used_element_across_pages)
{
	const struct virtq_used *used = (void *)(vd.bytes + 0x11000 - 8);

	ready(SIZE);
	q.device = gpa_init(0x11000 - 8);
	cr_assert_eq(virtq_enable(&q, &why), 0, "%s", why);
	cr_assert_eq(virtq_push(&q, 5, 77, &why), 0);
	cr_assert_eq(used->ring[0].id, 5);
	cr_assert_eq(used->ring[0].len, 77);
	cr_assert_eq(used->idx, 1);
}

static bool gone;

static void *ptr_until_gone(void *ctx, gpa_t at, uint64_t len)
{
	return gone ? NULL : vd_ptr(ctx, at, len);
}

/* The guest gave the page away that holds its rings: an error, not a crash. */
Test(virtq, rings_vanish)
{
	static const struct virtq_mem vanishing = {.ptr = ptr_until_gone, .ctx = &vd};

	desc(0, 0x10000, 1, 0, 0);
	vd_offer(&vd, 0, SIZE, 0);
	q.mem = &vanishing;
	cr_assert_eq(virtq_pop(&q, &chain, &why), 1);
	gone = true;
	refused(virtq_push(&q, 0, 0, &why), "used ring");
	refused(virtq_pop(&q, &chain, &why), "available ring");
	cr_assert(virtq_wants_interrupt(&q));
	gone = false;
}

Test(virtq, interrupt_flag)
{
	cr_assert(virtq_wants_interrupt(&q));
	vd_avail(&vd, 0)->flags = VIRTQ_AVAIL_NO_INTERRUPT;
	cr_assert_not(virtq_wants_interrupt(&q));
}

/* Copies cross buffers and pages, stop where asked, and never read a byte outside memory. */
Test(virtq, copies_in)
{
	uint8_t got[200] = {0};

	for (int i = 0; i < 200; i++) {
		vd.bytes[0x20000 - 100 + i] = i;
		vd.bytes[0x30000 + i] = 200 - i;
	}
	desc(0, 0x20000 - 100, 150, VIRTQ_DESC_NEXT, 1);
	desc(1, 0x90000, 0, VIRTQ_DESC_NEXT, 2); /* an empty buffer is none */
	desc(2, 0x30000, 50, 0, 0);
	vd_offer(&vd, 0, SIZE, 0);
	cr_assert_eq(virtq_pop(&q, &chain, &why), 1);
	cr_assert_eq(virtq_copy_in(&q, &chain, got, 170, &why), 0);
	for (int i = 0; i < 170; i++)
		cr_assert_eq(got[i], i < 150 ? i : 200 - (i - 150), "byte %d", i);
	cr_assert_eq(got[170], 0);
	desc(0, VD_HOLE - 4, 8, 0, 0);
	vd_offer(&vd, 0, SIZE, 0);
	cr_assert_eq(virtq_pop(&q, &chain, &why), 1);
	cr_assert_eq(virtq_copy_in(&q, &chain, got, 4, &why), 0);
	refused(virtq_copy_in(&q, &chain, got, 5, &why), "outside memory");
}
