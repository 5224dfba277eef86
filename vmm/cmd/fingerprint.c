/* SPDX-License-Identifier: MIT */
/* gnomon fingerprint: the fingerprint of a running guest's memory, and what of it changed since the last time. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/output.h"
#include "client/fingerprint.h"
#include "cmd/args.h"
#include "cmd/cmd.h"
#include "cmd/fingerprint_print.h"
#include "cmd/options.h"
#include "vm/vm.h"

#define ANSWER_MS 10000
#define AT_ONCE   4096 /* hashes in a request */

struct options {
	long level; /* -1: the root alone */
	bool watch, json;
	long interval, count; /* seconds; rounds, 0: until the run ends */
};

static const char help[] =
    "Usage: gnomon fingerprint [OPTION...] SOCKET\n"
    "Prints the hash of the memory of the guest behind a control socket: the root of a Merkle tree. Only pages that\n"
    "were written since the last time are hashed again. The guest runs on meanwhile.\n"
    "\n"
    "  --level N           print the hashes of level N, too: 0 pages, 1 of 2 MiB, 2 of 1 GiB, 3 of 512 GiB, 4 the "
    "root\n"
    "  --watch             do it again and again, and say what changed\n"
    "  --interval SECONDS  time between two rounds of --watch, up to 60 (default 1)\n"
    "  --count N           end --watch after N rounds (default: with the run)\n"
    "  --hash NAME         blake2b (default); xxh3: faster, if nobody hostile writes in the guest\n"
    "  --key HEX           the key of the hash, 64 digits (default: one that the guest's VMM made up)\n"
    "  --stop              let the guest stand still at last, so that the fingerprint is exact\n"
    "  --json              print one JSON object a round\n"
    "  --help\n"
    "\n"
    "Exit status: 0 also when the run ends; 1 nobody answers; 2 the arguments cannot be used.\n";

/* All hashes of a level up to the end of guest memory. -ESTALE: ask again. */
static int fetch(struct fingerprint_client *f, int level, struct fingerprint_level *ret_level)
{
	const uint64_t span = 1ull << 9 * level, n = (f->pages + span - 1) / span;
	struct share_digest *digest = calloc(n, sizeof(*digest));
	int r = digest ? 0 : log_errno(ENOMEM, "fingerprint");

	for (uint64_t first = 0; r == 0 && first < n; first += AT_ONCE)
		r = fingerprint_client_hashes(f, level, first, (unsigned)(n - first < AT_ONCE ? n - first : AT_ONCE),
		                              digest + first);
	if (r < 0) {
		free(digest);
		return r;
	}
	*ret_level = (struct fingerprint_level){.level = level, .n = n, .digest = digest};
	return 0;
}

/* One round: the reply and, if asked for, a level of the tree, both of one version. */
static int look(struct fingerprint_client *f, const struct options *o, json_t **ret_reply,
                struct fingerprint_level *ret_level)
{
	unsigned tries = 0;
	int r;

	for (;;) {
		r = fingerprint_client_update(f, ret_reply);
		if (r < 0 || o->level < 0)
			return r;
		r = fetch(f, (int)o->level, ret_level);
		if (r == 0)
			return 0;
		json_decref(*ret_reply);
		if (r != -ESTALE || !fingerprint_client_stand_back("fingerprint", &tries))
			return r;
	}
}

/* Waits for the next round. -ESHUTDOWN: the run ended; -errno, logged. */
static int wait_for_next(struct connection *c, long seconds)
{
	const int64_t limit = clock_ms() + seconds * 1000;

	for (;;) {
		const int64_t left = limit - clock_ms();
		json_t *event;
		bool last;
		const int r = connection_event(c, left > 0 ? (int)left : 0, &event);

		if (r < 0)
			return r == -ETIMEDOUT ? 0 : r;
		last = strcmp(json_string_value(json_object_get(event, "event")), "SHUTDOWN") == 0;
		json_decref(event);
		if (last)
			return -ESHUTDOWN;
	}
}

static int run(struct fingerprint_client *f, const struct options *o)
{
	struct fingerprint_level before = {0}, now = {0};
	json_t *reply;
	int r = 0;

	for (long n = 1; r == 0; n++) {
		const int64_t start = clock_us();

		r = look(f, o, &reply, &now);
		if (r < 0)
			break;
		r = (o->json ? fingerprint_print_json : fingerprint_print_text)(reply, clock_us() - start, &now,
		                                                                &before);
		json_decref(reply);
		free(before.digest);
		before = now;
		now = (struct fingerprint_level){0};
		if (r == 0 && (!o->watch || n == o->count))
			break;
		if (r == 0)
			r = wait_for_next(&f->c, o->interval);
	}
	free(before.digest);
	return r;
}

static int parse_key(const char *text, struct fingerprint_client *f)
{
	uint8_t key[SHARE_KEY];

	if (!hex_read(text, strlen(text), key, sizeof(key))) {
		log_error("--key: it must be %d hex digits", 2 * SHARE_KEY);
		return -EINVAL;
	}
	hex_write(f->key, key, sizeof(key));
	return 0;
}

/* 0: go on; 1: help was shown; -EINVAL, logged. */
static int parse_options(int argc, char **argv, struct options *o, struct fingerprint_client *f)
{
	static const struct option options[] = {
	    {"level", required_argument, NULL, 'l'},    {"watch", no_argument, NULL, 'w'},
	    {"interval", required_argument, NULL, 'i'}, {"count", required_argument, NULL, 'n'},
	    {"hash", required_argument, NULL, 'a'},     {"key", required_argument, NULL, 'k'},
	    {"stop", no_argument, NULL, 's'},           {"json", no_argument, NULL, 'j'},
	    {"help", no_argument, NULL, 'h'},           {0}};
	int opt, r = 0;

	while (r == 0 && (opt = option_next(argc, argv, options, false)) != OPTION_END) {
		if (opt == 'l')
			r = parse_count("--level", optarg, 0, SHARE_LEVELS, &o->level);
		else if (opt == 'i')
			r = parse_count("--interval", optarg, 1, 60, &o->interval);
		else if (opt == 'n')
			r = parse_count("--count", optarg, 1, 1000000000, &o->count);
		else if (opt == 'a')
			r = fingerprint_client_algorithm(f, optarg);
		else if (opt == 'k')
			r = parse_key(optarg, f);
		else if (opt == 'w' || opt == 's' || opt == 'j')
			*(opt == 'w' ? &o->watch : opt == 's' ? &f->stop : &o->json) = true;
		else
			r = opt == OPTION_HELP ? 1 : -EINVAL;
	}
	if (r == 1)
		fputs(help, stdout);
	if (r == 0 && optind != argc - 1) {
		log_error("fingerprint: one socket is expected (try `gnomon fingerprint --help`)");
		r = -EINVAL;
	}
	return r;
}

int cmd_fingerprint(int argc, char **argv)
{
	struct options o = {.level = -1, .interval = 1};
	struct fingerprint_client f = {.algorithm = "blake2b"};
	int r = parse_options(argc, argv, &o, &f);

	if (r)
		return r == 1 ? 0 : STATUS_USAGE;
	if (connection_open(&f.c, argv[optind], ANSWER_MS) < 0)
		return STATUS_HOST_FAILURE;
	r = run(&f, &o);
	connection_close(&f.c);
	return r < 0 && !(r == -ESHUTDOWN && o.watch) ? STATUS_HOST_FAILURE : 0;
}
