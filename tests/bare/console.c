/* SPDX-License-Identifier: MIT */
/* Text out, the end, and what a freestanding compiler may call on its own. */
#include <gnomon/abi.h>

#include "bare.h"

__attribute__((used)) void *memset(void *to, int byte, size_t len);
__attribute__((used)) void *memcpy(void *to, const void *from, size_t len);

void *memset(void *to, int byte, size_t len)
{
	void *p = to;

	__asm__ volatile("rep stosb" : "+D"(p), "+c"(len) : "a"(byte) : "memory");
	return to;
}

void *memcpy(void *to, const void *from, size_t len)
{
	void *p = to;

	__asm__ volatile("rep movsb" : "+D"(p), "+S"(from), "+c"(len) : : "memory");
	return to;
}

void print(const char *text)
{
	for (; *text; text++)
		__asm__ volatile("outb %0, %1" : : "a"(*text), "d"((uint16_t)GNOMON_PORT_SERIAL));
}

static void print_base(uint64_t value, unsigned base)
{
	char digits[21], *p = digits + sizeof(digits);

	*--p = 0;
	do
		*--p = "0123456789abcdef"[value % base];
	while (value /= base);
	print(p);
}

void print_number(uint64_t value)
{
	print_base(value, 10);
}

void print_hex(uint64_t value)
{
	print("0x");
	print_base(value, 16);
}

void end(int status)
{
	__asm__ volatile("outb %b0, %1" : : "a"(status), "i"(GNOMON_PORT_EXIT));
	for (;;)
		__asm__ volatile("pause");
}
