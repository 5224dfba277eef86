/* SPDX-License-Identifier: MIT */
/* Guest memory from a snapshot: read and checked before the guest runs, or mapped and checked meanwhile. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/thread.h"
#include "machine/restore.h"
#include "vm/vm.h"

/* Each mapping costs the host one of its own (vm.max_map_count). Less than so many pages in a row are copied. */
#define MAPPED_PAGES 16
#define MAPPED_RUNS  8192

#define LOOK_MS 50 /* for a signal, while the rest of a file is checked */

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

/* When each file was last written, and how long it is. */
static void note_files(const struct snapshot *s, struct stat *ret_files)
{
	for (unsigned i = 0; i < s->nr_files; i++)
		if (fstat(s->file[i].fd, &ret_files[i]) < 0)
			ret_files[i] = (struct stat){0};
}

/* Nobody cares any more whether what the guest did is right. */
static bool is_enough(struct restore_lazy *l)
{
	const enum vm_end how = vm_how_ended(l->vm);

	return atomic_load(&l->damaged) || atomic_load(&l->given_up) ||
	       (how != VM_RUNNING && how != VM_EXITED && how != VM_KILLED);
}

static void blame_file(struct restore_lazy *l, unsigned nr_file, char why[SNAPSHOT_WHY_MAX])
{
	if (nr_file)
		(void)snapshot_of_base(l->s->file[nr_file - 1].shape.base, 0, why);
	(void)damaged(l->path, -EBADMSG, why);
	log_error("the guest may have read what was never its memory%s", vm_has_ended(l->vm) ? "" : ": the run ends");
	atomic_store(&l->damaged, true);
	vm_end(l->vm, VM_HOST_FAILED, STATUS_HOST_FAILURE);
}

static void check_file(struct restore_lazy *l, const struct snapshot_file *f, unsigned nr_file)
{
	char why[SNAPSHOT_WHY_MAX];

	for (uint64_t nr = 0; nr < f->nr_leaves && !is_enough(l); nr++) {
		if (snapshot_file_block(f, &l->block, nr, why) == 0)
			continue;
		blame_file(l, nr_file, why);
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
	note_files(s, ret->files);
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

static bool has_come(int signal_fd)
{
	struct pollfd p = {.fd = signal_fd, .events = POLLIN};

	return poll(&p, 1, 0) > 0;
}

/* False: a signal came before the thread was done. */
static bool join(struct restore_lazy *l, int signal_fd)
{
	const int64_t start = clock_ms();
	struct timespec until;

	for (;;) {
		clock_gettime(CLOCK_MONOTONIC, &until);
		until.tv_nsec += LOOK_MS * 1000000;
		until.tv_sec += until.tv_nsec / 1000000000;
		until.tv_nsec %= 1000000000;
		if (pthread_clockjoin_np(l->thread, NULL, CLOCK_MONOTONIC, &until) == 0)
			return true;
		if (has_come(signal_fd))
			break;
		if (clock_ms() - start > LOG_QUIET_MS)
			log_progress("restore: the guest has ended; the rest of %s is checked", l->path);
	}
	atomic_store(&l->given_up, true);
	pthread_join(l->thread, NULL);
	return atomic_load(&l->damaged);
}

/* A block that was good when it was checked may be another by now. */
static void check_again(struct restore_lazy *l)
{
	struct stat now[SNAPSHOT_CHAIN_MAX];
	char why[SNAPSHOT_WHY_MAX];

	note_files(l->s, now);
	for (unsigned i = 0; i < l->s->nr_files && !is_enough(l); i++) {
		const struct timespec *a = &l->files[i].st_mtim, *b = &now[i].st_mtim;

		if (a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec && l->files[i].st_size == now[i].st_size)
			continue;
		snprintf(why, sizeof(why), "it was written while the guest ran");
		blame_file(l, i, why);
	}
}

int restore_lazy_end(struct restore_lazy *l, int signal_fd, int status)
{
	bool done;

	if (!l->has_thread)
		return status;
	done = join(l, signal_fd);
	log_progress("%s", "");
	snapshot_block_free(&l->block);
	l->has_thread = false;
	check_again(l);
	if (atomic_load(&l->damaged))
		return STATUS_HOST_FAILURE;
	if (done)
		return status;
	log_error("--restore: %s: interrupted before all of it was checked", l->path);
	return STATUS_INTERRUPTED;
}
