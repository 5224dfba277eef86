/* SPDX-License-Identifier: MIT */
/* The command line: words and numbers with blanks between. */
#include "bare.h"

bool take_word(const char **args, const char *word)
{
	const char *p = *args;

	while (*word && *p == *word)
		p++, word++;
	if (*word || (*p && *p != ' '))
		return false;
	while (*p == ' ')
		p++;
	*args = p;
	return true;
}

uint64_t take_number(const char **args)
{
	uint64_t n = 0;

	while (**args >= '0' && **args <= '9')
		n = 10 * n + *(*args)++ - '0';
	while (**args == ' ')
		(*args)++;
	return n;
}
