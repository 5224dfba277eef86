/* SPDX-License-Identifier: MIT */
#include "cmd/options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

const char *option_command(char **argv)
{
	return strchr(argv[0], ' ') + 1;
}

/* How many names begin like this word; one that is the whole word counts for all. */
static int matches(const struct option *options, const char *word, size_t len)
{
	int n = 0;

	for (const struct option *o = options; o->name; o++) {
		if (strncmp(o->name, word, len) != 0)
			continue;
		if (o->name[len] == 0)
			return 1;
		n++;
	}
	return n;
}

/* One line on what getopt_long(3) did not like about argv[optind - 1]. */
static void complain(char **argv, const struct option *options, int result)
{
	const char *word = argv[optind - 1], *command = option_command(argv);
	const int n = strncmp(word, "--", 2) == 0 ? matches(options, word + 2, strcspn(word + 2, "=")) : 1;
	const char letter[] = {'-', (char)optopt, 0};
	const char *what = "unrecognized option", *how = "";

	if (result == ':' || (n == 1 && strchr(word, '='))) {
		what = "option";
		how = result == ':' ? " requires an argument" : " doesn't allow an argument";
	} else if (n > 1) {
		what = "option";
		how = " is ambiguous";
	} else if (n == 1) {
		word = letter;
	}
	log_error("%s: %s '%s'%s (try `gnomon %s --help`)", command, what, word, how, command);
}

int option_next(int argc, char **argv, const struct option *options, bool word_ends_them)
{
	int result;

	opterr = 0;
	unsetenv("POSIXLY_CORRECT"); /* with it getopt_long(3) takes no options behind words */
	result = getopt_long(argc, argv, word_ends_them ? "+:h" : ":h", options, NULL);
	if (result != '?' && result != ':')
		return result;
	complain(argv, options, result);
	return OPTION_WRONG;
}

int option_json_and_word(int argc, char **argv, const char *help, const char *expected, bool *ret_json)
{
	static const struct option options[] = {
	    {"json", no_argument, NULL, 'j'}, {"help", no_argument, NULL, 'h'}, {0}};
	int opt;

	*ret_json = false;
	while ((opt = option_next(argc, argv, options, false)) != OPTION_END) {
		if (opt == OPTION_HELP) {
			fputs(help, stdout);
			return 1;
		}
		if (opt != 'j')
			return -EINVAL;
		*ret_json = true;
	}
	if (optind == argc - 1)
		return 0;
	log_error("%s: %s is expected (try `gnomon %s --help`)", option_command(argv), expected, option_command(argv));
	return -EINVAL;
}
