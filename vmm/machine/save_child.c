/* SPDX-License-Identifier: MIT */
/*
 * The process that writes a snapshot. It has the VMM's memory as it was at the fork, one thread, and no descriptor but
 * those of the file. It takes no lock of the VMM's and logs nothing: others may have held the locks.
 */
#include <errno.h>
#include <linux/close_range.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "machine/save.h"
#include "snapshot/writer.h"

static void close_others(int a, int b)
{
	const unsigned low = a < b ? a : b, high = a < b ? b : a;

	if (low)
		(void)close_range(0, low - 1, 0);
	if (high > low + 1)
		(void)close_range(low + 1, high - 1, 0);
	(void)close_range(high + 1, ~0u, 0);
}

static void tell(struct save_progress *p, const struct snapshot_writer *w)
{
	atomic_store(&p->bytes, snapshot_writer_bytes(w));
	atomic_store(&p->stored, w->stored);
	atomic_store(&p->zero, w->zero);
	atomic_store(&p->absent, w->absent);
}

static void write_region(struct save *s, struct snapshot_writer *w, const struct mem_region *m)
{
	for (uint64_t off = 0; off < m->size && !w->error; off += PAGE_SIZE) {
		const gpa_t at = gpa_init(maddr_raw(m->base) + off);
		const void *page = stage2_ptr(&s->vm->stage2, at, PAGE_SIZE);

		if (w->names_zero && !save_since_has(&s->since, gpa_raw(at) / PAGE_SIZE))
			atomic_fetch_add(&s->progress->unchanged, 1);
		else if (page)
			snapshot_writer_page(w, gpa_raw(at) / PAGE_SIZE, page);
		else
			snapshot_writer_absent(w, gpa_raw(at) / PAGE_SIZE);
		atomic_fetch_add(&s->progress->done, 1);
		if (off % PAGE_2M == 0)
			tell(s->progress, w);
	}
}

static int write_all(struct save *s)
{
	struct snapshot_writer w;
	int r = snapshot_writer_begin(&w, s->out.fd, s->compress);

	if (r < 0)
		return r;
	w.names_zero = *s->shape.base;
	for (int i = 0; i < s->vm->mem.nr_regions; i++)
		write_region(s, &w, &s->vm->mem.region[i]);
	r = snapshot_writer_end(&w, &s->shape, s->state, s->state_size);
	tell(s->progress, &w);
	atomic_store(&s->progress->bytes, s->shape.file_size);
	memcpy(s->progress->root, s->shape.root, SNAPSHOT_HASH);
	return r;
}

_Noreturn void save_child(struct save *s)
{
	int r;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != s->parent)
		_exit(1);
	(void)prctl(PR_SET_NAME, "gnomon-save");
	close_others(s->out.fd, s->out.place.dir);
	atomic_store(&s->progress->step, "write");
	r = write_all(s);
	if (r == 0) {
		atomic_store(&s->progress->step, "complete");
		r = replace_commit(&s->out);
	} else {
		replace_abandon(&s->out);
	}
	atomic_store(&s->progress->error, r);
	_exit(r < 0);
}
