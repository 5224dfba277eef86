/* SPDX-License-Identifier: MIT */
/* What a program has: system calls and printing. No libc, no start-up beyond start.S. */
#ifndef GUEST_USER_H
#define GUEST_USER_H

#include <gnomon/abi.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdnoreturn.h>

#include "layout.h"
#include "mem.h"
#include "syscall.h"

static inline int64_t sys(uint64_t number, uint64_t a, uint64_t b, uint64_t c)
{
	int64_t result;

	__asm__ volatile("int3" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c) : "memory");
	return result;
}

noreturn static inline void exit(int status)
{
	for (;;)
		sys(SYS_EXIT, status, 0, 0);
}

static inline int64_t write(const void *buf, uint64_t len)
{
	return sys(SYS_WRITE, (uint64_t)buf, len, 0);
}

/* Address or -errno. */
static inline int64_t mmap(uint64_t len, uint64_t flags)
{
	return sys(SYS_MMAP, len, flags, 0);
}

static inline int64_t munmap(const volatile void *at, uint64_t len)
{
	return sys(SYS_MUNMAP, (uint64_t)at, len, 0);
}

static inline int64_t mprotect(const volatile void *at, uint64_t len, uint64_t prot)
{
	return sys(SYS_MPROTECT, (uint64_t)at, len, prot);
}

static inline int64_t spawn(const char *args, int64_t cpu)
{
	return sys(SYS_SPAWN, (uint64_t)args, cpu, 0);
}

/* The child's number, or -errno; in the child 0. */
static inline int64_t fork(int64_t cpu, int how)
{
	return sys(SYS_FORK, cpu, how, 0);
}

/* Offers what the entry of `level` for `va` links, or takes the offer back (OFFER_END). 0 or -errno. */
static inline int64_t offer(const volatile void *va, int level)
{
	return sys(SYS_OFFER, (uint64_t)va, level, 0);
}

/* Links what the process with this number offers, or OFFER_OF_PARENT. The address or -errno. */
static inline int64_t take_offer(int64_t number)
{
	return sys(SYS_TAKE, number, 0, 0);
}

static inline uint64_t count(int what)
{
	return sys(SYS_COUNT, what, 0, 0);
}

/* number << 8 | status, or -ECHILD */
static inline int64_t wait(void)
{
	return sys(SYS_WAIT, 0, 0, 0);
}

static inline void yield(void)
{
	sys(SYS_YIELD, 0, 0, 0);
}

static inline uint64_t pte(const volatile void *va, int level)
{
	return sys(SYS_PTE, (uint64_t)va, level, 0);
}

static inline int64_t touch(uint64_t va, int how)
{
	return sys(SYS_TOUCH, va, how, 0);
}

/* The number of free pages. */
static inline uint64_t free_pages(void)
{
	return sys(SYS_FREE, 0, 0, 0);
}

/* BALLOON_START: 0, -ENODEV, -EBUSY. BALLOON_SERVE: how many runs to expand, or -EIO. */
static inline int64_t balloon(int what)
{
	return sys(SYS_BALLOON, what, 0, 0);
}

/* Asks about the pages of [first, first + bytes), which must not exceed the memory. The answer is in `w`. */
static inline int64_t walks(struct gnomon_walks *w, const volatile void *first, uint64_t bytes)
{
	*w = (struct gnomon_walks){.version = GNOMON_ABI_VERSION, .first = (uint64_t)first, .bytes = bytes};
	return sys(SYS_WALKS, (uint64_t)w, 0, 0);
}

static inline int64_t cpus(void)
{
	return sys(SYS_CPUS, 0, 0, 0);
}

static inline int64_t cpu(void)
{
	return sys(SYS_CPU, 0, 0, 0);
}

struct fault {
	int64_t vector; /* -1: there was none */
	uint64_t error, cr2, rip;
};

/* Calls fn(arg) and catches the exception that it ends in, if any (catch.S). */
void catch_fault(void (*fn)(uint64_t arg), uint64_t arg, struct fault *ret_fault);

/* print.c: one write per call; `%s`, `%d` (int64_t), `%u`, `%x` (uint64_t) and `%c` only */
void print(const char *format, ...);
/* Likewise into `to`, cut off at `size` with its NUL. Length without it. */
uint64_t format(char *to, uint64_t size, const char *format, ...);
uint64_t format_list(char *to, uint64_t size, const char *format, va_list *args);

/* A number in decimal or, after 0x, in hexadecimal. False when `text` is none. */
bool parse_number(const char *text, uint64_t *ret_value);
static inline bool same(const char *a, const char *b)
{
	while (*a && *a == *b)
		a++, b++;
	return *a == *b;
}

/* The programs; start.c has their names. The return value is the exit status. */
int args_main(int argc, char **argv);
int chase_main(int argc, char **argv);
int crash_main(int argc, char **argv);
int enclave_main(int argc, char **argv);
int fill_main(int argc, char **argv);
int fork_main(int argc, char **argv);
int hello_main(int argc, char **argv);
int hold_main(int argc, char **argv);
int idle_main(int argc, char **argv);
int phases_main(int argc, char **argv);
int selftest_main(int argc, char **argv);
int share_main(int argc, char **argv);
int sweep_main(int argc, char **argv);

#endif
