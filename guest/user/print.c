/* SPDX-License-Identifier: MIT */
/* Prints and reads numbers and text. */
#include "user.h"

struct sink {
	char *at, *end; /* one byte is kept for the NUL */
};

static void put(struct sink *s, char c)
{
	if (s->at < s->end)
		*s->at++ = c;
}

static void put_number(struct sink *s, uint64_t v, unsigned base)
{
	char digits[24];
	int n = 0;

	do {
		digits[n++] = "0123456789abcdef"[v % base];
	} while (v /= base);
	while (n)
		put(s, digits[--n]);
}

static void put_argument(struct sink *s, char kind, va_list *args)
{
	const char *text;
	int64_t v;

	switch (kind) {
	case 's':
		for (text = va_arg(*args, const char *); *text; text++)
			put(s, *text);
		break;
	case 'c':
		put(s, va_arg(*args, int));
		break;
	case 'd':
		v = va_arg(*args, int64_t);
		if (v < 0)
			put(s, '-');
		put_number(s, v < 0 ? -(uint64_t)v : (uint64_t)v, 10);
		break;
	case 'u':
		put_number(s, va_arg(*args, uint64_t), 10);
		break;
	case 'x':
		put_number(s, va_arg(*args, uint64_t), 16);
		break;
	default:
		put(s, kind);
		break;
	}
}

uint64_t format_list(char *to, uint64_t size, const char *fmt, va_list *args)
{
	struct sink s = {to, to + size - 1};

	for (; *fmt; fmt++) {
		if (*fmt == '%' && fmt[1])
			put_argument(&s, *++fmt, args);
		else
			put(&s, *fmt);
	}
	*s.at = 0;
	return s.at - to;
}

uint64_t format(char *to, uint64_t size, const char *fmt, ...)
{
	va_list args;
	uint64_t len;

	va_start(args, fmt);
	len = format_list(to, size, fmt, &args);
	va_end(args);
	return len;
}

void print(const char *fmt, ...)
{
	char line[512];
	va_list args;
	uint64_t len;

	va_start(args, fmt);
	len = format_list(line, sizeof(line), fmt, &args);
	va_end(args);
	write(line, len);
}

bool parse_number(const char *text, uint64_t *ret_value)
{
	unsigned base = 10;
	uint64_t v = 0;

	if (text[0] == '0' && text[1] == 'x') {
		base = 16;
		text += 2;
	}
	if (!*text)
		return false;
	for (; *text; text++) {
		unsigned digit = *text >= 'a' ? (unsigned)(*text - 'a') + 10 : (unsigned)(*text - '0');

		if (digit >= base)
			return false;
		v = v * base + digit;
	}
	*ret_value = v;
	return true;
}
