/* SPDX-License-Identifier: MIT */
#include "base/names.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define MAX_NAMES 32

/* The bit of the word; 0: it is none of the names. */
static unsigned find(const char *word, size_t len, names_of *name)
{
	for (size_t i = 0; name(i); i++) {
		BUG_ON(i == MAX_NAMES);
		if (len && strlen(name(i)) == len && memcmp(word, name(i), len) == 0)
			return 1u << i;
	}
	return 0;
}

int names_parse(const char *list, names_of *name, unsigned *ret_set)
{
	unsigned set = 0;

	for (const char *word = list;; word++) {
		const size_t len = strcspn(word, ",");
		const unsigned bit = find(word, len, name);

		if (!bit)
			return -EINVAL;
		set |= bit;
		word += len;
		if (!*word)
			break;
	}
	*ret_set = set;
	return 0;
}

void names_join(names_of *name, char *ret_text, size_t size)
{
	size_t len = 0;

	*ret_text = 0;
	for (size_t i = 0; name(i) && len < size; i++)
		len += snprintf(ret_text + len, size - len, "%s%s", i ? ", " : "", name(i));
}
