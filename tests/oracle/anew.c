/* SPDX-License-Identifier: MIT */
/* A table at a new place: some of all pairs of old and new leaf, by a fixed hash. The mode is outermost. */
#include <gnomon/x86.h>

#include "oracle.h"

#define MODES    4  /* WP x SMEP */
#define PER_MODE 75 /* cases */
#define LINKS    3  /* levels 2 to 4 */
#define MIX      0x9e3779b97f4a7c15

const uint64_t anew_total = (uint64_t)MODES * PER_MODE;

static uint64_t make_leaf(unsigned bits)
{
	return ((bits & 1 ? old_page : test_page) + (TEST_VA & 0x1ff000)) | (bits & 2 ? PTE_W : 0) |
	       (bits & 4 ? PTE_U : 0) | (bits & 8 ? PTE_NX : 0) | (bits & 16 ? PTE_A : 0) | (bits & 32 ? PTE_D : 0) |
	       (bits & 0xc0 ? PTE_P : 0); /* three in four */
}

static void make_access(struct access *a, unsigned kind, bool user, uint64_t page)
{
	a->kind = kind;
	a->user = user;
	a->address = page + (kind != FETCH ? TEST_DATA : user ? TEST_USER_CODE : TEST_KERNEL_CODE);
}

int anew_decode(uint64_t number, struct test_case *ret_case, struct access *ret_linking)
{
	struct test_case c = {.number = number, .leaf = 1, .possible = true};
	uint64_t h = (number + 1) * MIX;
	int link;

	h = (h ^ h >> 29) * MIX;
	h ^= h >> 32;
	link = 2 + (int)(h % LINKS);
	c.upper = link;
	c.reload = h >> 8 & 1;
	for (int level = 4; level > 1; level--)
		c.entry[level] = c.old_entry[level] = table_of[level - 1] | PTE_P | PTE_W | PTE_U | PTE_A;
	c.old_entry[1] = make_leaf(h >> 16 & 0xff);
	c.entry[1] = make_leaf(h >> 24 & 0xff);
	make_access(&c.first, (h >> 32 & 0xff) % ACCESS_KINDS, h >> 40 & 1, TEST_VA);
	make_access(&c.last, (h >> 41 & 0xff) % ACCESS_KINDS, h >> 49 & 1, TEST_VA + (1ull << (3 + 9 * link)));
	c.last.mode = (struct mode){.wp = number / PER_MODE & 1, .nxe = true, .smep = number / PER_MODE & 2};
	c.first.mode = c.last.mode;
	*ret_linking = (struct access){.mode = c.last.mode, .kind = READ, .user = c.last.user};
	ret_linking->neighbour = h >> 50 & 3; /* three in four */
	ret_linking->address = TEST_VA + (1ull << (3 + 9 * link)) + 4096 + TEST_DATA;
	*ret_case = c;
	return link;
}
