/* SPDX-License-Identifier: MIT */
/* gnomon walk: one translation of a running guest, or of one in a snapshot, reference by reference. */
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "base/address.h"
#include "client/connection.h"
#include "cmd/args.h"
#include "cmd/cmd.h"
#include "cmd/document.h"
#include "cmd/options.h"
#include "cmd/put_json.h"
#include "cmd/walk.h"
#include "view/file.h"
#include "vm/vm.h"

#define ANSWER_MS 10000

static const char help[] =
    "Usage: gnomon walk [OPTION...] SOCKET|FILE ADDRESS\n"
    "Shows how the CPU translates a virtual address of the guest behind a control socket: each table entry that it\n"
    "reads, in order, and where that leads, or the rule that ends it. The guest goes on running, and nothing of it is\n"
    "changed. FILE is a snapshot: it has the guest's tables, and none of the second stage or the shadow. ADDRESS is\n"
    "decimal, or hexadecimal after 0x.\n"
    "\n"
    "  --access KIND   r for a read (default), w for a write, x for a fetch of an instruction\n"
    "  --user          as a program of the guest (default: as the vCPU runs now)\n"
    "  --supervisor    as the guest's kernel\n"
    "  --cpu N         with the registers of this vCPU (default 0)\n"
    "  --json          print the reply of the command `walk`\n"
    "  --svg FILE      also draw the walk\n"
    "  --help\n"
    "\n"
    "Exit status: 0 done, also when the walk ends in a fault; 1 nobody answers, the file cannot be used, or output is\n"
    "lost; 2 the arguments cannot be used.\n";

struct ask {
	const char *access, *privilege, *svg;
	long cpu;
	bool json;
};

static int parse_access(const char *text, const char **ret_access)
{
	if (strlen(text) == 1 && strchr("rwx", *text)) {
		*ret_access = text;
		return 0;
	}
	log_error("--access: '%s' is none of r, w and x", text);
	return -EINVAL;
}

/* 1: help was shown; -EINVAL, logged. */
static int parse(int argc, char **argv, struct ask *a)
{
	static const struct option options[] = {
	    {"access", required_argument, NULL, 'a'}, {"user", no_argument, NULL, 'u'},
	    {"supervisor", no_argument, NULL, 's'},   {"cpu", required_argument, NULL, 'c'},
	    {"json", no_argument, NULL, 'j'},         {"svg", required_argument, NULL, 'g'},
	    {"help", no_argument, NULL, 'h'},         {0}};
	int opt, r = 0;

	while (r == 0 && (opt = option_next(argc, argv, options, false)) != OPTION_END) {
		if (opt == 'a')
			r = parse_access(optarg, &a->access);
		else if (opt == 'u' || opt == 's')
			a->privilege = opt == 'u' ? "user" : "supervisor";
		else if (opt == 'c')
			r = parse_count("--cpu", optarg, 0, VM_MAX_CPUS - 1, &a->cpu);
		else if (opt == 'j')
			a->json = true;
		else if (opt == 'g')
			a->svg = optarg;
		else
			r = opt == OPTION_HELP ? 1 : -EINVAL;
	}
	if (r == 1)
		fputs(help, stdout);
	return r;
}

static int check_words(int argc, char **argv)
{
	uint64_t address;

	if (optind != argc - 2) {
		log_error("walk: a socket or file and an address are expected (try `gnomon walk --help`)");
		return -EINVAL;
	}
	if (address_parse(argv[optind + 1], &address) == 0)
		return 0;
	log_error("walk: '%s' is " ADDRESS_EXPECTED, argv[optind + 1]);
	return -EINVAL;
}

static int draw(const void *reply, FILE *to)
{
	walk_draw((json_t *)(uintptr_t)reply, to);
	return 0;
}

static int show(const struct ask *a, json_t *reply)
{
	if (!json_is_object(reply)) {
		log_error("walk: the reply is no object");
		return -EPROTO;
	}
	if (a->json) {
		put_json(reply, JSON_INDENT(2));
	} else {
		walk_print(reply, stdout);
	}
	return a->svg ? document_write("--svg", a->svg, draw, reply) : 0;
}

static int ask_socket(const struct ask *a, const char *path, const char *address, json_t **ret_reply)
{
	json_t *args = json_pack("{s:s, s:s, s:I}", "address", address, "access", a->access, "cpu", (json_int_t)a->cpu);

	if (a->privilege)
		json_object_set_new(args, "privilege", json_string(a->privilege));
	return connection_ask_once(path, ANSWER_MS, "walk", args, ret_reply);
}

static json_t *look_at_file(struct view_file *file, const void *wanted, struct control_error *err)
{
	return view_file_walk(file, wanted, err);
}

static int run(const struct ask *a, const char *path, const char *address)
{
	const struct control_walk wanted = {
	    .address = address, .access = a->access, .privilege = a->privilege, .cpu = a->cpu};
	json_t *reply;
	int r = view_is_file(path) ? view_file_ask(path, look_at_file, &wanted, &reply)
	                           : ask_socket(a, path, address, &reply);

	if (r < 0)
		return r;
	r = show(a, reply);
	json_decref(reply);
	return r;
}

int cmd_walk(int argc, char **argv)
{
	struct ask a = {.access = "r"};
	const int r = parse(argc, argv, &a);

	if (r)
		return r == 1 ? 0 : STATUS_USAGE;
	if (check_words(argc, argv) < 0 || (a.svg && document_check("--svg", a.svg, argv[optind]) < 0))
		return STATUS_USAGE;
	return run(&a, argv[optind], argv[optind + 1]) < 0 ? STATUS_HOST_FAILURE : 0;
}
