/* SPDX-License-Identifier: MIT */
/* What differs between two snapshots: ranges of pages, and parts of the state. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "snapshot/compare.h"
#include "snapshot_link.h"

static char said[512];

static void page(void *ctx, const struct snapshot_difference *range)
{
	snprintf(said + strlen(said), sizeof(said) - strlen(said), "%llu+%llu ", (unsigned long long)range->gfn,
	         (unsigned long long)range->pages);
}

static void part(void *ctx, const char *name)
{
	snprintf(said + strlen(said), sizeof(said) - strlen(said), "[%s] ", name);
}

static struct snapshot_comparison comparison = {.page = page, .part = part};

struct differs {
	uint64_t salt, absent;
};

static enum made fill(const void *ctx, uint64_t gfn, uint8_t bytes[PAGE_SIZE])
{
	const struct differs *m = ctx;

	if (gfn >= 10 && gfn < 14)
		made_page(gfn + (gfn == 12 ? m->salt : 0), bytes);
	if (gfn == 20 + m->salt)
		made_page(20, bytes);
	return gfn == m->absent ? MADE_ABSENT : MADE_PAGE;
}

/* A file with pages 10 to 13 and 20, or others of a content that `salt` decides; without pages of `absent`. */
static void make(struct snapshot *s, uint64_t salt, uint64_t absent, uint64_t rip)
{
	const int fd = memfd_create("snapshot", 0);
	const struct differs differs = {salt, absent};
	struct snapshot_shape shape = made_shape();
	struct snapshot_state state = made_state(1);

	state.cpu[0].state.rip = rip;
	made_write(fd, false, &shape, &state, 1024, fill, &differs);
	cr_assert_eq(snapshot_open_fd(fd, s, why), 0, "%s", why);
}

static void expect(struct snapshot *a, struct snapshot *b, const char *words)
{

	*said = 0;
	cr_assert_eq(snapshot_compare(a, b, &comparison, why), 0, "%s", why);
	cr_expect_str_eq(said, words);
}

Test(snapshot_compare, what_differs)
{
	struct snapshot a, b, c, d;

	make(&a, 0, 1000, 1);
	make(&b, 0, 1000, 1);
	make(&c, 1, 1000, 2);
	make(&d, 0, 13, 1);
	expect(&a, &b, "");
	expect(&a, &c, "[CPU 0] 12+1 20+2 ");
	expect(&c, &a, "[CPU 0] 12+1 20+2 ");
	expect(&a, &d, "13+1 1000+1 ");
	cr_expect_eq(comparison.pages, 2u);
	cr_expect_eq(comparison.compared, 4u, "only pages that one of both has are looked at");
	snapshot_close(&a);
	snapshot_close(&b);
	snapshot_close(&c);
	snapshot_close(&d);
}

Test(snapshot_compare, other_machines)
{
	struct snapshot a, b;

	cr_assert_eq(snapshot_open_fd(made_file(1), &a, why), 0);
	cr_assert_eq(snapshot_open_fd(made_file(2), &b, why), 0);
	cr_expect_eq(snapshot_compare(&a, &b, &comparison, why), -EINVAL);
	cr_expect(strstr(why, "1 and 2 CPUs"), "%s", why);
	snapshot_close(&a);
	snapshot_close(&b);
}

/* What a comparison of two links counts; they are closed. */
static struct snapshot_comparison compare(const struct link *a, const struct link *b)
{
	struct snapshot_comparison c = comparison;
	struct snapshot one, other;

	*said = 0;
	cr_assert_eq(open_link(a, &one), 0, "%s", why);
	cr_assert_eq(open_link(b, &other), 0, "%s", why);
	cr_assert_eq(snapshot_compare(&one, &other, &c, why), 0, "%s", why);
	snapshot_close(&one);
	snapshot_close(&other);
	return c;
}

/* Of a file and one that builds on it no page is read but those that were written, packed or not. */
Test(snapshot_compare, compares_what_was_written, .init = link_setup)
{
	for (int pack = 0; pack < 2; pack++) {
		struct link base, above;
		struct snapshot_comparison c;

		for (unsigned i = 0; i < PAGES; i++)
			base.page[i] = (uint16_t)(2 + i % 200);
		build(&base, NULL, pack);
		above = base;
		above.page[5] = 201;
		above.page[300] = ZERO;
		above.page[7] = base.page[8];
		build(&above, &base, pack);
		c = compare(&base, &above);
		cr_expect_eq(c.pages, 3u, "%llu", (unsigned long long)c.pages);
		cr_expect_eq(c.compared, 3u, "%llu", (unsigned long long)c.compared);
		cr_expect_eq(c.shared, PAGES - 3, "%llu", (unsigned long long)c.shared);
		close(base.fd);
		close(above.fd);
	}
}

/* Of two files with one content both are read: one may be damaged. */
Test(snapshot_compare, reads_files_of_their_own, .init = link_setup)
{
	struct link a = {0}, b = {0};
	struct snapshot_comparison c;

	for (unsigned i = 0; i < 64; i++)
		a.page[i] = b.page[i] = (uint16_t)(2 + i);
	build(&a, NULL, false);
	build(&b, NULL, false);
	c = compare(&a, &b);
	cr_expect_eq(c.pages, 0u);
	cr_expect_eq(c.compared, 64u);
	cr_expect_eq(c.shared, 0u);
}
