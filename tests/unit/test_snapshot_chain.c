/* SPDX-License-Identifier: MIT */
/*
 * Snapshots that build on each other: each page is the newest that any file of the chain has, whatever runs are cut by
 * others; a base that is missing, damaged, another one or in a circle is refused. Files are descriptors: their names are
 * their numbers, in /proc/self/fd.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "snapshot/compare.h"
#include "snapshot_link.h"

/* Another base in a header that is right otherwise. */
static void rename_base(const struct link *l, const struct link *base)
{
	uint8_t header[SNAPSHOT_HEADER];
	struct snapshot_shape shape;

	cr_assert_eq(snapshot_file_header(l->fd, &shape, why), 0);
	name_base(&shape, base);
	snapshot_shape_write(&shape, header);
	cr_assert_eq(pwrite(l->fd, header, sizeof(header), 0), SNAPSHOT_HEADER);
}

static void expect_refused(const struct link *l, int error, const char *words)
{
	struct snapshot s;

	cr_assert_eq(open_link(l, &s), -error, "%s", words);
	cr_expect(strstr(why, words), "%s: %s", words, why);
}

static void expect_pages(const struct link *l)
{
	uint8_t page[PAGE_SIZE], want[PAGE_SIZE];
	uint64_t absent = 0, stored = 0;
	struct snapshot s;

	cr_assert_eq(open_link(l, &s), 0, "%s", why);
	for (uint64_t gfn = 0; gfn < PAGES; gfn++) {
		const struct snapshot_extent *run = snapshot_run_from(&s, gfn);
		const bool has = run && run->gfn <= gfn;

		absent += l->page[gfn] == ABSENT;
		stored += l->page[gfn] > ABSENT;
		cr_assert_eq(has && run->kind == SNAPSHOT_ABSENT, l->page[gfn] == ABSENT, "page %d", (int)gfn);
		if (l->page[gfn] == ABSENT)
			continue;
		cr_assert_eq(has, l->page[gfn] != ZERO, "page %d", (int)gfn);
		if (!has)
			continue;
		content(l->page[gfn], want);
		cr_assert_eq(snapshot_page(&s, run, (uint32_t)(gfn - run->gfn), page, why), 0, "%s", why);
		cr_assert_arr_eq(page, want, sizeof(page), "page %d", (int)gfn);
	}
	cr_expect_eq(s.absent_pages, absent);
	cr_expect_eq(s.stored_pages, stored);
	snapshot_close(&s);
}

static uint32_t dice(uint32_t *seed)
{
	*seed = *seed * 1664525 + 1013904223;
	return *seed >> 8;
}

/* Some runs of pages get another content. */
static void change(struct link *l, uint32_t *seed)
{
	for (int n = 0; n < 12; n++) {
		const uint64_t first = dice(seed) % PAGES, pages = 1 + dice(seed) % (n % 3 ? 20 : 200);
		const unsigned kind = dice(seed) % 4;
		const uint16_t which = kind < 2 ? kind : 2 + dice(seed) % 200;

		for (uint64_t gfn = first; gfn < PAGES && gfn < first + pages; gfn++)
			l->page[gfn] = which < 2 ? which : (uint16_t)(which + gfn % 5);
	}
}

static void none(void *ctx, const struct snapshot_difference *range)
{
}

static void no_part(void *ctx, const char *name)
{
}

/* Chains of any runs, packed or not: each file has the pages of its time, and the same as one that was written whole. */
Test(snapshot_chain, the_newest_page_counts, .init = link_setup)
{
	static struct link link[5], whole;

	for (uint32_t seed = 1; seed <= 12; seed++) {
		struct snapshot_comparison c = {.page = none, .part = no_part};
		struct snapshot a, b;
		uint32_t rest = seed;

		memset(link[0].page, 0, sizeof(link[0].page));
		for (int i = 0; i < 5; i++) {
			if (i)
				memcpy(link[i].page, link[i - 1].page, sizeof(link[i].page));
			change(&link[i], &rest);
			build(&link[i], i ? &link[i - 1] : NULL, dice(&rest) % 2);
		}
		for (int i = 0; i < 5; i++)
			expect_pages(&link[i]);
		memcpy(whole.page, link[4].page, sizeof(whole.page));
		build(&whole, NULL, false);
		cr_assert_eq(open_link(&link[4], &a), 0);
		cr_assert_eq(open_link(&whole, &b), 0);
		cr_expect_eq(snapshot_compare(&a, &b, &c, why), 0, "%s", why);
		cr_expect_eq(c.pages, 0u);
		snapshot_close(&a);
		snapshot_close(&b);
		close(whole.fd);
		for (int i = 0; i < 5; i++)
			close(link[i].fd);
	}
}

/* Three pages of one frame in the middle are newer, and then zero. */
Test(snapshot_chain, a_frame_is_cut, .init = link_setup)
{
	static struct link base, above, top;

	for (int i = 0; i < 16; i++)
		base.page[i] = (uint16_t)(2 + i);
	build(&base, NULL, true);
	memcpy(above.page, base.page, sizeof(base.page));
	above.page[5] = 90;
	above.page[6] = ABSENT;
	above.page[7] = ZERO;
	build(&above, &base, true);
	expect_pages(&above);
	memcpy(top.page, above.page, sizeof(top.page));
	top.page[6] = 91; /* the guest has it again */
	top.page[3] = ZERO;
	build(&top, &above, false);
	expect_pages(&top);
}

static void corrupt(int fd, off_t at)
{
	uint8_t byte;

	cr_assert_eq(pread(fd, &byte, 1, at), 1);
	byte ^= 1;
	cr_assert_eq(pwrite(fd, &byte, 1, at), 1);
}

static struct link base, above;

/* Two pages, and one of them newer. */
static void make_two(void)
{
	base.page[1] = 10;
	base.page[2] = 11;
	build(&base, NULL, false);
	memcpy(above.page, base.page, sizeof(base.page));
	above.page[2] = 12;
	build(&above, &base, false);
	expect_pages(&above);
}

Test(snapshot_chain, a_base_that_is_not_there, .init = link_setup)
{
	make_two();
	close(base.fd);
	expect_refused(&above, ENOENT, "No such file");
	cr_expect(strstr(why, "its base "), "%s", why);
}

Test(snapshot_chain, a_base_that_is_another, .init = link_setup)
{
	static struct link other;
	const int fd = (make_two(), base.fd);

	other.page[1] = 13;
	build(&other, NULL, false);
	cr_assert_eq(dup2(other.fd, fd), fd);
	expect_refused(&above, EBADMSG, "it is another snapshot than");
	cr_assert_eq(dup2(above.fd, fd), fd); /* a circle: it builds on itself */
	expect_refused(&above, EBADMSG, "it is another snapshot than");
	fcntl(fd, F_SETFD, 0);
	cr_assert_eq(dup2(dir, fd), fd);
	expect_refused(&above, EINVAL, "it is no regular file");
}

/* Two files that name each other: whatever they call the other's root, one of them is wrong. */
Test(snapshot_chain, a_circle, .init = link_setup)
{
	make_two();
	rename_base(&base, &above);
	expect_refused(&above, EBADMSG, "its table of hashes is damaged");
}

/* The root has the base's in it. */
Test(snapshot_chain, a_root_stands_for_all, .init = link_setup)
{
	static struct link other, on_other;

	make_two();
	other.page[1] = 14;
	other.page[2] = 11;
	build(&other, NULL, false);
	memcpy(on_other.page, other.page, sizeof(other.page));
	on_other.page[2] = 12;
	build(&on_other, &other, false); /* the same page, above another one */
	cr_expect_arr_neq(above.root, on_other.root, SNAPSHOT_HASH);
	rename_base(&above, &other);
	expect_refused(&above, EBADMSG, "its table of hashes is damaged");
}

Test(snapshot_chain, damage_names_the_file, .init = link_setup)
{
	uint8_t page[PAGE_SIZE];
	struct snapshot s;
	char name[32];

	make_two();
	snprintf(name, sizeof(name), "its base %d: its block 0", base.fd);
	cr_assert_eq(open_link(&above, &s), 0);
	corrupt(base.fd, SNAPSHOT_HEADER + 5);
	cr_expect_eq(snapshot_page(&s, snapshot_run_from(&s, 1), 0, page, why), -EBADMSG);
	cr_expect(strstr(why, name), "%s", why);
	cr_expect_eq(snapshot_page(&s, snapshot_run_from(&s, 2), 0, page, why), 0, "the newer page is good");
	snapshot_close(&s);
	expect_refused(&above, EBADMSG, name); /* the index lies in the same block */
}

Test(snapshot_chain, machines_of_other_sizes, .init = link_setup)
{
	struct snapshot_shape shape = made_shape();

	make_two();
	name_base(&shape, &base);
	shape.memory *= 2;
	write_link(&above, &base, false, shape);
	expect_refused(&above, EBADMSG, "its state is not that of such a machine");
}

Test(snapshot_chain, names_that_cannot_be, .init = link_setup)
{
	static const char *const bad[] = {"",    ".",    "..",        "/",   "/etc/passwd", "../snapshot",
	                                  "a/b", "a\nb", "a\x1b[2Jb", "\x7f"};
	uint8_t header[SNAPSHOT_HEADER];
	struct snapshot_shape shape;

	make_two();
	cr_assert_eq(snapshot_file_header(above.fd, &shape, why), 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		memset(shape.base, 0, sizeof(shape.base));
		strcpy(shape.base, bad[i]);
		cr_expect_not(snapshot_is_base_name(bad[i]), "%zu", i);
		snapshot_shape_write(&shape, header);
		cr_assert_eq(pwrite(above.fd, header, sizeof(header), 0), SNAPSHOT_HEADER);
		if (*bad[i])
			expect_refused(&above, EBADMSG, "describes no machine that can be");
		else
			expect_refused(&above, EBADMSG, "damaged"); /* the root is that of a file with a base */
	}
	memset(shape.base, 'x', sizeof(shape.base));
	snapshot_shape_write(&shape, header);
	cr_assert_eq(pwrite(above.fd, header, sizeof(header), 0), SNAPSHOT_HEADER);
	expect_refused(&above, EBADMSG, "describes no machine that can be");
	cr_expect(snapshot_is_base_name("vm.snapshot"));
	cr_expect(snapshot_is_base_name("\xc3\xa4 b"));
}

/* Each byte of the newer file, and its end, are looked at. */
Test(snapshot_chain, cut_off_or_changed, .init = link_setup)
{
	off_t size = (make_two(), lseek(above.fd, 0, SEEK_END));
	struct snapshot s;

	for (off_t at = 0; at < size; at++) {
		corrupt(above.fd, at);
		cr_assert_eq(open_link(&above, &s), -EBADMSG, "byte %lld", (long long)at);
		corrupt(above.fd, at);
	}
	expect_pages(&above);
	for (size--; size >= 0; size -= size > 300 ? 97 : 1) {
		cr_assert_eq(ftruncate(above.fd, size), 0);
		cr_assert_eq(open_link(&above, &s), -EBADMSG, "%lld", (long long)size);
	}
}

/* As many files as there may be, and one more; no file takes the place of one that it builds on. */
Test(snapshot_chain, as_long_as_it_may_be, .init = link_setup)
{
	static struct link link[SNAPSHOT_CHAIN_MAX + 1];
	const int last = SNAPSHOT_CHAIN_MAX - 1;
	struct stat st;
	char name[16];

	for (int i = 0; i <= SNAPSHOT_CHAIN_MAX; i++) {
		if (i)
			memcpy(link[i].page, link[i - 1].page, sizeof(link[i].page));
		link[i].page[i] = (uint16_t)(100 + i);
		build(&link[i], i ? &link[i - 1] : NULL, false);
	}
	expect_pages(&link[last]);
	expect_refused(&link[last + 1], EBADMSG, "it builds on more than 31 files");
	snprintf(name, sizeof(name), "%d", link[last - 1].fd);
	cr_expect_eq(snapshot_chain_check(dir, name, link[last - 1].root, NULL, why), 0, "%s", why);
	cr_expect_eq(snapshot_chain_check(dir, name, link[last].root, NULL, why), -EBADMSG);
	cr_assert_eq(fstat(link[0].fd, &st), 0);
	cr_expect_eq(snapshot_chain_check(dir, name, link[last - 1].root, &st, why), -EEXIST);
	cr_expect(strstr(why, "would be replaced"), "%s", why);
	cr_assert_eq(fstat(link[last].fd, &st), 0);
	cr_expect_eq(snapshot_chain_check(dir, name, link[last - 1].root, &st, why), 0);
	snprintf(name, sizeof(name), "%d", link[last].fd);
	cr_expect_eq(snapshot_chain_check(dir, name, link[last].root, NULL, why), -EMLINK);
	cr_expect_eq(snapshot_chain_check(dir, "none", link[last].root, NULL, why), -ENOENT);
}
