/* SPDX-License-Identifier: MIT */
#include "base/plain.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* Bytes of the character at p, which it returns; 0: they are no UTF-8. */
static size_t take(const unsigned char *p, size_t left, uint32_t *ret_char)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	const size_t n = *p < 0x80 ? 1 : *p >> 5 == 6 ? 2 : *p >> 4 == 14 ? 3 : *p >> 3 == 30 ? 4 : 0;
	uint32_t c = n == 1 ? *p : n ? *p & (0x7fu >> n) : 0;

	if (n == 0 || n > left)
		return 0;
	for (size_t i = 1; i < n; i++) {
		if (p[i] >> 6 != 2)
			return 0;
		c = c << 6 | (p[i] & 0x3f);
	}
	*ret_char = c;
	return c < least[n] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000) ? 0 : n;
}

static bool is_plain(uint32_t c)
{
	static const struct {
		uint32_t first, last;
	} bad[] = {{0, 0x1f}, {0x7f, 0x9f}, {0x61c, 0x61c}, {0x200e, 0x200f}, {0x2028, 0x202e}, {0x2066, 0x2069}};

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		if (c >= bad[i].first && c <= bad[i].last)
			return false;
	return true;
}

void plain_make(char *text, size_t len)
{
	for (size_t at = 0; at < len;) {
		uint32_t c = 0;
		const size_t n = take((const unsigned char *)text + at, len - at, &c), step = n ? n : 1;

		if (n == 0 || !is_plain(c))
			memset(text + at, '?', step);
		at += step;
	}
}

void plain_string(char *text)
{
	plain_make(text, strlen(text));
}
