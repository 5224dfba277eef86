/* SPDX-License-Identifier: MIT */
/* gnomon enclave list: the enclaves of a running guest, asked for at its control socket. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cmd/enclave.h"
#include "cmd/options.h"
#include "cmd/put_json.h"
#include "cmd/reply.h"
#include "client/connection.h"
#include "vm/vm.h"

#define ANSWER_MS 10000
#define PAGE_KIB  4

static const char help[] =
    "Usage: gnomon enclave list [--json] SOCKET\n"
    "Lists the enclaves of the guest behind a control socket, and the public key that their reports are checked with.\n"
    "\n"
    "  --json  print the reply of query-enclaves; measurements are whole there\n"
    "  --help\n"
    "\n"
    "Exit status: 0 done; 1 the guest has no secure memory, or nobody answers; 2 the arguments cannot be used.\n";

static void print_enclave(const json_t *e)
{
	const json_t *exits = json_object_get(e, "exits");

	printf("%3lld  %-11.11s  %7lld  %12lld  %8lld  %8lld  %10lld  %11lld  %8lld  %.16s\n", reply_number(e, "id"),
	       reply_text(e, "state").text, reply_number(e, "pages"), reply_number(e, "tables") * PAGE_KIB,
	       reply_number(e, "entries"), reply_number(exits, "exited"), reply_number(exits, "called-out"),
	       reply_number(exits, "interrupted"), reply_number(exits, "faulted"), reply_text(e, "measurement").text);
}

static int print_list(json_t *reply)
{
	json_t *enclaves = json_object_get(reply, "enclaves"), *e;
	size_t i;

	if (!json_is_array(enclaves)) {
		log_error("enclave list: the reply tells of no enclaves");
		return -EPROTO;
	}
	if (json_array_size(enclaves) == 0)
		puts("The guest has no enclaves.");
	else
		printf("%3s  %-11s  %7s  %12s  %8s  %8s  %10s  %11s  %8s  %s\n", "id", "state", "pages", "tables (KiB)",
		       "entries", "exited", "called out", "interrupted", "faulted", "measurement");
	json_array_foreach (enclaves, i, e)
		print_enclave(e);
	printf("public key of reports: %s\n", reply_text(reply, "key").text);
	return 0;
}

static int run(const char *path, bool json)
{
	json_t *reply;
	int r = connection_ask_once(path, ANSWER_MS, "query-enclaves", NULL, &reply);

	if (r < 0)
		return r;
	if (json) {
		put_json(reply, JSON_INDENT(2));
	} else {
		r = print_list(reply);
	}
	json_decref(reply);
	return r;
}

int enclave_list(int argc, char **argv)
{
	bool json;
	const int r = option_json_and_word(argc, argv, help, "one socket", &json);

	if (r)
		return r > 0 ? 0 : STATUS_USAGE;
	return run(argv[optind], json) < 0 ? STATUS_HOST_FAILURE : 0;
}
