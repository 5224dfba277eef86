/* SPDX-License-Identifier: MIT */
#include "base/hex.h"

#include <stdint.h>
#include <string.h>

static const char digits[] = "0123456789abcdef";

void hex_write(char *ret_text, const void *bytes, size_t size)
{
	const uint8_t *byte = bytes;

	for (size_t i = 0; i < size; i++) {
		ret_text[2 * i] = digits[byte[i] >> 4];
		ret_text[2 * i + 1] = digits[byte[i] & 15];
	}
	ret_text[2 * size] = 0;
}

/* The digit's value, or -1. */
static int value(char c)
{
	const char *digit = c ? strchr(digits, c >= 'A' && c <= 'F' ? c - 'A' + 'a' : c) : NULL;

	return digit ? (int)(digit - digits) : -1;
}

static bool is_blank(char c)
{
	return c && strchr(" \t\n\v\f\r", c);
}

bool hex_read(const char *text, size_t len, void *ret_bytes, size_t size)
{
	uint8_t *byte = ret_bytes;
	size_t nr = 0;

	for (size_t i = 0; i < len; i++) {
		if (is_blank(text[i]))
			continue;
		if (value(text[i]) < 0)
			return false;
		nr++;
	}
	if (nr != 2 * size)
		return false;
	nr = 0;
	for (size_t i = 0; i < len; i++) {
		if (is_blank(text[i]))
			continue;
		byte[nr / 2] = nr % 2 ? byte[nr / 2] << 4 | value(text[i]) : value(text[i]);
		nr++;
	}
	return true;
}
