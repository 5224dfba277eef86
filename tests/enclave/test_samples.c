/* SPDX-License-Identifier: MIT */
/*
 * The guest kernel's own enclaves. What is protected here: both samples do what they say in both modes; their measurement
 * is what `gnomon enclave measure` computed, wherever they run; and a report that the guest printed is accepted with the
 * key of its run, and with no other.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "run_gnomon.h"

static struct run r;
static char dir[64], key[96], report[96], other_key[96];

static void init(void)
{
	need_kvm();
	strcpy(dir, "/tmp/gnomon-samples-XXXXXX");
	cr_assert(mkdtemp(dir));
	snprintf(key, sizeof(key), "%s/key", dir);
	snprintf(other_key, sizeof(other_key), "%s/other", dir);
	snprintf(report, sizeof(report), "%s/report", dir);
}

static void fini(void)
{
	run_abandon(&r);
	unlink(key);
	unlink(other_key);
	unlink(report);
	cr_expect_eq(rmdir(dir), 0);
}

TestSuite(samples, .init = init, .fini = fini);

static void run_samples(const char *mode, const char *cpus, const char *levels, const char *to)
{
	run_gnomon(&r, "run", "--paging", mode, "--cpus", cpus, "--enclave-memory", "4M", "--enclave-levels", levels,
	           "--enclave-key", to, "--timeout", "100", guest_path("../../guest/kernel"), "--", "enclave");
	expect_status(&r, 0);
	cr_expect(strstr(r.out, "\ncounter: it still says 3\n"), "%s", r.out);
	cr_expect(strstr(r.out, "\nsigner: verified it, and refused it for another message\n"), "%s", r.out);
	cr_expect(strstr(r.out, "\nsigner: made anew, it has the same key\n"), "%s", r.out);
}

/* What stands behind `words` up to the end of the line. */
static void take(const char *words, char *ret, size_t size)
{
	const char *at = strstr(r.out, words);
	size_t len;

	cr_assert(at, "no %s in %s", words, r.out);
	at += strlen(words);
	len = strcspn(at, "\n");
	cr_assert_lt(len, size);
	memcpy(ret, at, len);
	ret[len] = 0;
}

static void write_report(const char *text)
{
	FILE *f = fopen(report, "w");

	cr_assert(f && fputs(text, f) >= 0);
	cr_assert_eq(fclose(f), 0);
}

static void samples(const char *mode, const char *cpus, const char *levels)
{
	char measured[80], said[80], text[600];

	run_samples(mode, cpus, levels, key);
	take("counter: measurement ", said, sizeof(said));
	take("report: ", text, sizeof(text));
	run_gnomon(&r, "enclave", "measure", guest_path("../../guest/counter"));
	take("", measured, sizeof(measured));
	cr_expect_str_eq(said, measured);
	write_report(text);
	run_gnomon(&r, "enclave", "verify", report, "--key", key, "--measurement", measured);
	expect_status(&r, 0);
	text[100] ^= 1; /* another digit */
	write_report(text);
	run_gnomon(&r, "enclave", "verify", report, "--key", key);
	cr_expect_eq(r.status, 1);
	text[100] ^= 1;
	write_report(text);
	run_samples(mode, "1", levels, other_key); /* another run has another key */
	run_gnomon(&r, "enclave", "verify", report, "--key", other_key);
	cr_expect_eq(r.status, 1);
	cr_expect(strstr(r.err, "not signed with this key"), "%s", r.err);
}

Test(samples, nested)
{
	samples("nested", "1", "2");
}

Test(samples, shadow)
{
	samples("shadow", "4", "4");
}

/* Made and destroyed on every CPU, and left to the kernel: it has as many free pages as before. */
static void churn(const char *mode)
{
	run_gnomon(&r, "run", "--paging", mode, "--cpus", "4", "--audit", "--enclave-memory", "4M", "--timeout", "100",
	           guest_path("../../guest/kernel"), "--", "enclave", "churn", "2");
	expect_status(&r, 0);
	cr_expect(strstr(r.out, "a process on each CPU: 2 rounds, and as many free pages as before\n"), "%s", r.out);
}

Test(samples, churn_nested)
{
	churn("nested");
}

Test(samples, churn_shadow)
{
	churn("shadow");
}

/* A program that calls at random is answered, costs the kernel nothing and does not hold it up. */
static void random_calls(const char *mode, const char *cpus)
{
	run_gnomon(&r, "run", "--paging", mode, "--cpus", cpus, "--audit", "--enclave-memory", "4M", "--timeout", "100",
	           guest_path("../../guest/kernel"), "--", "enclave", "random", "1500");
	expect_status(&r, 0);
	cr_expect_str_eq(r.out, "enclave: random calls, and as many free pages as before\n");
}

Test(samples, random_calls_nested)
{
	random_calls("nested", "1");
}

Test(samples, random_calls_shadow)
{
	random_calls("shadow", "4");
}

/* The kernel says why there are none. */
Test(samples, without_secure_memory)
{
	run_gnomon(&r, "run", guest_path("../../guest/kernel"), "--", "enclave");
	cr_expect_eq(r.status, 1);
	cr_expect(strstr(r.out, "gnomon run --enclave-memory 4M"), "%s", r.out);
}
