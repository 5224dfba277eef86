/* SPDX-License-Identifier: MIT */
/*
 * Attacks from a guest's kernel (guest/main.c), in both paging modes. What is protected here: each of them is refused, with
 * the status that says why, or kills the guest with a sentence; and nothing is lost by it. docs/enclave.md has the table.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "../host_kind.h"
#include "run_gnomon.h"

static struct run r;

static void init(void)
{
	need_kvm();
}

static void fini(void)
{
	run_abandon(&r);
}

TestSuite(attack, .init = init, .fini = fini);

static void attack_with(const char *name, const char *mode, const char *levels, const char *monitor)
{
	run_gnomon(&r, "run", "--paging", mode, "--audit", "--cpus", "2", "--enclave-memory", "1M", "--enclave-levels",
	           levels, "--enclave-monitor", monitor, "--timeout", "100", guest_path("../enclave/enclave-attacks"),
	           "--", name);
}

/* All that it tries is answered as it expects. */
static void refused(const char *name, const char *mode)
{
	attack_with(name, mode, "2", "process");
	expect_status(&r, 0);
	cr_expect_null(strstr(r.out, "wrong"), "%s, %s: %s", name, mode, r.out);
	cr_expect(strstr(r.out, "done\n"), "%s, %s: %s", name, mode, r.out);
}

#define REFUSED(name, word)                                                                                            \
	Test(attack, name##_nested)                                                                                    \
	{                                                                                                              \
		refused(word, "nested");                                                                               \
	}                                                                                                              \
	Test(attack, name##_shadow)                                                                                    \
	{                                                                                                              \
		refused(word, "shadow");                                                                               \
	}

REFUSED(calls, "calls")
REFUSED(errors, "errors")
REFUSED(pages, "pages")
REFUSED(batch, "batch")
REFUSED(runs, "runs")
REFUSED(zero, "zero")
REFUSED(two_cpus, "two-cpus")
REFUSED(fetch, "fetch")
REFUSED(random, "random")
REFUSED(random_two, "random-two")
REFUSED(pending, "pending")
REFUSED(seal, "seal")
REFUSED(code, "code")

/* Where the kernel can use vector registers at all: a KVM that emulates CPL 0 lacks them. */
Test(attack, vectors)
{
	refused("vectors", "shadow");
	if (!kvm_keeps_shadow_tables())
		refused("vectors", "nested");
}

static void kept_from_the_balloon(const char *mode)
{
	attack_with("balloon", mode, "2", "process");
	cr_expect_eq(r.status, 0);
	cr_expect_null(strstr(r.out, "wrong"), "%s: %s", mode, r.out);
	cr_expect(strstr(r.err, "virtio balloon: a page belongs to an enclave; the device stands still"), "%s", r.err);
}

Test(attack, balloon_nested)
{
	kept_from_the_balloon("nested");
}

Test(attack, balloon_shadow)
{
	kept_from_the_balloon("shadow");
}

static void killed(const char *name, const char *mode, const char *words)
{
	attack_with(name, mode, "2", "process");
	r.out[0] = 0;
	expect_killed(&r, words);
}

#define KILLED(name, words)                                                                                            \
	Test(attack, name##_nested)                                                                                    \
	{                                                                                                              \
		killed(#name, "nested", words);                                                                        \
	}                                                                                                              \
	Test(attack, name##_shadow)                                                                                    \
	{                                                                                                              \
		killed(#name, "shadow", words);                                                                        \
	}

/* Before Linux 6.8 KVM fails without an address. */
#define TAKEN "taken away from it"

KILLED(read, TAKEN)
KILLED(write, TAKEN)
KILLED(execute, TAKEN)
KILLED(remap, TAKEN)
KILLED(table, TAKEN)
KILLED(hammer, TAKEN)
KILLED(request, "its request to an enclave, at 0x1000000, lies outside memory")
KILLED(misaligned, "is not aligned to 256 bytes")
KILLED(misaligned_walks, "is not aligned to 128 bytes")
KILLED(version_walks, "names another version than 1")
KILLED(version, "names version 2 (of 1)")
KILLED(queue, "its CPU start request lies outside memory")

/* kvm_pvm emulates CPL 0 and walks the guest's tables each time. Others with tables of their own keep what they made. */
static void need_tables_walked(void)
{
	if (kvm_keeps_shadow_tables() && !on_pvm())
		cr_skip_test("KVM does not see that the host changes a table of the guest");
}

/* Where the guest has no way to its page any more, and no handler. */
Test(attack, tables_in_buffers_nested)
{
	need_tables_walked();
	killed("share_table", "nested", "triple fault");
	killed("unshare_table", "nested", "triple fault");
}

/* An enclave changes its buffer past the write protection that shadow mode has for tables. */
Test(attack, share_table_shadow)
{
	killed("share_table", "shadow", "its page table at 0x102a000 lies in an enclave's marshalling buffer");
}

Test(attack, unshare_table_shadow)
{
	killed("unshare_table", "shadow", "its page table at 0x102a000 lies in an enclave's marshalling buffer");
}

/* No option of shadow paging opens a way: a table that lags until a flush would hide what nobody told. */
Test(attack, other_options)
{
	static const char *const attacks[][2] = {
	    {"none", "answer-in-table"}, {"all,lazy", "answer-in-table"}, {"all,lazy", "pages"}, {"all,lazy", "batch"}};

	for (size_t i = 0; i < sizeof(attacks) / sizeof(*attacks); i++) {
		run_gnomon(&r, "run", "--paging", "shadow", "--shadow-opt", attacks[i][0], "--audit",
		           "--enclave-memory", "1M", "--timeout", "100", guest_path("../enclave/enclave-attacks"), "--",
		           attacks[i][1]);
		expect_status(&r, 0);
		cr_expect_null(strstr(r.out, "wrong"), "%s, %s: %s", attacks[i][1], attacks[i][0], r.out);
	}
}

Test(attack, answer_in_table_shadow)
{
	refused("answer-in-table", "shadow");
}

Test(attack, answer_in_table_nested)
{
	need_tables_walked();
	refused("answer-in-table", "nested");
}

/* As many as there can be, each with a VM of its own. */
Test(attack, many)
{
	run_gnomon(&r, "run", "--paging", "shadow", "--audit", "--enclave-memory", "16M", "--timeout", "100",
	           guest_path("../enclave/enclave-attacks"), "--", "many");
	expect_status(&r, 0);
	cr_expect_str_eq(r.out, "ok each called out\ndone\n");
}

/* The depth of the third stage, and on which side of the wall the monitor is, change nothing. */
Test(attack, levels_and_monitors)
{
	static const char *const levels[] = {"1", "2", "4"}, *const monitors[] = {"process", "thread"};

	for (int l = 0; l < 3; l++) {
		for (int m = 0; m < 2; m++) {
			attack_with("runs", "shadow", levels[l], monitors[m]);
			expect_status(&r, 0);
			cr_expect(strstr(r.out, "done\n"), "%s, %s: %s", levels[l], monitors[m], r.out);
		}
	}
}

/* Without secure memory each call says so, and takes nothing. */
Test(attack, off)
{
	run_gnomon(&r, "run", guest_path("../enclave/enclave-attacks"), "--", "off");
	expect_status(&r, 0);
	cr_expect_str_eq(r.out, "ok create\nok add\nok enter\nok the page is ours\ndone\n");
}
