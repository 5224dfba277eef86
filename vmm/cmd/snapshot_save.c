/* SPDX-License-Identifier: MIT */
/* gnomon snapshot save: has the VMM save its guest, and waits for the end. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "client/connection.h"
#include "cmd/args.h"
#include "cmd/options.h"
#include "cmd/put_json.h"
#include "cmd/reply.h"
#include "cmd/snapshot.h"
#include "vm/vm.h"

#define DEFAULT_TIMEOUT_S 600
#define LOOK_AGAIN_MS     200

static const char help[] =
    "Usage: gnomon snapshot save [OPTION...] SOCKET FILE\n"
    "Saves the guest behind a control socket to FILE. The guest stands still for milliseconds, and runs while the "
    "file\n"
    "is written. A FILE that is there stays until the new one is complete.\n"
    "\n"
    "  --track            note from here on which pages are written, so that a later save can have --since FILE\n"
    "  --since OLD        write only what changed since OLD, the last that was saved with --track. FILE builds on\n"
    "                     OLD, which must stay beside it: `gnomon snapshot merge` makes one file of them\n"
    "  --compress         pack pages by zstd where that saves a quarter; --lazy reads such pages at once\n"
    "  --timeout SECONDS  wait no longer than this (default 600); the VMM completes the file all the same\n"
    "  --json             print one JSON object, sizes in bytes\n"
    "  --help\n"
    "\n"
    "Exit status: 0 saved; 1 not, or not in time; 2 the arguments cannot be used.\n";

/* The VMM has another working directory. -errno, logged. */
static int absolute(const char *file, char ret_path[PATH_MAX])
{
	char cwd[PATH_MAX];

	if (*file != '/' && !getcwd(cwd, sizeof(cwd)))
		return log_errno(errno, "snapshot: the working directory has no name");
	if (snprintf(ret_path, PATH_MAX, "%s%s%s", *file == '/' ? "" : cwd, *file == '/' ? "" : "/", file) < PATH_MAX)
		return 0;
	log_error("snapshot: the path is too long");
	return -ENAMETOOLONG;
}

struct save_options {
	const char *since;         /* NULL: none */
	char path_since[PATH_MAX]; /* the same, absolute */
	bool compress, track, json;
	long timeout; /* seconds */
};

static json_int_t number(const json_t *reply, const char *name)
{
	return json_integer_value(json_object_get(reply, name));
}

static bool is_saving(const json_t *reply)
{
	const char *status = json_string_value(json_object_get(reply, "status"));

	return status && strcmp(status, "saving") == 0;
}

/* The save that was begun: what the VMM tells may be about another client's, before or after it. */
struct begun {
	const char *file;
	struct stat before; /* of what had the name; st_nlink 0: nothing had */
	json_int_t pause_us;
};

static bool is_as_before(const struct begun *b)
{
	struct stat now;

	return b->before.st_nlink && stat(b->file, &now) == 0 && now.st_dev == b->before.st_dev &&
	       now.st_ino == b->before.st_ino;
}

static bool is_ours(const json_t *told, const struct begun *b)
{
	const char *file = json_string_value(json_object_get(told, "file"));

	return file && strcmp(file, b->file) == 0 && number(told, "pause-us") == b->pause_us;
}

/* The data of SNAPSHOT_END, if it is of this save: a new reference; or NULL. */
static json_t *end_in(const json_t *event, const struct begun *b)
{
	const char *name = json_string_value(json_object_get(event, "event"));
	json_t *data = json_object_get(event, "data");

	return name && strcmp(name, "SNAPSHOT_END") == 0 && is_ours(data, b) ? json_incref(data) : NULL;
}

/* Until the save has ended, or the run with it. *ret_end is how, a new reference. -errno, logged. */
static int wait_for_end(struct connection *c, const struct begun *b, json_t **ret_end)
{
	const int64_t start = clock_ms();
	json_t *event, *now;
	int r;

	for (;;) {
		r = connection_event(c, LOOK_AGAIN_MS, &event);
		if (r == 0) {
			*ret_end = end_in(event, b);
			json_decref(event);
			if (*ret_end)
				return 0;
			continue;
		}
		if (r != -ETIMEDOUT)
			return r;
		r = connection_ask(c, "query-snapshot", NULL, &now);
		if (r < 0)
			return r;
		if (!is_saving(now) && is_ours(now, b)) {
			*ret_end = now;
			return 0;
		}
		if (clock_ms() - start > LOG_QUIET_MS)
			log_progress("snapshot: %lld of %lld MiB looked at, %lld MiB written", number(now, "done") >> 8,
			             number(now, "pages") >> 8, number(now, "bytes") >> 20);
		json_decref(now);
	}
}

/* The exit status. */
static int tell(const json_t *end, const struct begun *b, bool json)
{
	const char *error = json_string_value(json_object_get(end, "error"));
	const json_int_t ms = number(end, "ms");

	if (error)
		log_error("snapshot: %s%s", error,
		          is_as_before(b) ? "; what was in the file before is there still" : "");
	if (json) {
		put_json(end, 0);
	} else if (!error) {
		printf("%-10s%s\n", "file", b->file);
		printf("%-10s%.1f MiB in %.2f s\n", "written", number(end, "bytes") / 1048576.0, ms / 1000.0);
		printf("%-10s%lld stored, %lld zero, %lld absent\n", "pages", number(end, "stored"),
		       number(end, "zero"), number(end, "absent"));
		if (json_object_get(end, "base"))
			printf("%-10s%lld pages unchanged since %s\n", "base", number(end, "unchanged"),
			       reply_text(end, "base").text);
		printf("%-10s%.2f ms\n", "pause", number(end, "pause-us") / 1000.0);
	}
	return error ? STATUS_HOST_FAILURE : 0;
}

/* What the VMM is asked. NULL, logged. */
static json_t *request(const char *file, const struct save_options *o)
{
	json_t *args = json_pack("{s:s, s:b, s:b}", "file", file, "compress", o->compress, "track", o->track);

	if (args && (!o->since || json_object_set_new(args, "since", json_string(o->path_since)) == 0))
		return args;
	json_decref(args);
	log_error("snapshot: save: a path has to be UTF-8, for the socket");
	return NULL;
}

static int save(struct connection *c, const char *file, const struct save_options *o)
{
	json_t *reply, *end = NULL, *args = request(file, o);
	struct begun begun = {.file = file};
	int r;

	if (!args)
		return STATUS_USAGE;
	if (stat(file, &begun.before) < 0)
		begun.before.st_nlink = 0;
	r = connection_ask(c, "snapshot-save", args, &reply);
	if (r < 0)
		return STATUS_HOST_FAILURE;
	begun.pause_us = number(reply, "pause-us");
	json_decref(reply);
	r = wait_for_end(c, &begun, &end);
	log_progress("%s", "");
	r = r < 0 ? STATUS_HOST_FAILURE : tell(end, &begun, o->json);
	json_decref(end);
	return r;
}

/* 0; 1: the help was shown; -EINVAL, logged. */
static int parse(int argc, char **argv, struct save_options *o)
{
	static const struct option options[] = {{"compress", no_argument, NULL, 'c'},
	                                        {"track", no_argument, NULL, 'T'},
	                                        {"since", required_argument, NULL, 's'},
	                                        {"timeout", required_argument, NULL, 't'},
	                                        {"json", no_argument, NULL, 'j'},
	                                        {"help", no_argument, NULL, 'h'},
	                                        {0}};
	int opt;

	*o = (struct save_options){.timeout = DEFAULT_TIMEOUT_S};
	while ((opt = option_next(argc, argv, options, false)) != OPTION_END) {
		if (opt == OPTION_HELP) {
			fputs(help, stdout);
			return 1;
		}
		if (opt == 'j')
			o->json = true;
		else if (opt == 'c')
			o->compress = true;
		else if (opt == 'T')
			o->track = true;
		else if (opt == 's')
			o->since = optarg;
		else if (opt != 't' || parse_count("--timeout", optarg, 1, 1000000, &o->timeout) < 0)
			return -EINVAL;
	}
	if (optind != argc - 2) {
		log_error("snapshot: save: a socket and a file are expected (try `gnomon snapshot save --help`)");
		return -EINVAL;
	}
	return o->since ? absolute(o->since, o->path_since) : 0;
}

int snapshot_save_command(int argc, char **argv)
{
	struct save_options o;
	char path[PATH_MAX];
	struct connection c;
	int64_t deadline;
	int r = parse(argc, argv, &o), status;

	if (r)
		return r > 0 ? 0 : STATUS_USAGE;
	if (absolute(argv[optind + 1], path) < 0)
		return STATUS_USAGE;
	deadline = clock_ms() + o.timeout * 1000;
	if (connection_open(&c, argv[optind], (int)o.timeout * 1000) < 0)
		return STATUS_HOST_FAILURE;
	c.deadline = deadline;
	status = save(&c, path, &o);
	connection_close(&c);
	return status;
}
