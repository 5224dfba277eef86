/* SPDX-License-Identifier: MIT */
/* Options on the command line: getopt_long(3) with one line for each mistake, which leads to --help. */
#ifndef GNOMON_CMD_OPTIONS_H
#define GNOMON_CMD_OPTIONS_H

#include <getopt.h>
#include <stdbool.h>

#include "base/log.h"

/* What option_next() returns besides the options' own values; `--help` and `-h` are known to all commands. */
enum { OPTION_END = -1, OPTION_WRONG = '?', OPTION_HELP = 'h' };

/*
 * The next option of a command, argv[0] being "gnomon COMMAND": its `val`, with its argument in optarg; OPTION_END with
 * the first word in argv[optind]; OPTION_WRONG, logged. Options may stand behind words, up to "--", unless the command
 * says that the first word ends them; POSIXLY_CORRECT, which would say that, too, is taken out of the environment.
 */
int option_next(int argc, char **argv, const struct option *options, bool word_ends_them);

/* The command's name in such an argv. */
const char *option_command(char **argv);

/*
 * For a subcommand with --json, --help and one word, which is argv[optind] then: 0. 1: `help` was shown; -EINVAL, logged:
 * `expected` says what the word is.
 */
int must_check option_json_and_word(int argc, char **argv, const char *help, const char *expected, bool *ret_json);

#endif
