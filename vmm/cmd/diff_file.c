/* SPDX-License-Identifier: MIT */
#include "cmd/diff_file.h"

#include <errno.h>
#include <gnomon/addr.h>
#include <string.h>
#include <sys/random.h>

#include "base/pages.h"

int diff_file_open(struct diff_file *f, const char *path)
{
	char why[SNAPSHOT_WHY_MAX];
	int r;

	*f = (struct diff_file){.path = path};
	r = snapshot_open(path, &f->s, why);
	if (r < 0)
		log_error("%s: %s", path, why);
	return r;
}

void diff_file_close(struct diff_file *f)
{
	share_tree_destroy(&f->tree);
	snapshot_close(&f->s);
}

static int key_of(char key[HEX_TEXT(SHARE_KEY)], uint8_t ret[SHARE_KEY])
{
	if (*key)
		return hex_read(key, strlen(key), ret, SHARE_KEY) ? 0 : -EINVAL;
	if (getrandom(ret, SHARE_KEY, 0) != SHARE_KEY)
		return -EIO;
	hex_write(key, ret, SHARE_KEY);
	return 0;
}

/* What a guest that went on from the file would have there, with every right. -errno, logged. */
static int look_at(struct diff_file *f, uint64_t gfn, struct share_digest *ret_digest, uint64_t *hashed)
{
	const struct snapshot_extent *run = snapshot_run_from(&f->s, gfn);
	uint8_t page[PAGE_SIZE];
	char why[SNAPSHOT_WHY_MAX];
	int r;

	*ret_digest = share_hash_zero(&f->hash, SHARE_RIGHTS - 1);
	if (!run || run->gfn > gfn)
		return 0;
	if (run->kind == SNAPSHOT_ABSENT) {
		*ret_digest = f->hash.absent[0];
		return 0;
	}
	r = snapshot_page(&f->s, run, (uint32_t)(gfn - run->gfn), page, why);
	if (r < 0) {
		log_error("%s: %s", f->path, why);
		return r;
	}
	if (page_is_zero(page))
		return 0;
	*ret_digest = share_hash_page(&f->hash, SHARE_RIGHTS - 1, page);
	++*hashed;
	return 0;
}

int diff_file_update(struct diff_file *f, const char *algorithm, char key[HEX_TEXT(SHARE_KEY)], uint64_t *hashed)
{
	const uint64_t memory = f->s.shape.memory, end = diff_file_pages(f);
	enum share_algorithm known = SHARE_BLAKE2B;
	uint8_t raw[SHARE_KEY];
	int r;

	if (f->made)
		return 0;
	BUG_ON(!share_algorithm_parse(algorithm, &known));
	r = key_of(key, raw);
	if (r == 0) {
		share_hash_init(&f->hash, known, raw);
		r = share_tree_init(&f->tree, &f->hash, end);
	}
	if (r < 0)
		return log_errno(-r, "diff: %s", f->path);
	for (uint64_t gfn = 0; r == 0 && gfn < end; gfn++) {
		struct share_digest d;

		if (!snapshot_is_ram(memory, gfn, 1))
			continue;
		r = look_at(f, gfn, &d, hashed);
		if (r == 0)
			(void)share_tree_set(&f->tree, gfn, d);
	}
	if (r == 0)
		(void)share_tree_refresh(&f->tree);
	f->made = r == 0;
	return r;
}

uint64_t diff_file_pages(const struct diff_file *f)
{
	return snapshot_ram_end(f->s.shape.memory);
}

int diff_file_hashes(void *ctx, int level, uint64_t first, unsigned count, struct share_digest *ret_hashes)
{
	const struct diff_file *f = ctx;

	for (unsigned i = 0; i < count; i++)
		ret_hashes[i] = share_tree_get(&f->tree, level, first + i);
	return 0;
}
