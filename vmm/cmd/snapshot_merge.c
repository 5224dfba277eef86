/* SPDX-License-Identifier: MIT */
/* gnomon snapshot merge: makes a file that stands alone of a chain. */
#include <errno.h>
#include <gnomon/addr.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/replace.h"
#include "cmd/options.h"
#include "cmd/snapshot.h"
#include "snapshot/reader.h"
#include "snapshot/writer.h"
#include "vm/vm.h"

static const char help[] =
    "Usage: gnomon snapshot merge [OPTION...] FILE TARGET\n"
    "Makes TARGET, which stands alone, of FILE and all that it builds on. Each page is checked. TARGET may be FILE; "
    "what\n"
    "builds on FILE then has to be saved anew.\n"
    "\n"
    "  --compress  pack pages by zstd where that saves a quarter\n"
    "  --help\n"
    "\n"
    "Exit status: 0 made; 1 a file is damaged or TARGET cannot be written; 2 the arguments or files cannot be used.\n";

/* -errno: of the reader with a clause. */
static int write_run(struct snapshot *s, const struct snapshot_extent *run, struct snapshot_writer *w, char *ret_why)
{
	uint8_t page[PAGE_SIZE];
	int r = 0;

	for (uint32_t n = 0; r == 0 && n < run->pages && !w->error; n++) {
		if (run->kind == SNAPSHOT_ABSENT) {
			snapshot_writer_absent(w, run->gfn + n);
			continue;
		}
		r = snapshot_page(s, run, n, page, ret_why);
		if (r == 0)
			snapshot_writer_page(w, run->gfn + n, page);
	}
	return r;
}

/* All but the name. -errno, logged. */
static int write_file(struct snapshot *s, const char *path, int fd, bool pack)
{
	const int64_t start = clock_ms();
	struct snapshot_shape shape = s->shape;
	char why[SNAPSHOT_WHY_MAX];
	struct snapshot_writer w;
	uint8_t *state;
	size_t size;
	int r = snapshot_writer_begin(&w, fd, pack);

	if (r < 0)
		return log_errno(-r, "snapshot: merge");
	for (uint64_t i = 0; r == 0 && i < s->nr_runs && !w.error; i++) {
		r = write_run(s, &s->run[i], &w, why);
		if (i % 256 == 0 && clock_ms() - start > LOG_QUIET_MS)
			log_progress("merge: %llu of %llu runs of pages", (unsigned long long)i,
			             (unsigned long long)s->nr_runs);
	}
	log_progress("%s", "");
	if (r < 0) {
		snapshot_writer_abandon(&w);
		log_error("%s: %s", path, why);
		return r;
	}
	memset(shape.base, 0, sizeof(shape.base));
	memset(shape.base_root, 0, sizeof(shape.base_root));
	w.zero = shape.memory / PAGE_SIZE - w.stored - w.absent;
	r = snapshot_state_write(&s->state, &state, &size);
	if (r < 0) {
		snapshot_writer_abandon(&w);
		return log_errno(-r, "snapshot: merge");
	}
	r = snapshot_writer_end(&w, &shape, state, size);
	free(state);
	return r < 0 ? log_errno(-r, "snapshot: merge: the file cannot be written") : 0;
}

/* Whether the target is a file that others of the chain are built on. */
static bool is_base(const struct snapshot *s, const struct outfile_place *target)
{
	struct stat st;

	for (unsigned i = 1; target->exists && i < s->nr_files; i++)
		if (fstat(s->file[i].fd, &st) == 0 && outfile_is_one(&st, &target->st))
			return true;
	return false;
}

/* The exit status. */
static int merge(struct snapshot *s, const char *path, const char *target, bool pack)
{
	struct replace out;
	int r = replace_begin(target, &out);

	if (r < 0) {
		log_error("%s: it cannot be made: %s", target,
		          r == -EEXIST ? "something else stands there" : strerror(-r));
		return STATUS_USAGE;
	}
	if (is_base(s, &out.place)) {
		log_error("%s: %s builds on it", target, path);
		replace_abandon(&out);
		return STATUS_USAGE;
	}
	r = write_file(s, path, out.fd, pack);
	if (r < 0) {
		replace_abandon(&out);
		return STATUS_HOST_FAILURE;
	}
	r = replace_commit(&out);
	if (r < 0)
		log_errno(-r, "%s: it cannot be completed", target);
	return r < 0 ? STATUS_HOST_FAILURE : 0;
}

int snapshot_merge_command(int argc, char **argv)
{
	static const struct option options[] = {
	    {"compress", no_argument, NULL, 'c'}, {"help", no_argument, NULL, 'h'}, {0}};
	char why[SNAPSHOT_WHY_MAX];
	struct snapshot s;
	bool pack = false;
	int opt, r;

	while ((opt = option_next(argc, argv, options, false)) != OPTION_END) {
		if (opt == OPTION_HELP)
			fputs(help, stdout);
		if (opt != 'c')
			return opt == OPTION_HELP ? 0 : STATUS_USAGE;
		pack = true;
	}
	if (optind != argc - 2) {
		log_error("snapshot: merge: two files are expected (try `gnomon snapshot merge --help`)");
		return STATUS_USAGE;
	}
	r = snapshot_open(argv[optind], &s, why);
	if (r < 0) {
		log_error("%s: %s", argv[optind], why);
		return r == -EBADMSG ? STATUS_HOST_FAILURE : STATUS_USAGE;
	}
	r = merge(&s, argv[optind], argv[optind + 1], pack);
	snapshot_close(&s);
	return r;
}
