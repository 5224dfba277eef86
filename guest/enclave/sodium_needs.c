/* SPDX-License-Identifier: MIT */
#include "sodium_needs.h"

#include <stdint.h>

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

void *memmove(void *to, const void *from, size_t len)
{
	uint8_t *last = (uint8_t *)to + len - 1;
	const uint8_t *from_last = (const uint8_t *)from + len - 1;

	if ((uintptr_t)to - (uintptr_t)from >= len)
		return memcpy(to, from, len);
	__asm__ volatile("std; rep movsb; cld" : "+D"(last), "+S"(from_last), "+c"(len) : : "memory");
	return to;
}

void sodium_memzero(void *const at, const size_t len)
{
	memset(at, 0, len);
}

/* In the same time for any content. */
int sodium_memcmp(const void *const a, const void *const b, size_t len)
{
	const volatile uint8_t *x = a, *y = b;
	uint8_t differs = 0;

	for (size_t i = 0; i < len; i++)
		differs |= x[i] ^ y[i];
	return differs ? -1 : 0;
}

int sodium_is_zero(const unsigned char *at, const size_t len)
{
	const volatile uint8_t *x = at;
	uint8_t any = 0;

	for (size_t i = 0; i < len; i++)
		any |= x[i];
	return !any;
}

/* The enclave faults, and nothing of it is told but that. */
void abort(void)
{
	__builtin_trap();
}

void __stack_chk_fail(void)
{
	__builtin_trap();
}

/* Only for key pairs that come from no seed. */
void randombytes_buf(void *const at, const size_t len)
{
	__builtin_trap();
}
