/* SPDX-License-Identifier: MIT */
/* The numbering: mode outermost because its changes are dear, then the tables, then the access. */
#include <gnomon/x86.h>

#include "oracle.h"

/* An entry that is not present is tried twice: nothing else set, everything else set. */
#define LEAF_PRESENT  64 /* W U NX A D reserved */
#define LEAF_KINDS    (LEAF_PRESENT + 2)
#define UPPER_PRESENT 32 /* W U NX A reserved */
#define UPPER_KINDS   (UPPER_PRESENT + 2)
#define MODES         24 /* WP x NXE x SMEP x {SMAP=0, SMAP=1 AC=0, SMAP=1 AC=1} */
#define RELOAD_EACH   8  /* one case in so many reloads CR3 */

static const struct {
	int leaf, upper;
} layouts[] = {{1, 4}, {1, 3}, {1, 2}, {2, 4}, {2, 3}};

#define LAYOUTS (sizeof(layouts) / sizeof(*layouts))

uint64_t cases_total(void)
{
	return (uint64_t)MODES * LAYOUTS * UPPER_KINDS * LEAF_KINDS * ACCESS_KINDS * 2;
}

static unsigned take(uint64_t *n, unsigned kinds)
{
	unsigned digit = *n % kinds;

	*n /= kinds;
	return digit;
}

/* A bit that must be 0 in a present entry of this level, APM2 5.3. */
static uint64_t reserved_bit(int level, bool leaf)
{
	if (level == 4)
		return PTE_PS;
	if (level == 2 && leaf)
		return 1 << 13; /* below the frame, above PAT */
	return 1ull << 51;
}

static uint64_t make_entry(unsigned kind, unsigned present, int level, bool leaf)
{
	uint64_t frame = !leaf ? table_of[level - 1] : level == 1 ? test_page + (TEST_VA & 0x1ff000) : test_page;
	uint64_t bits = leaf && level == 2 ? PTE_PS : 0;

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
	bits |= kind & 16 ? (leaf ? PTE_D : reserved_bit(level, leaf)) : 0;
	bits |= leaf && kind & 32 ? reserved_bit(level, leaf) : 0;
	return frame | bits;
}

void case_decode(uint64_t number, struct test_case *ret_case)
{
	struct test_case c = {.number = number, .reload = number / 6 % RELOAD_EACH == 0};
	unsigned leaf, upper, layout, mode, smap;

	c.user = take(&number, 2);
	c.kind = take(&number, ACCESS_KINDS);
	leaf = take(&number, LEAF_KINDS);
	upper = take(&number, UPPER_KINDS);
	layout = take(&number, LAYOUTS);
	smap = take(&number, 3);
	mode = number;
	c.mode = (struct mode){.wp = mode & 1, .nxe = mode & 2, .smep = mode & 4, .smap = smap, .ac = smap == 2};
	c.leaf = layouts[layout].leaf;
	c.upper = layouts[layout].upper;
	for (int level = 4; level >= 1; level--) {
		if (level == c.leaf)
			c.entry[level] = make_entry(leaf, LEAF_PRESENT, level, true);
		else if (level == c.upper)
			c.entry[level] = make_entry(upper, UPPER_PRESENT, level, false);
		else if (level > c.leaf)
			c.entry[level] = table_of[level - 1] | PTE_P | PTE_W | PTE_U | PTE_A;
		else
			c.entry[level] = 0;
	}
	*ret_case = c;
}

static void print_entry(int level, uint64_t e)
{
	static const struct {
		uint64_t bit;
		const char *name;
	} names[] = {{PTE_P, " P"}, {PTE_W, " W"}, {PTE_U, " U"}, {PTE_A, " A"}, {PTE_D, " D"}, {PTE_PS, " PS"},
		     {PTE_NX, " NX"}};

	print("level ");
	print_number(level);
	print(" =");
	for (unsigned i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (e & names[i].bit)
			print(names[i].name);
	print(" (");
	print_hex(e);
	print(")");
}

void case_print(const struct test_case *c)
{
	static const char *const kinds[] = {"read", "write", "fetch"};

	print("case ");
	print_number(c->number);
	print(c->user ? ": user " : ": kernel ");
	print(kinds[c->kind]);
	print(c->leaf == 1 ? " of a 4 KiB page;" : " of a 2 MiB page;");
	print(c->mode.wp ? " WP=1" : " WP=0");
	print(c->mode.nxe ? " NXE=1" : " NXE=0");
	print(c->mode.smep ? " SMEP=1" : " SMEP=0");
	print(c->mode.smap ? " SMAP=1" : " SMAP=0");
	print(c->mode.ac ? " AC=1; " : " AC=0; ");
	print_entry(c->upper, c->entry[c->upper]);
	print(", ");
	print_entry(c->leaf, c->entry[c->leaf]);
	print(c->reload ? "; after a CR3 load" : "; after INVLPG");
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
