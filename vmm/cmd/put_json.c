/* SPDX-License-Identifier: MIT */
#include "cmd/put_json.h"

#include <stdio.h>

void put_json(const json_t *value, size_t flags)
{
	(void)json_dumpf(value, stdout, JSON_ENCODE_ANY | flags);
	putchar('\n');
}
