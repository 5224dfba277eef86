/* SPDX-License-Identifier: MIT */
/* Guest memory from a snapshot: read and checked before the guest runs, or mapped and checked meanwhile. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/thread.h"
#include "machine/restore.h"
#include "vm/vm.h"

/* Each mapping costs the host one of its own (vm.max_map_count). Less than so many pages in a row are copied. */
#define MAPPED_PAGES 16
#define MAPPED_RUNS  8192

static int damaged(const char *path, int r, const char *why)
{
	log_error("--restore: %s: %s", path, why);
	return r;
}

static int read_run(struct snapshot *s, const struct snapshot_extent *run, struct vm *vm, char *ret_why)
{
	int r = 0;

	for (uint32_t n = 0; r == 0 && n < run->pages; n++) {
		void *to = stage2_ptr(&vm->stage2, gpa_init((run->gfn + n) * PAGE_SIZE), PAGE_SIZE);

		BUG_ON(!to); /* snapshot_run_read() has checked it */
		r = snapshot_page(s, run, n, to, ret_why);
	}
	return r;
}

int restore_memory(struct snapshot *s, const char *path, struct vm *vm)
{
	const int64_t start = clock_ms();
	char why[SNAPSHOT_WHY_MAX];
	uint64_t done = 0;
	int r = 0;

	for (uint64_t i = 0; r == 0 && i < s->nr_runs; i++) {
		if (s->run[i].kind == SNAPSHOT_ABSENT)
			continue;
		r = read_run(s, &s->run[i], vm, why);
		done += s->run[i].pages;
		if (clock_ms() - start > LOG_QUIET_MS)
			log_progress("restore: %llu of %llu MiB", (unsigned long long)(done >> 8),
			             (unsigned long long)(s->stored_pages >> 8));
	}
	if (clock_ms() - start > LOG_QUIET_MS)
		log_progress("%s", "");
	return r < 0 ? damaged(path, r, why) : 0;
}

/* --- mapped --- */

static int map_run(const struct snapshot *s, const struct snapshot_extent *run, struct vm *vm)
{
	struct stage2_mapping m = {0};

	BUG_ON(!stage2_lookup(&vm->stage2, gpa_init(run->gfn * PAGE_SIZE), &m));
	return guest_mem_map_file(&vm->mem, m.maddr, run->size, s->file[run->file].fd, run->at);
}

static void check_file(struct restore_lazy *l, const struct snapshot_file *f, unsigned nr_file)
{
	char why[SNAPSHOT_WHY_MAX];

	for (uint64_t nr = 0; nr < f->nr_leaves && !vm_has_ended(l->vm); nr++) {
		if (snapshot_file_block(f, &l->block, nr, why) == 0)
			continue;
		if (nr_file)
			(void)snapshot_of_base(l->s->file[nr_file - 1].shape.base, 0, why);
		(void)damaged(l->path, -EBADMSG, why);
		log_error("the guest may have read what was never its memory: the run ends");
		vm_end(l->vm, VM_HOST_FAILED, STATUS_HOST_FAILURE);
	}
}

/* All blocks, also those that no page of the guest lies in. */
static void *check(void *arg)
{
	struct restore_lazy *l = arg;

	for (unsigned i = 0; i < l->s->nr_files; i++)
		check_file(l, &l->s->file[i], i);
	return NULL;
}

static int start_check(const struct snapshot *s, struct restore_lazy *l)
{
	char why[SNAPSHOT_WHY_MAX];
	int r = snapshot_block_init(&l->block, why);

	l->s = s;
	if (r == 0)
		r = -thread_start(&l->thread, check, l);
	l->has_thread = r == 0;
	if (r < 0)
		snapshot_block_free(&l->block);
	return r < 0 ? log_errno(-r, "--restore: %s cannot be checked", l->path) : 0;
}

int restore_memory_lazily(struct snapshot *s, const char *path, struct vm *vm, struct restore_lazy *ret)
{
	char why[SNAPSHOT_WHY_MAX] = "";
	uint64_t mapped = 0;
	int r = 0;

	*ret = (struct restore_lazy){.vm = vm, .path = path};
	for (uint64_t i = 0; r == 0 && i < s->nr_runs; i++) {
		const struct snapshot_extent *run = &s->run[i];

		if (run->kind == SNAPSHOT_ABSENT)
			continue;
		if (run->kind == SNAPSHOT_PACKED || run->pages < MAPPED_PAGES || mapped == MAPPED_RUNS) {
			r = read_run(s, run, vm, why);
			continue;
		}
		r = map_run(s, run, vm);
		mapped++;
	}
	if (r < 0)
		return *why ? damaged(path, r, why) : log_errno(-r, "--restore: %s cannot be mapped", path);
	return start_check(s, ret);
}

void restore_lazy_end(struct restore_lazy *l)
{
	if (!l->has_thread)
		return;
	pthread_join(l->thread, NULL);
	snapshot_block_free(&l->block);
	l->has_thread = false;
}
