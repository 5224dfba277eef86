/* SPDX-License-Identifier: MIT */
/* gnomon snapshot verify: reads all of a file, and says what it is or which blocks are damaged. */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <time.h>

#include "base/clock.h"
#include "base/hex.h"
#include "base/plain.h"
#include "cmd/options.h"
#include "cmd/put_json.h"
#include "cmd/snapshot.h"
#include "snapshot/reader.h"
#include "vm/vm.h"

static const char help[] =
    "Usage: gnomon snapshot verify [OPTION...] FILE\n"
    "Reads all of a snapshot and says what it is. Names each block of 64 KiB that is damaged, and what lies there.\n"
    "\n"
    "  --json  print one JSON object, sizes in bytes\n"
    "  --help\n"
    "\n"
    "Exit status: 0 all is good; 1 the file is damaged or no snapshot; 2 the arguments or the file cannot be used.\n";

/* Tells of each damaged block of file `i`. How many there are; -errno, logged. */
static int check_blocks(struct snapshot *s, unsigned i, const char *path)
{
	const struct snapshot_file *f = &s->file[i];
	const int64_t start = clock_ms();
	char why[SNAPSHOT_WHY_MAX];
	int bad = 0;

	for (uint64_t nr = 0; nr < f->nr_leaves; nr++) {
		const int r = snapshot_file_block(f, &s->block, nr, why);

		if (r < 0) {
			if (i)
				(void)snapshot_of_base(s->file[i - 1].shape.base, r, why);
			log_progress("%s", "");
			log_error("%s: %s", path, why);
			bad++;
		}
		if (r < 0 && r != -EBADMSG)
			return r;
		if (nr % 256 == 0 && clock_ms() - start > LOG_QUIET_MS)
			log_progress("verify: %llu of %llu MiB", (unsigned long long)nr >> 4,
			             (unsigned long long)f->nr_leaves >> 4);
	}
	log_progress("%s", "");
	return bad;
}

/* Of all files. How many are damaged; -errno, logged. */
static int check_files(struct snapshot *s, const char *path)
{
	int bad = 0, r = 0;

	for (unsigned i = 0; r >= 0 && i < s->nr_files; i++) {
		r = check_blocks(s, i, path);
		bad += r > 0 ? r : 0;
	}
	return r < 0 ? r : bad;
}

static void print_base(const struct snapshot *s)
{
	uint64_t size = 0;

	for (unsigned i = 1; i < s->nr_files; i++)
		size += s->file[i].shape.file_size;
	printf("%-10s%s; with all that it builds on %u file%s, %.1f MiB, all good\n", "base", s->shape.base,
	       s->nr_files - 1, s->nr_files == 2 ? "" : "s", size / 1048576.0);
	printf("%-10s%llu stored, %llu absent in all of them together\n", "chain", (unsigned long long)s->stored_pages,
	       (unsigned long long)s->absent_pages);
}

static void print_text(const struct snapshot *snapshot, const char *root)
{
	const struct snapshot_shape *s = &snapshot->shape;
	const time_t at = (time_t)(s->created_ms / 1000);
	struct tm tm;
	char when[32];

	strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S UTC", gmtime_r(&at, &tm));
	printf("%-10s%s, saved %s by Gnomon %s on Linux %s\n", "guest", s->guest, when, s->gnomon, s->kernel);
	printf("%-10s%llu MiB, %u CPU%s of %s, %s paging\n", "machine", (unsigned long long)(s->memory >> 20), s->cpus,
	       s->cpus == 1 ? "" : "s", s->vendor, s->paging);
	printf("%-10s%llu stored, %llu zero, %llu absent\n", "pages", (unsigned long long)s->stored_pages,
	       (unsigned long long)s->zero_pages, (unsigned long long)s->absent_pages);
	printf("%-10s%.1f MiB in %llu blocks, all good\n", "file", s->file_size / 1048576.0,
	       (unsigned long long)snapshot_nr_leaves(s->leaves_at));
	if (*s->base)
		print_base(snapshot);
	printf("%-10s%s\n", "root", root);
}

static void print_json(const struct snapshot_shape *s, const char *root)
{
	json_t *o =
	    json_pack("{s:s, s:I, s:s, s:s, s:I, s:I, s:s, s:s, s:I, s:I, s:I, s:I, s:s}", "guest", s->guest,
	              "created-ms", (json_int_t)s->created_ms, "gnomon", s->gnomon, "kernel", s->kernel, "memory",
	              (json_int_t)s->memory, "cpus", (json_int_t)s->cpus, "vendor", s->vendor, "paging", s->paging,
	              "stored", (json_int_t)s->stored_pages, "zero", (json_int_t)s->zero_pages, "absent",
	              (json_int_t)s->absent_pages, "bytes", (json_int_t)s->file_size, "root", root);

	if (*s->base)
		json_object_set_new(o, "base", json_string(s->base));
	put_json(o, 0);
	json_decref(o);
}

int snapshot_verify_command(int argc, char **argv)
{
	char why[SNAPSHOT_WHY_MAX], root[HEX_TEXT(SNAPSHOT_HASH)];
	struct snapshot s;
	bool json = false;
	int r = option_json_and_word(argc, argv, help, "a snapshot's file", &json), bad;

	if (r)
		return r > 0 ? 0 : STATUS_USAGE;
	r = snapshot_open(argv[optind], &s, why);
	if (r < 0) {
		log_error("%s: %s", argv[optind], why);
		return r == -EBADMSG ? STATUS_HOST_FAILURE : STATUS_USAGE;
	}
	bad = check_files(&s, argv[optind]);
	hex_write(root, s.shape.root, sizeof(s.shape.root));
	plain_string(s.shape.guest);
	plain_string(s.shape.gnomon);
	plain_string(s.shape.kernel);
	plain_string(s.shape.vendor);
	plain_string(s.shape.paging);
	plain_string(s.shape.base);
	if (bad == 0 && json)
		print_json(&s.shape, root);
	else if (bad == 0)
		print_text(&s, root);
	snapshot_close(&s);
	return bad ? STATUS_HOST_FAILURE : 0;
}
