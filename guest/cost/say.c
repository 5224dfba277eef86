/* SPDX-License-Identifier: MIT */
/* The way to CPL 0, and to the console, which needs it. */
#include <gnomon/abi.h>

#include "cost.h"

#define DIGITS 20

void cost_at_cpl0(void (*fn)(void *arg), void *arg)
{
	__asm__ volatile("int3"
	                 : "+a"(fn), "+D"(arg)
	                 :
	                 : "rcx", "rdx", "rsi", "r8", "r9", "r10", "r11", "cc", "memory");
}

static void send(void *arg)
{
	const char *text = arg;
	uint64_t len = 0;

	while (text[len])
		len++;
	__asm__ volatile("rep outsb" : "+S"(text), "+c"(len) : "d"(GNOMON_PORT_SERIAL) : "memory");
}

char *cost_put_text(char *to, const char *text)
{
	while (*text)
		*to++ = *text++;
	return to;
}

char *cost_put_number(char *to, const char *key, uint64_t v)
{
	to = cost_put_text(to, key);
	for (int i = DIGITS; i--; v /= 10)
		to[i] = '0' + v % 10;
	return to + DIGITS;
}

void cost_say(char *line)
{
	cost_at_cpl0(send, line);
}
