/* SPDX-License-Identifier: MIT */
/* Values on the command line: a wrong one is refused, never silently read as another. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <gnomon/addr.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/address.h"
#include "cmd/args.h"

#define COUNT(a) (sizeof(a) / sizeof(*(a)))

/* The sentence a refusal prints is checked through stderr. */
static int err_pipe[2];

static void setup(void)
{
	cr_assert_eq(pipe2(err_pipe, O_NONBLOCK), 0);
	cr_assert_eq(dup2(err_pipe[1], STDERR_FILENO), STDERR_FILENO);
}

static const char *said(void)
{
	static char text[512];
	ssize_t n = read(err_pipe[0], text, sizeof(text) - 1);

	text[n > 0 ? n : 0] = 0;
	return text;
}

static bool one_line(const char *text)
{
	const char *end = strchr(text, '\n');

	return strncmp(text, "gnomon: ", 8) == 0 && end && end[1] == 0;
}

TestSuite(args, .init = setup);

Test(args, sizes)
{
	static const struct {
		const char *text;
		uint64_t bytes;
	} good[] = {{"0", 0},
	            {"1", 1},
	            {"4096", 4096},
	            {"1K", 1024},
	            {"64M", 64ull << 20},
	            {"64m", 64ull << 20},
	            {"64MB", 64ull << 20},
	            {"64MiB", 64ull << 20},
	            {"1G", 1ull << 30},
	            {"3gB", 3ull << 30},
	            {"2T", 2ull << 40},
	            {"0x200000", 0x200000},
	            {"16777215T", 16777215ull << 40},
	            {"18446744073709551615", ~0ull}};
	uint64_t v;

	for (size_t i = 0; i < COUNT(good); i++) {
		cr_assert_eq(parse_size(good[i].text, &v), 0, "%s", good[i].text);
		cr_assert_eq(v, good[i].bytes, "%s", good[i].text);
	}
}

/* Leading zeros (octal, or not?), signs, blanks, unknown or doubled units, more than 64 bits; the value stays. */
Test(args, bad_sizes)
{
	static const char *const bad[] = {"",     "M",     "-1",   "+1",   " 1", "1 ",      "1X",
	                                  "1MM",  "1Mi",   "1.5G", "1iB",  "1B", "64P",     "one",
	                                  "1M\n", "1MiBx", "0x",   "010M", "00", "0200000", "0b10"};
	static const char *const large[] = {"18446744073709551616", "16777216T", "99999999999999999999", "20000000T"};
	uint64_t v = 7;

	for (size_t i = 0; i < COUNT(bad); i++)
		cr_assert_eq(parse_size(bad[i], &v), -EINVAL, "'%s'", bad[i]);
	for (size_t i = 0; i < COUNT(large); i++)
		cr_assert_eq(parse_size(large[i], &v), -ERANGE, "'%s'", large[i]);
	cr_assert_eq(v, 7);
}

Test(args, counts)
{
	static const char *const bad[] = {"0",  "65", "10000", "-1",  "",   "4x",  "x",   "1.0",
	                                  "+4", " 4", "4 ",    "\t4", "-0", "0x4", "4\n", "99999999999999999999"};
	long v = 7;

	cr_assert_eq(parse_count("--cpus", "1", 1, 64, &v), 0);
	cr_assert_eq(v, 1);
	cr_assert_eq(parse_count("--cpus", "64", 1, 64, &v), 0);
	cr_assert_eq(v, 64);
	cr_assert_str_eq(said(), "");
	for (size_t i = 0; i < COUNT(bad); i++) {
		const char *text;

		cr_assert_eq(parse_count("--cpus", bad[i], 1, 64, &v), -EINVAL, "'%s'", bad[i]);
		text = said();
		cr_assert(one_line(text), "%s", text);
		cr_assert(strstr(text, "--cpus") && strstr(text, "from 1 to 64"), "%s", text);
	}
	cr_assert_eq(v, 64);
}

/* Zero, no multiple of 2 MiB, nonsense, or more than the host has: refused in one sentence. */
Test(args, memory)
{
	static const char *const bad[] = {"0", "1M", "3M", "2097153", "4k", "much", "", "1023T"};
	uint64_t v;

	cr_assert_eq(parse_memory("2M", &v), 0);
	cr_assert_eq(v, PAGE_2M);
	cr_assert_eq(parse_memory("0x400000", &v), 0);
	cr_assert_eq(v, 2 * PAGE_2M);
	cr_assert_str_eq(said(), "");
	for (size_t i = 0; i < COUNT(bad); i++) {
		const char *text;

		cr_assert_eq(parse_memory(bad[i], &v), -EINVAL, "'%s'", bad[i]);
		text = said();
		cr_assert(one_line(text), "%s", text);
		cr_assert(strstr(text, "--memory"), "%s", text);
	}
	cr_assert_eq(v, 2 * PAGE_2M);
}

/* The limit is this host's memory to the last 2 MiB. */
Test(args, memory_up_to_the_host)
{
	uint64_t host = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE) / PAGE_2M * PAGE_2M, v;
	char text[32];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)host);
	cr_assert_eq(parse_memory(text, &v), 0);
	snprintf(text, sizeof(text), "%llu", (unsigned long long)(host + PAGE_2M));
	cr_assert_eq(parse_memory(text, &v), -EINVAL);
}

/* Decimal, or hexadecimal after 0x, up to 64 bits, and nothing else. */
Test(args, addresses)
{
	static const struct {
		const char *text;
		uint64_t value;
	} good[] = {{"0", 0},
	            {"0x0", 0},
	            {"4194304", 0x400000},
	            {"0xffffffff80200000", 0xffffffff80200000},
	            {"0XfF", 255},
	            {"18446744073709551615", UINT64_MAX},
	            {"0x000000000000000000001", 1},
	            {"010", 10}};
	static const char *const bad[] = {"",
	                                  "0x",
	                                  "x",
	                                  "-1",
	                                  "+1",
	                                  " 1",
	                                  "1 ",
	                                  "1K",
	                                  "0x1g",
	                                  "ffffffff",
	                                  "0x 1",
	                                  "0b1",
	                                  "1e3",
	                                  "0x10000000000000000",
	                                  "18446744073709551616"};
	uint64_t v = 7;

	for (size_t i = 0; i < COUNT(bad); i++)
		cr_expect_eq(address_parse(bad[i], &v), -EINVAL, "'%s'", bad[i]);
	cr_expect_eq(v, 7u);
	for (size_t i = 0; i < COUNT(good); i++) {
		cr_expect_eq(address_parse(good[i].text, &v), 0, "'%s'", good[i].text);
		cr_expect_eq(v, good[i].value, "'%s'", good[i].text);
	}
}
