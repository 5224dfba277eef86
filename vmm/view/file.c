/* SPDX-License-Identifier: MIT */
#include "view/file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

bool view_is_file(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && !S_ISSOCK(st.st_mode);
}

int view_file_open(struct view_file *f, const char *path)
{
	int r;

	*f = (struct view_file){.path = path};
	memset(f->gfn, 0xff, sizeof(f->gfn));
	r = snapshot_open(path, &f->s, f->why);
	if (r < 0) {
		log_error("%s: %s", path, f->why);
		return r;
	}
	f->page = malloc(VIEW_FILE_PAGES * sizeof(*f->page));
	if (f->page)
		return 0;
	snapshot_close(&f->s);
	return log_errno(ENOMEM, "%s", path);
}

void view_file_close(struct view_file *f)
{
	free(f->page);
	f->page = NULL;
	snapshot_close(&f->s);
}

/* The page's content, kept here; NULL: it cannot be read. */
static const uint8_t *content(struct view_file *f, const struct snapshot_extent *run, uint64_t gfn)
{
	const unsigned at = gfn % VIEW_FILE_PAGES;
	int r;

	if (f->gfn[at] == gfn)
		return f->page[at];
	f->gfn[at] = UINT64_MAX;
	r = f->error ? f->error : snapshot_page(&f->s, run, (uint32_t)(gfn - run->gfn), f->page[at], f->why);
	if (r < 0) {
		f->error = r;
		return NULL;
	}
	f->gfn[at] = gfn;
	return f->page[at];
}

static bool entry(void *ctx, uint64_t at, pte_t *ret_entry)
{
	const uint64_t gfn = at / PAGE_SIZE;
	struct view_file *f = ctx;
	const struct snapshot_extent *run;
	const uint8_t *page;

	if (!snapshot_is_ram(f->s.shape.memory, gfn, 1))
		return false;
	run = snapshot_run_from(&f->s, gfn);
	if (!run || run->gfn > gfn) {
		*ret_entry = pte_init(0);
		return true;
	}
	page = run->kind == SNAPSHOT_ABSENT ? NULL : content(f, run, gfn);
	if (page)
		memcpy(ret_entry, page + page_offset(at), sizeof(*ret_entry));
	return page;
}

struct walk_memory view_file_memory(struct view_file *f)
{
	return (struct walk_memory){.entry = entry, .ctx = f};
}

const char *view_file_piece(void *file, uint64_t gpa, uint64_t *ret_end)
{
	const uint64_t gfn = gpa / PAGE_SIZE;
	struct view_file *f = file;
	const struct snapshot_extent *run;
	uint64_t end = snapshot_area_end(f->s.shape.memory, gfn);
	const char *kind = "outside";

	if (snapshot_is_ram(f->s.shape.memory, gfn, 1)) {
		run = snapshot_run_from(&f->s, gfn);
		kind = "zero";
		if (run && run->gfn <= gfn) {
			kind = run->kind == SNAPSHOT_ABSENT ? "absent" : "stored";
			end = run->gfn + run->pages;
		} else if (run && run->gfn < end) {
			end = run->gfn;
		}
	}
	*ret_end = end * PAGE_SIZE;
	return kind;
}
