/* SPDX-License-Identifier: MIT */
/*
 * Calls of any kind with any arguments, most of them near enough to good ones. The kernel answers each, takes no page
 * but one that was offered, and is none the poorer afterwards.
 */
#include "enclave_samples.h"

#define BASE 0x300000000ull
#define PAGE GNOMON_ENCLAVE_IMAGE_PAGE
#define OK   GNOMON_ENCLAVE_OK

static uint64_t state = 88172645463325252;

static uint64_t next(void)
{
	state ^= state << 13, state ^= state >> 7, state ^= state << 17;
	return state;
}

/* Where nothing good comes from: outside the process, in it, in the kernel, at no address at all. */
static uint64_t odd(uint64_t x)
{
	const uint64_t list[] = {
	    0,        1, ~0ull,   1ull << 63,         (uint64_t)&state, (uint64_t)next,  BASE - PAGE, BASE + 8,
	    USER_END, x, x << 12, 0xffffffff80000000, 0x800000000000,   USER_END - PAGE, 1ull << 40,  0x1000000ull};

	return list[x % (sizeof(list) / sizeof(*list))];
}

static uint64_t address(uint64_t x)
{
	return x & 7 ? BASE + (x >> 3 & 3) * PAGE : odd(x >> 8);
}

static void fill_in(struct gnomon_enclave_request *q, unsigned known)
{
	const uint64_t x = next(), y = next();

	q->call = x & 15 ? (x >> 4) % (GNOMON_ENCLAVE_DESTROY + 1) : x >> 32;
	if (q->call >= GNOMON_ENCLAVE_REMOVE && x >> 60) /* else hardly anything is ever sealed */
		q->call = x >> 60 & 3 ? GNOMON_ENCLAVE_ADD : GNOMON_ENCLAVE_INIT;
	q->id = q->call == GNOMON_ENCLAVE_CREATE ? (x & 0x700 ? 0 : x >> 40) : x & 0x3800 ? known : x >> 40;
	q->va = q->call == GNOMON_ENCLAVE_ENTER && y & 3 ? BASE : address(y >> 2);
	q->rights = y & 0x700 ? (q->va == BASE ? 5 : 3) : y >> 12;
	q->ticket = y & 0x3000 ? q->left.ticket : y;
	q->flags = y & 0x1c000 ? 0 : y >> 20;
	for (int i = 0; i < GNOMON_ENCLAVE_ARGS; i++)
		q->args[i] = x >> (20 + i) & 1 ? 0 : odd(next());
	q->create = (struct gnomon_enclave_create){BASE, 4 * PAGE, BASE, BASE + 4 * PAGE, BASE - 16 * PAGE, PAGE, 0};
	if ((y >> 24 & 7) == 0)
		(&q->create.base)[(y >> 28) % 7] = odd(y >> 32);
}

/* A page of ours, or something else. What the enclave does not take is ours. */
static int64_t add_page(struct gnomon_enclave_request *q)
{
	const int64_t page = next() & 7 ? mmap(PAGE, 0) : 0;
	int64_t r;

	q->gpa = page > 0 ? (uint64_t)page : odd(next());
	r = sys(SYS_ENCLAVE, (uint64_t)q, 0, 0);
	if (page > 0 && (r || q->status != OK)) {
		*(volatile uint64_t *)page = 1;
		munmap((void *)page, PAGE);
	}
	return r;
}

bool enclave_random(uint64_t n)
{
	static struct gnomon_enclave_request q __attribute__((aligned(sizeof(struct gnomon_enclave_request))));
	uint64_t done[GNOMON_ENCLAVE_DESTROY + 1] = {0};
	unsigned known = 0;

	for (uint64_t i = 0; i < n; i++) {
		int64_t r;

		fill_in(&q, known);
		q.gpa = odd(next());
		r = q.call == GNOMON_ENCLAVE_ADD ? add_page(&q) : sys(SYS_ENCLAVE, (uint64_t)&q, 0, 0);
		if (r || q.status >= GNOMON_ENCLAVE_NR_STATUS)
			return enclave_fail("random call %u: %d, status %u", i, r, q.status);
		if (q.status != OK)
			continue;
		done[q.call]++;
		if (q.call == GNOMON_ENCLAVE_CREATE)
			known = q.id;
	}
	for (unsigned call = 0; call <= GNOMON_ENCLAVE_DESTROY; call++)
		if (!done[call])
			return enclave_fail("random calls: none of %u was right", call);
	return true;
}
