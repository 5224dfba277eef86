/* SPDX-License-Identifier: MIT */
/*
 * What a freestanding compiler may call on its own. The functions are static: kernel and programs are linked into one
 * file at addresses far apart, and each needs its own.
 */
#ifndef GUEST_MEM_H
#define GUEST_MEM_H

#include <stddef.h>

__attribute__((used)) static void *memset(void *to, int byte, size_t len)
{
	void *p = to;

	__asm__ volatile("rep stosb" : "+D"(p), "+c"(len) : "a"(byte) : "memory");
	return to;
}

__attribute__((used)) static void *memcpy(void *to, const void *from, size_t len)
{
	void *p = to;

	__asm__ volatile("rep movsb" : "+D"(p), "+S"(from), "+c"(len) : : "memory");
	return to;
}

#endif
