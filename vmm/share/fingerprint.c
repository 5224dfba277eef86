/* SPDX-License-Identifier: MIT */
#include "share/fingerprint.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bitmap.h"
#include "base/pages.h"
#include "mem/touched.h"

#define BLOCK       SHARE_FANOUT
#define BLOCK_WORDS (BLOCK / BITMAP_WORD)
#define MANY        16 /* due pages of a block, from which on to ask which of them hold anything is cheaper */

static uint64_t words(uint64_t pages)
{
	return (pages + BLOCK - 1) / BLOCK * BLOCK_WORDS;
}

int fingerprint_create(enum share_algorithm algorithm, const uint8_t key[SHARE_KEY], uint64_t end,
                       struct fingerprint **ret_fingerprint)
{
	struct fingerprint *f = calloc(1, sizeof(*f));
	int r;

	if (!f)
		return -ENOMEM;
	f->pages = end / PAGE_SIZE;
	f->touched = touched_open();
	f->due = calloc(words(f->pages), sizeof(*f->due));
	share_hash_init(&f->hash, algorithm, key);
	r = f->due ? share_tree_init(&f->tree, &f->hash, f->pages) : -ENOMEM;
	if (r < 0) {
		fingerprint_destroy(f);
		return r;
	}
	fingerprint_due(f, NULL);
	*ret_fingerprint = f;
	return 0;
}

void fingerprint_destroy(struct fingerprint *f)
{
	if (!f)
		return;
	share_tree_destroy(&f->tree);
	free(f->due);
	if (f->touched >= 0)
		close(f->touched);
	free(f);
}

void fingerprint_due(struct fingerprint *f, const uint64_t *pages)
{
	const uint64_t n = bitmap_words(f->pages);

	for (uint64_t i = 0; i < n; i++)
		f->due[i] |= pages ? pages[i] : ~0ull;
	if (f->pages % BITMAP_WORD)
		f->due[n - 1] &= (1ull << f->pages % BITMAP_WORD) - 1;
}

void fingerprint_begin(struct fingerprint *f)
{
	BUG_ON(f->under_way);
	f->under_way = true;
	f->at = 0;
	f->round = (struct fingerprint_round){0};
}

static unsigned rights_of(pt_attrs_t attrs)
{
	return (attrs & PT_R ? 1 : 0) | (attrs & PT_W ? 2 : 0) | (attrs & PT_X ? 4 : 0);
}

/* The hash of a page as it is now. */
static struct share_digest look_at(struct fingerprint *f, const struct stage2 *s2, gpa_t gpa, bool untouched)
{
	struct stage2_mapping m;
	const uint8_t *page;

	if (!stage2_lookup(s2, gpa, &m)) {
		f->round.absent++;
		return f->hash.absent[0];
	}
	page = guest_mem_ptr(s2->mem, m.maddr, PAGE_SIZE);
	BUG_ON(!page);
	if (untouched || page_is_zero(page)) {
		f->round.zero++;
		return share_hash_zero(&f->hash, rights_of(m.attrs));
	}
	f->round.hashed++;
	return share_hash_page(&f->hash, rights_of(m.attrs), page);
}

static unsigned count(const uint64_t *due)
{
	unsigned n = 0;

	for (unsigned i = 0; i < BLOCK_WORDS; i++)
		n += (unsigned)__builtin_popcountll(due[i]);
	return n;
}

/*
 * Which of a block's pages hold anything. All may, where they do not lie in a row, are an enclave's buffer, or are mapped
 * from a snapshot, whose bytes are there before anybody reads them.
 */
static void find_touched(const struct fingerprint *f, const struct stage2 *s2, gpa_t first, uint64_t ret[BLOCK_WORDS])
{
	const uint64_t rest = f->pages * PAGE_SIZE - gpa_raw(first);
	const uint64_t size = rest < BLOCK * PAGE_SIZE ? rest : BLOCK * PAGE_SIZE;
	const void *block = stage2_ptr(s2, first, size);

	_Static_assert(BLOCK == TOUCHED_PAGES, "one question for each block");
	if (block && !s2->mem->mapped_file && !lent_to(&s2->lent, first, size))
		touched_find(f->touched, block, (unsigned)(size / PAGE_SIZE), ret);
	else
		memset(ret, 0xff, BLOCK / 8);
}

/* Hashes the block's due pages. Returns how many they were. */
static unsigned work_on_block(struct fingerprint *f, const struct stage2 *s2, uint64_t first)
{
	uint64_t *due = &f->due[first / BITMAP_WORD];
	uint64_t touched[BLOCK_WORDS];
	const unsigned n = count(due);

	if (!n)
		return 0;
	memset(touched, 0xff, sizeof(touched));
	if (n >= MANY)
		find_touched(f, s2, gpa_init(first * PAGE_SIZE), touched);
	for (unsigned w = 0; w < BLOCK_WORDS; w++) {
		for (; due[w]; due[w] &= due[w] - 1) {
			const unsigned bit = (unsigned)__builtin_ctzll(due[w]);
			const uint64_t page = first + w * BITMAP_WORD + bit;
			const struct share_digest d =
			    look_at(f, s2, gpa_init(page * PAGE_SIZE), !(touched[w] >> bit & 1));

			f->round.changed += share_tree_set(&f->tree, page, d);
		}
	}
	f->round.pages += n;
	return n;
}

bool fingerprint_work(struct fingerprint *f, const struct stage2 *s2, uint64_t pages)
{
	uint64_t done = 0;

	BUG_ON(!f->under_way);
	for (; f->at < f->pages && done < pages; f->at += BLOCK)
		done += work_on_block(f, s2, f->at);
	if (f->at < f->pages)
		return false;
	f->round.nodes = share_tree_refresh(&f->tree);
	f->version += f->round.changed || !f->version;
	f->under_way = false;
	return true;
}
