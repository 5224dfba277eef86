/* SPDX-License-Identifier: MIT */
/* gnomon tables: the page tables of a running guest, or of one in a snapshot, as trees. */
#include "cmd/tables.h"

#include <errno.h>
#include <gnomon/addr.h>
#include <string.h>

#include "base/address.h"
#include "client/connection.h"
#include "cmd/args.h"
#include "cmd/cmd.h"
#include "cmd/document.h"
#include "cmd/options.h"
#include "cmd/put_json.h"
#include "view/file.h"
#include "vm/vm.h"

#define ANSWER_MS 10000

static const char help[] =
    "Usage: gnomon tables [OPTION...] SOCKET|FILE\n"
    "Shows the page tables of the guest behind a control socket as trees: a line for each table, and one for each run\n"
    "of pages that follow each other and have the same flags. The guest goes on running. FILE is a snapshot.\n"
    "\n"
    "  --stage STAGE      guest (default): virtual to guest physical, and what that lies on;\n"
    "                     stage2: guest physical to machine addresses; of a snapshot, what the file has of memory;\n"
    "                     shadow: what the CPU walks in shadow mode, virtual to machine addresses;\n"
    "                     enclave: how large the third stage and the enclaves' tables are\n"
    "  --address ADDRESS  only what leads to this address\n"
    "  --frame FRAME      only say who maps this page frame: its address divided by 4096\n"
    "  --cpu N            only of this vCPU (default: of all, a tree that several have once)\n"
    "  --json             print the reply of the command `query-tables`\n"
    "  --html FILE        also write a page that unfolds\n"
    "  --help\n"
    "\n"
    "Exit status: 0 done; 1 nobody answers, the file cannot be used, or output is lost; 2 the arguments cannot be\n"
    "used.\n";

struct ask {
	const char *stage, *address, *html;
	bool by_frame, json;
	uint64_t frame;
	long cpu; /* -1: all */
};

static int parse_stage(const char *text, const char **ret_stage)
{
	static const char *const stages[] = {"guest", "stage2", "shadow", "enclave"};

	for (size_t i = 0; i < sizeof(stages) / sizeof(*stages); i++)
		if (strcmp(text, stages[i]) == 0) {
			*ret_stage = text;
			return 0;
		}
	log_error("--stage: '%s' is none of guest, stage2, shadow and enclave", text);
	return -EINVAL;
}

static int parse_address(const char *option, const char *text, uint64_t *ret_value)
{
	if (address_parse(text, ret_value) == 0)
		return 0;
	log_error("%s: '%s' is " ADDRESS_EXPECTED, option, text);
	return -EINVAL;
}

static int parse_frame(const char *text, uint64_t *ret_frame)
{
	const int r = parse_address("--frame", text, ret_frame);

	if (r == 0 && *ret_frame > UINT64_MAX / PAGE_SIZE) {
		log_error("--frame: '%s' is no page frame: it is an address divided by 4096", text);
		return -EINVAL;
	}
	return r;
}

static int parse_one(int opt, struct ask *a)
{
	uint64_t unused;

	switch (opt) {
	case 's':
		return parse_stage(optarg, &a->stage);
	case 'a':
		a->address = optarg;
		return parse_address("--address", optarg, &unused);
	case 'f':
		a->by_frame = true;
		return parse_frame(optarg, &a->frame);
	case 'c':
		return parse_count("--cpu", optarg, 0, VM_MAX_CPUS - 1, &a->cpu);
	case 'j':
		a->json = true;
		return 0;
	case 't':
		a->html = optarg;
		return 0;
	case OPTION_HELP:
		fputs(help, stdout);
		return 1;
	default:
		return -EINVAL;
	}
}

/* 1: help was shown; -EINVAL, logged. */
static int parse(int argc, char **argv, struct ask *a)
{
	static const struct option options[] = {
	    {"stage", required_argument, NULL, 's'}, {"address", required_argument, NULL, 'a'},
	    {"frame", required_argument, NULL, 'f'}, {"cpu", required_argument, NULL, 'c'},
	    {"json", no_argument, NULL, 'j'},        {"html", required_argument, NULL, 't'},
	    {"help", no_argument, NULL, 'h'},        {0}};
	int opt, r = 0;

	while (r == 0 && (opt = option_next(argc, argv, options, false)) != OPTION_END)
		r = parse_one(opt, a);
	if (r)
		return r;
	if (optind != argc - 1) {
		log_error("tables: one socket or file is expected (try `gnomon tables --help`)");
		return -EINVAL;
	}
	if (a->by_frame && (a->address || strcmp(a->stage, "enclave") == 0)) {
		log_error("--frame: %s", a->address ? "not together with --address: it looks at all of the tables"
		                                    : "only the monitor knows the enclaves' frames");
		return -EINVAL;
	}
	return a->html ? document_check("--html", a->html, argv[optind]) : 0;
}

static int put_html(const void *tables, FILE *to)
{
	return tables_write_html(tables, to);
}

static int show(const struct ask *a, json_t *reply)
{
	struct tables t;
	int r = tables_load(reply, &t);

	if (r == 0 && a->by_frame && t.memory) {
		log_error("--frame: a snapshot has no tables of a second stage; --address shows what it has of a page");
		r = -EINVAL;
	} else if (r == 0 && a->json) {
		put_json(reply, JSON_INDENT(2));
	} else if (r == 0 && a->by_frame) {
		tables_print_frame(&t, a->frame, stdout);
	} else if (r == 0) {
		r = tables_print(&t, stdout);
	}
	if (r == 0 && a->html)
		r = document_write("--html", a->html, put_html, &t);
	tables_free(&t);
	return r;
}

static int ask_socket(const struct ask *a, const char *path, json_t **ret_reply)
{
	json_t *args = json_pack("{s:s}", "stage", a->stage);

	if (a->address)
		json_object_set_new(args, "address", json_string(a->address));
	if (a->cpu >= 0)
		json_object_set_new(args, "cpu", json_integer(a->cpu));
	return connection_ask_once(path, ANSWER_MS, "query-tables", args, ret_reply);
}

static json_t *look_at_file(struct view_file *file, const void *wanted, struct control_error *err)
{
	return view_file_tables(file, wanted, err);
}

static int run(const struct ask *a, const char *path)
{
	const struct control_tables wanted = {.stage = a->stage, .address = a->address, .cpu = a->cpu};
	json_t *reply;
	int r = view_is_file(path) ? view_file_ask(path, look_at_file, &wanted, &reply) : ask_socket(a, path, &reply);

	return r < 0 ? r : show(a, reply);
}

int cmd_tables(int argc, char **argv)
{
	struct ask a = {.stage = "guest", .cpu = -1};
	const int r = parse(argc, argv, &a);

	if (r)
		return r == 1 ? 0 : STATUS_USAGE;
	return run(&a, argv[optind]) < 0 ? STATUS_HOST_FAILURE : 0;
}
