/* SPDX-License-Identifier: MIT */
/* gnomon ctl: one command to a running guest's control socket, or all its events. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/output.h"
#include "cmd/args.h"
#include "cmd/cmd.h"
#include "cmd/options.h"
#include "client/connection.h"
#include "cmd/put_json.h"
#include "control/qmp.h"
#include "vm/vm.h"

#define DEFAULT_TIMEOUT_S 10

static void print_help(void)
{
	fputs("Usage: gnomon ctl [--timeout SECONDS] SOCKET COMMAND [KEY=VALUE...]\n"
	      "       gnomon ctl --events SOCKET\n"
	      "Sends COMMAND to a running `gnomon run --control SOCKET` and prints the reply as JSON. With --events "
	      "prints\n"
	      "every event as it comes, one line of JSON each, until the run ends.\n"
	      "VALUE is a size such as 64K or 0x200000 where the command wants an integer. Elsewhere it is JSON if it\n"
	      "parses as JSON, and text otherwise.\n"
	      "\n"
	      "  --timeout SECONDS  how long to wait for an answer (default 10)\n"
	      "  --events           print events instead of sending a command\n"
	      "  --help\n"
	      "\n"
	      "Commands:\n",
	      stdout);
	for (const struct qmp_command *c = qmp_commands; c->name; c++) {
		printf("  %-20s %s\n", c->name, c->help);
		for (const struct arg_schema *a = c->args; a && a->type != ARG_END; a++) {
			printf("  %-20s   %s=%s%s", "", a->name, schema_type_name(a->type),
			       a->required ? "" : ", optional");
			for (const char *const *v = a->values; v && *v; v++)
				printf("%s%s", v == a->values ? ": " : ", ", *v);
			putchar('\n');
		}
	}
	fputs("\nExit status: 0 done; 1 the guest's side refuses, or is not there; 2 the arguments cannot "
	      "be used.\n",
	      stdout);
}

/* The type that this version's own table gives an argument; a server may know more. */
static enum arg_type type_of(const char *command, const char *key)
{
	for (const struct qmp_command *c = qmp_commands; c->name; c++)
		for (const struct arg_schema *a = c->args; a && a->type != ARG_END; a++)
			if (strcmp(c->name, command) == 0 && strcmp(a->name, key) == 0)
				return a->type;
	return ARG_END;
}

static json_t *parse_value(enum arg_type type, const char *text)
{
	uint64_t size;
	json_t *v = NULL;

	if (type == ARG_INTEGER && parse_size(text, &size) == 0 && size <= INT64_MAX)
		return json_integer((json_int_t)size);
	if (type != ARG_STRING && type != ARG_ENUM)
		v = json_loads(text, JSON_DECODE_ANY, NULL);
	return v ? v : json_string(text);
}

/* KEY=VALUE words as an object; NULL for none. -EINVAL, logged. */
static int parse_arguments(const char *command, char **words, json_t **ret_args)
{
	json_t *args = *words ? json_object() : NULL;

	for (; *words; words++) {
		char *equals = strchr(*words, '=');

		if (equals)
			*equals = 0;
		if (equals && json_object_get(args, *words))
			log_error("ctl: '%s' is given twice", *words);
		else if (!equals ||
		         json_object_set_new(args, *words, parse_value(type_of(command, *words), equals + 1)) < 0)
			log_error("ctl: '%s' is not KEY=VALUE", *words);
		else
			continue;
		json_decref(args);
		return -EINVAL;
	}
	*ret_args = args;
	return 0;
}

static int print_events(struct connection *c)
{
	json_t *event;
	int r;

	do {
		r = connection_event(c, -1, &event);
		if (r < 0)
			return r;
		put_json(event, 0);
		r = output_error();
		if (r == 0 && strcmp(json_string_value(json_object_get(event, "event")), "SHUTDOWN") == 0)
			r = 1;
		json_decref(event);
	} while (r == 0);
	return r < 0 ? r : 0;
}

static int run_command(struct connection *c, const char *command, json_t *args)
{
	json_t *value;
	int r = connection_ask(c, command, args, &value);

	if (r < 0)
		return r;
	put_json(value, JSON_INDENT(2));
	json_decref(value);
	return output_error();
}

int cmd_ctl(int argc, char **argv)
{
	static const struct option options[] = {{"timeout", required_argument, NULL, 't'},
	                                        {"events", no_argument, NULL, 'e'},
	                                        {"help", no_argument, NULL, 'h'},
	                                        {0}};
	long timeout = DEFAULT_TIMEOUT_S;
	bool events = false;
	struct connection c;
	json_t *args = NULL;
	int64_t deadline;
	int opt, r;

	while ((opt = option_next(argc, argv, options, false)) != OPTION_END) {
		if (opt == OPTION_HELP) {
			print_help();
			return 0;
		}
		if (opt == 'e')
			events = true;
		else if (opt != 't' || parse_count("--timeout", optarg, 1, 1000000, &timeout) < 0)
			return STATUS_USAGE;
	}
	argv += optind;
	if (argc - optind < 2 - events || (events && argv[1])) {
		log_error("ctl: a socket%s expected (try `gnomon ctl --help`)",
		          events ? " alone is" : " and a command are");
		return STATUS_USAGE;
	}
	if (!events && parse_arguments(argv[1], argv + 2, &args) < 0)
		return STATUS_USAGE;
	deadline = clock_ms() + timeout * 1000;
	if (connection_open(&c, argv[0], (int)timeout * 1000) < 0) {
		json_decref(args);
		return STATUS_HOST_FAILURE;
	}
	if (!events)
		c.deadline = deadline;
	r = events ? print_events(&c) : run_command(&c, argv[1], args);
	connection_close(&c);
	return r < 0 ? STATUS_HOST_FAILURE : 0;
}
