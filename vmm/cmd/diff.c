/* SPDX-License-Identifier: MIT */
/* gnomon diff: where the memories of two guests differ, running or saved, by a descent in their fingerprints. */
#include <errno.h>
#include <gnomon/addr.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/output.h"
#include "client/fingerprint.h"
#include "cmd/cmd.h"
#include "cmd/diff_file.h"
#include "cmd/options.h"
#include "cmd/put_json.h"
#include "share/descent.h"
#include "view/file.h"

/* Statuses as diff(1) has them, unlike those of Gnomon's other commands. */
enum { SAME = 0, DIFFERENT = 1, TROUBLE = 2 };

#define ANSWER_MS 10000

struct diff {
	struct fingerprint_client guest[2]; /* of a file the key alone */
	struct diff_file file[2];
	bool is_file[2];
	bool json;
	json_t *ranges;
	int64_t update_us, descent_us;
	uint64_t hashed;
};

static const char help[] =
    "Usage: gnomon diff [OPTION...] SOCKET|FILE SOCKET|FILE\n"
    "Compares the memories of two guests, each behind a control socket or in a snapshot, and prints the ranges that\n"
    "differ. It compares their fingerprints by descent: the time depends on the difference, not on the size of guests\n"
    "that run. Of a snapshot all that it has is read.\n"
    "\n"
    "  --hash NAME  blake2b (default); xxh3: faster, if nobody hostile writes in the guests\n"
    "  --stop       let each guest stand still at last, so that its fingerprint is exact\n"
    "  --json       print one JSON object\n"
    "  --help\n"
    "\n"
    "Exit status, as diff(1) has it: 0 they are the same; 1 they differ; 2 nobody answers, or the arguments cannot be\n"
    "used.\n";

static void add_range(void *ctx, uint64_t page, uint64_t pages)
{
	const json_int_t gpa = (json_int_t)(page * PAGE_SIZE), size = (json_int_t)(pages * PAGE_SIZE);

	json_array_append_new(ctx, json_pack("{s:I, s:I}", "gpa", gpa, "size", size));
}

static int update_one(struct diff *d, int i)
{
	json_t *reply;
	int r;

	if (d->is_file[i])
		return diff_file_update(&d->file[i], d->guest[i].algorithm, d->guest[i].key, &d->hashed);
	r = fingerprint_client_update(&d->guest[i], &reply);
	if (r < 0)
		return r;
	d->hashed += (uint64_t)json_integer_value(json_object_get(json_object_get(reply, "round"), "hashed"));
	json_decref(reply);
	return 0;
}

static int update(struct diff *d)
{
	const int64_t start = clock_us();
	int r = 0;

	for (int i = 0; r == 0 && i < 2; i++) {
		if (i) /* one key for both, so that equal pages have equal hashes */
			snprintf(d->guest[1].key, sizeof(d->guest[1].key), "%s", d->guest[0].key);
		r = update_one(d, i);
	}
	d->update_us = clock_us() - start;
	return r;
}

static struct descent_side side(struct diff *d, int i)
{
	return d->is_file[i] ? (struct descent_side){diff_file_hashes, &d->file[i], diff_file_pages(&d->file[i])}
	                     : (struct descent_side){fingerprint_client_hashes, &d->guest[i], d->guest[i].pages};
}

/* A range counts once it is known that neither fingerprint changed on the way down. */
static int descend(struct diff *d, struct descent_result *ret_result)
{
	struct descent_side a, b;
	unsigned tries = 0;
	int64_t start;
	int r;

	do {
		r = update(d);
		if (r < 0)
			break;
		json_array_clear(d->ranges);
		a = side(d, 0);
		b = side(d, 1);
		start = clock_us();
		r = descent_run(&a, &b, add_range, d->ranges, ret_result);
		d->descent_us = clock_us() - start;
	} while (r == -ESTALE && fingerprint_client_stand_back("diff", &tries));
	return r;
}

static void print_text(const struct diff *d, const struct descent_result *res)
{
	const json_t *range;
	size_t i;

	json_array_foreach (d->ranges, i, range) {
		const unsigned long long gpa = (unsigned long long)json_integer_value(json_object_get(range, "gpa"));
		const unsigned long long size = (unsigned long long)json_integer_value(json_object_get(range, "size"));

		printf("0x%012llx-0x%012llx  %llu KiB\n", gpa, gpa + size - 1, size / 1024);
	}
	printf("%llu pages differ, in %llu ranges: %llu comparisons in %.1f ms; before that %llu pages were hashed, in "
	       "%.1f ms\n",
	       (unsigned long long)res->pages, (unsigned long long)res->ranges, (unsigned long long)res->comparisons,
	       d->descent_us / 1e3, (unsigned long long)d->hashed, d->update_us / 1e3);
}

static void print_json(const struct diff *d, const struct descent_result *res)
{
	const uint64_t requests = d->guest[0].requests + d->guest[1].requests;
	json_t *out = json_pack("{s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:O}", "same", res->pages == 0, "pages",
	                        (json_int_t)res->pages, "comparisons", (json_int_t)res->comparisons, "hashes",
	                        (json_int_t)res->hashes, "requests", (json_int_t)requests, "hashed",
	                        (json_int_t)d->hashed, "update_us", (json_int_t)d->update_us, "descent_us",
	                        (json_int_t)d->descent_us, "ranges", d->ranges);

	put_json(out, JSON_INDENT(2));
	json_decref(out);
}

/* 1: help was shown; -EINVAL, logged. */
static int parse_options(int argc, char **argv, struct diff *d)
{
	static const struct option options[] = {{"hash", required_argument, NULL, 'a'},
	                                        {"stop", no_argument, NULL, 's'},
	                                        {"json", no_argument, NULL, 'j'},
	                                        {"help", no_argument, NULL, 'h'},
	                                        {0}};
	int opt, r = 0;

	while (r == 0 && (opt = option_next(argc, argv, options, false)) != OPTION_END) {
		if (opt == 'a')
			r = fingerprint_client_algorithm(&d->guest[0], optarg);
		else if (opt == 's')
			d->guest[0].stop = true;
		else if (opt == 'j')
			d->json = true;
		else
			r = opt == OPTION_HELP ? 1 : -EINVAL;
	}
	d->guest[1] = d->guest[0];
	if (r == 1)
		fputs(help, stdout);
	if (r == 0 && optind != argc - 2) {
		log_error("diff: two sockets or files are expected (try `gnomon diff --help`)");
		r = -EINVAL;
	}
	return r;
}

static int open_one(struct diff *d, int i, const char *path)
{
	d->is_file[i] = view_is_file(path);
	return d->is_file[i] ? diff_file_open(&d->file[i], path) : connection_open(&d->guest[i].c, path, ANSWER_MS);
}

static void close_one(struct diff *d, int i)
{
	if (d->is_file[i])
		diff_file_close(&d->file[i]);
	else
		connection_close(&d->guest[i].c);
}

static int run(struct diff *d, char **paths)
{
	struct descent_result res;
	int r = open_one(d, 0, paths[0]);

	if (r < 0)
		return TROUBLE;
	r = open_one(d, 1, paths[1]);
	if (r == 0) {
		d->ranges = json_array();
		r = descend(d, &res);
		if (r == 0)
			(d->json ? print_json : print_text)(d, &res);
		json_decref(d->ranges);
		close_one(d, 1);
	}
	close_one(d, 0);
	if (r < 0 || output_error() < 0)
		return TROUBLE; /* what is lost may have been the difference */
	return res.pages ? DIFFERENT : SAME;
}

int cmd_diff(int argc, char **argv)
{
	struct diff d = {.guest[0].algorithm = "blake2b"};
	const int r = parse_options(argc, argv, &d);

	if (r)
		return r == 1 ? SAME : TROUBLE;
	return run(&d, argv + optind);
}
