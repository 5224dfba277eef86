/* SPDX-License-Identifier: MIT */
#include "base/address.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

int address_parse(const char *text, uint64_t *ret_address)
{
	const bool hex = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
	const char *digits = hex ? text + 2 : text;
	uint64_t value;

	if (!*digits || digits[strspn(digits, hex ? "0123456789abcdefABCDEF" : "0123456789")])
		return -EINVAL;
	errno = 0;
	value = strtoull(digits, NULL, hex ? 16 : 10);
	if (errno)
		return -EINVAL;
	*ret_address = value;
	return 0;
}
