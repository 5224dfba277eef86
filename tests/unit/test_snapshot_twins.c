/* SPDX-License-Identifier: MIT */
/* Pages that a snapshot has twice: written once where they lie in a row, and read as they were. */
#include <criterion/criterion.h>
#include <sys/stat.h>
#include <unistd.h>

#include "snapshot_made.h"

#define PAGES  (MADE_MEMORY / PAGE_SIZE)
#define ABSENT UINT32_MAX

/* What each page holds: 0 is zeroes, equal numbers are equal pages. */
static uint32_t id[PAGES];
static struct snapshot s;
static char why[SNAPSHOT_WHY_MAX];

static void fill(uint32_t first, uint32_t pages, uint32_t from)
{
	for (uint32_t i = 0; i < pages; i++)
		id[first + i] = from + i;
}

/* Different for each number, and packed well. */
static void content(uint32_t number, uint64_t ret_page[PAGE_SIZE / 8])
{
	for (unsigned i = 0; i < PAGE_SIZE / 8; i++)
		ret_page[i] = (uint64_t)number << 16;
}

static enum made fill_from_id(const void *ctx, uint64_t gfn, uint8_t page[PAGE_SIZE])
{
	content(id[gfn], (uint64_t *)page);
	return id[gfn] == ABSENT ? MADE_ABSENT : MADE_PAGE;
}

/* Writes what `id` says, and opens it. The file's bytes. */
static off_t write_and_open(bool pack)
{
	const int fd = memfd_create("snapshot", MFD_CLOEXEC);
	struct snapshot_shape shape = made_shape();
	struct snapshot_state state = made_state(1);
	struct stat st;

	made_write(fd, pack, &shape, &state, PAGES, fill_from_id, NULL);
	cr_assert_eq(fstat(fd, &st), 0);
	cr_assert_eq(snapshot_open_fd(fd, &s, why), 0, "%s", why);
	return st.st_size;
}

/* Pages that the file has from bytes that stand for others before them, too. */
static uint64_t pages_again(void)
{
	uint64_t end = 0, again = 0;

	for (uint64_t i = 0; i < s.nr_runs; i++) {
		const struct snapshot_extent *run = &s.run[i];

		if (run->kind == SNAPSHOT_ABSENT)
			continue;
		if (run->at < end) /* runs of one file: either all of it is there already, or nothing */
			again += run->pages;
		else
			end = run->at + run->size;
	}
	return again;
}

/* Every page is read as it was, and the file is closed. */
static void expect_back(void)
{
	uint64_t page[PAGE_SIZE / 8], want[PAGE_SIZE / 8];

	for (uint64_t gfn = 0; gfn < PAGES; gfn++) {
		const struct snapshot_extent *run = snapshot_run_from(&s, gfn);

		if (!run || run->gfn > gfn) {
			cr_expect_eq(id[gfn], 0u, "page %llu is lost", (unsigned long long)gfn);
			continue;
		}
		if (run->kind == SNAPSHOT_ABSENT) {
			cr_expect_eq(id[gfn], ABSENT);
			continue;
		}
		content(id[gfn], want);
		cr_assert_eq(snapshot_page(&s, run, (uint32_t)(gfn - run->gfn), page, why), 0, "%s", why);
		cr_expect_arr_eq(page, want, sizeof(page), "page %llu", (unsigned long long)gfn);
	}
	snapshot_close(&s);
}

/* Wherever the copy begins. Where the original does not begin at a sixteenth page, what comes before that is written. */
Test(snapshot_twins, a_copy_is_written_once)
{
	off_t once, twice;

	fill(0, 64, 1);
	once = write_and_open(false);
	expect_back();
	fill(101, 64, 1);
	fill(500, 32, 9);
	twice = write_and_open(false);
	cr_expect_eq(pages_again(), 64u + 24u);
	cr_expect_lt(twice, once + (off_t)(8 * PAGE_SIZE + 4096));
	expect_back();
}

/* Fewer than sixteen in a row would only cut the file into pieces. */
Test(snapshot_twins, few_are_written_again)
{
	fill(0, 64, 1);
	fill(200, 15, 17);
	(void)write_and_open(false);
	cr_expect_eq(pages_again(), 0u);
	cr_expect_eq(s.nr_runs, 2u);
	expect_back();
}

/* Behind a copy comes another page, zeroes, pages that the guest does not have, or another part of the original. */
Test(snapshot_twins, a_copy_ends)
{
	fill(0, 64, 1);
	fill(100, 16, 1);
	id[116] = 1000;
	fill(200, 20, 1);
	fill(221, 3, 21);
	fill(300, 18, 1);
	id[318] = id[319] = ABSENT;
	fill(320, 17, 33);
	fill(400, 16, 1);
	fill(416, 16, 33);
	(void)write_and_open(false);
	cr_expect_eq(pages_again(), 16u + 20u + 18u + 17u + 32u);
	expect_back();
}

/* The copy may overlap itself, or reach into what is not on disk yet. */
Test(snapshot_twins, one_content_everywhere)
{
	off_t size;

	for (unsigned gfn = 0; gfn < PAGES; gfn++)
		id[gfn] = 7;
	size = write_and_open(false);
	cr_expect_gt(pages_again(), PAGES - 100);
	cr_expect_lt(size, (off_t)(100 * PAGE_SIZE));
	expect_back();
}

/* A frame of packed pages stands for all that are equal, and no page between them is lost. */
Test(snapshot_twins, a_frame_is_written_once)
{
	fill(0, 64, 1);
	fill(128, 64, 1);
	fill(256, 8, 1);
	fill(272, 16, 2);
	id[300] = ABSENT;
	(void)write_and_open(true);
	cr_expect_eq(pages_again(), 64u);
	expect_back();
}

/* Keys of which the table looks at the same part: few are noted, and none takes more than as many looks. */
Test(snapshot_twins, hashes_that_a_guest_makes_collide)
{
	struct snapshot_known k = {0};
	unsigned found = 0;

	for (uint64_t i = 1; i <= 10000; i++)
		snapshot_known_note(&k, i << 32 | 5, i);
	for (uint64_t i = 1; i <= 10000; i++)
		found += snapshot_known_find(&k, i << 32 | 5) == i;
	cr_expect(found > 1 && found <= 64, "%u", found);
	snapshot_known_free(&k);
}

/* Other keys are found again, all but a few. */
Test(snapshot_twins, hashes_of_a_usual_guest)
{
	struct snapshot_known k = {0};
	unsigned found = 0;

	for (uint64_t i = 1; i <= 100000; i++)
		snapshot_known_note(&k, snapshot_known_key(&i, sizeof(i)), i);
	for (uint64_t i = 1; i <= 100000; i++)
		found += snapshot_known_find(&k, snapshot_known_key(&i, sizeof(i))) == i;
	cr_expect_gt(found, 99900u);
	snapshot_known_free(&k);
}
