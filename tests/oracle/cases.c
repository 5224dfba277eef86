/* SPDX-License-Identifier: MIT */
/* The numbering: mode outermost because its changes are dear, then the tables, then the accesses. */
#include <gnomon/x86.h>

#include "oracle.h"

/* An entry that is not present is tried twice: nothing else set, everything else set. */
#define LEAF_PRESENT  128 /* W U NX A D reserved PAT */
#define LEAF_KINDS    (LEAF_PRESENT + 2)
#define UPPER_PRESENT 64 /* W U NX A reserved D (ignored) */
#define UPPER_KINDS   (UPPER_PRESENT + 2)
#define MODES         24 /* WP x NXE x SMEP x {SMAP=0, SMAP=1 AC=0, SMAP=1 AC=1} */
#define RELOAD_EACH   8  /* one case in so many reloads CR3 */
#define RESERVED_BITS 3  /* so many bits are tried in turn */
#define PAT_LARGE     (1ull << 12)
#define MIX           0x9e3779b97f4a7c15 /* 2^64 / golden ratio */
#define SIZE_2M       (2ull << 20)
#define SIZE_1G       (1ull << 30)

static const struct {
	int leaf, upper;
} layouts[] = {{1, 4}, {1, 3}, {1, 2}, {2, 4}, {2, 3}, {3, 4}};

#define LAYOUTS (sizeof(layouts) / sizeof(*layouts))

uint64_t cases_total(void)
{
	return (uint64_t)MODES * LAYOUTS * UPPER_KINDS * LEAF_KINDS * WARM_KINDS * ACCESS_KINDS * 2;
}

static unsigned take(uint64_t *n, unsigned kinds)
{
	unsigned digit = *n % kinds;

	*n /= kinds;
	return digit;
}

/* A bit that must be 0 in a present entry of this level, APM2 5.3; 0 when this CPU has none. */
static uint64_t reserved_bit(unsigned turn, int level, bool leaf)
{
	const uint64_t top = maxphyaddr < 52 ? 1ull << 51 : 0, lowest = maxphyaddr < 52 ? 1ull << maxphyaddr : 0;

	if (turn == 1)
		return lowest;
	if (turn == 2)
		return top;
	if (level == 4 || (level == 3 && !leaf && !gbpages))
		return PTE_PS;
	if (leaf && level > 1)
		return level == 2 ? 1 << 13 : 1 << 29; /* below the frame, above PAT */
	return top;
}

static uint64_t leaf_frame(int level, uint64_t page)
{
	return level == 1 ? page + (TEST_VA & (SIZE_2M - 1)) : level == 2 ? page : 0;
}

static uint64_t make_entry(struct test_case *c, unsigned kind, unsigned present, int level, bool leaf)
{
	const uint64_t frame = leaf ? leaf_frame(level, test_page) : table_of[level - 1];
	const uint64_t reserved = reserved_bit((c->number * MIX >> 32) % RESERVED_BITS, level, leaf);
	uint64_t bits = leaf && level > 1 ? PTE_PS : 0;

	if (kind == present)
		return frame;
	if (kind > present)
		kind = ~0u;
	else
		bits |= PTE_P;
	bits |= kind & 1 ? PTE_W : 0;
	bits |= kind & 2 ? PTE_U : 0;
	bits |= kind & 4 ? PTE_NX : 0;
	bits |= kind & 8 ? PTE_A : 0;
	bits |= kind & 16 ? reserved : 0;
	bits |= kind & 32 ? PTE_D : 0;
	bits |= leaf && kind & 64 ? (level == 1 ? PTE_PS : PAT_LARGE) : 0;
	c->possible &= reserved || !(bits & PTE_P) || !(kind & 16);
	return frame | bits;
}

static void make_tables(struct test_case *c, unsigned leaf, unsigned upper)
{
	c->possible = true;
	for (int level = 4; level >= c->leaf; level--) {
		if (level == c->leaf)
			c->entry[level] = make_entry(c, leaf, LEAF_PRESENT, level, true);
		else if (level == c->upper)
			c->entry[level] = make_entry(c, upper, UPPER_PRESENT, level, false);
		else
			c->entry[level] = table_of[level - 1] | PTE_P | PTE_W | PTE_U | PTE_A;
		if (level == c->leaf)
			c->old_entry[level] = leaf_frame(level, old_page) | (level > 1 ? PTE_PS : 0) | PTE_P | PTE_W |
			                      (c->last.user ? PTE_U : 0) | PTE_A | PTE_D;
		else
			c->old_entry[level] = table_of[level - 1] | PTE_P | PTE_W | PTE_U | PTE_A;
	}
}

uint64_t neighbour_entry(bool user)
{
	return (leaf_frame(1, test_page) + 4096) | PTE_P | PTE_W | (user ? PTE_U : 0) | PTE_A | PTE_D;
}

/* A 1 GiB page leads to all of memory: there the test's page lies where it really is. */
static uint64_t page_address(int leaf)
{
	return leaf < 3 ? TEST_VA : (TEST_VA & ~(SIZE_1G - 1)) + leaf_frame(1, test_page);
}

static void make_accesses(struct test_case *c)
{
	const uint64_t page = page_address(c->leaf);

	c->last.address = page + (c->last.kind != FETCH ? TEST_DATA : c->last.user ? TEST_USER_CODE : TEST_KERNEL_CODE);
	c->first = c->last;
	switch (c->warm) {
	case WARM_SAME:
	case WARM_OTHER:
	case WARM_NEIGHBOUR:
		c->first.kind = READ;
		c->first.address = page + TEST_DATA + (c->warm == WARM_NEIGHBOUR ? 4096 : 0);
		c->first.user ^= c->warm == WARM_OTHER;
		c->first.neighbour = c->warm == WARM_NEIGHBOUR;
		break;
	case WARM_MODE:
		c->first.mode = (struct mode){.nxe = true};
		break;
	default:
		break;
	}
}

void case_decode(uint64_t number, struct test_case *ret_case)
{
	struct test_case c = {.number = number, .reload = (number * MIX >> 48) % RELOAD_EACH == 0};
	unsigned leaf, upper, layout, mode, smap;

	c.last.user = take(&number, 2);
	c.last.kind = take(&number, ACCESS_KINDS);
	c.warm = take(&number, WARM_KINDS);
	leaf = take(&number, LEAF_KINDS);
	upper = take(&number, UPPER_KINDS);
	layout = take(&number, LAYOUTS);
	smap = take(&number, 3);
	mode = number;
	c.last.mode = (struct mode){.wp = mode & 1, .nxe = mode & 2, .smep = mode & 4, .smap = smap, .ac = smap == 2};
	c.leaf = layouts[layout].leaf;
	c.upper = layouts[layout].upper;
	make_tables(&c, leaf, upper);
	make_accesses(&c);
	*ret_case = c;
}

static void print_entry(const struct test_case *c, int level)
{
	static const struct {
		uint64_t bit;
		const char *name;
	} names[] = {{PTE_P, " P"}, {PTE_W, " W"},   {PTE_U, " U"},  {PTE_A, " A"},
	             {PTE_D, " D"}, {PTE_PS, " PS"}, {PTE_NX, " NX"}};
	const uint64_t e = c->entry[level];

	print("level ");
	print_number(level);
	print(" =");
	for (unsigned i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (e & names[i].bit)
			print(level == 1 && names[i].bit == PTE_PS ? " PAT" : names[i].name);
	print(" (");
	print_hex(e);
	print(")");
}

void case_print(const struct test_case *c)
{
	static const char *const kinds[] = {"read", "write", "fetch"};
	static const char *const pages[] = {" of a 4 KiB page;", " of a 2 MiB page;", " of a 1 GiB page;"};
	static const char *const warms[] = {"",
	                                    ", after a read at this level",
	                                    ", after a read at the other level",
	                                    ", after a read of the next page",
	                                    ", after the same under a permissive mode",
	                                    ", after the same under permissive tables"};
	const struct mode *m = &c->last.mode;

	print("case ");
	print_number(c->number);
	print(c->last.user ? ": user " : ": kernel ");
	print(kinds[c->last.kind]);
	print(pages[c->leaf - 1]);
	print(m->wp ? " WP=1" : " WP=0");
	print(m->nxe ? " NXE=1" : " NXE=0");
	print(m->smep ? " SMEP=1" : " SMEP=0");
	print(m->smap ? " SMAP=1" : " SMAP=0");
	print(m->ac ? " AC=1; " : " AC=0; ");
	print_entry(c, c->upper);
	print(", ");
	print_entry(c, c->leaf);
	print(c->reload ? "; after a CR3 load" : "; after INVLPG");
	print(warms[c->warm]);
}

void result_print(const struct result *r)
{
	print(r->fault ? "#PF, error code " : "no fault");
	if (r->fault) {
		print_hex(r->error);
		print(", CR2 ");
		print_hex(r->cr2);
	}
	print("; entries");
	for (int level = 4; level >= 1; level--) {
		print(" ");
		print_hex(r->entry[level]);
	}
	if (r->odd) {
		print("; ");
		print(r->odd);
	}
}
