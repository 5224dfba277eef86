/* SPDX-License-Identifier: MIT */
/* gnomon fingerprint and diff, and other clients who have the same fingerprint brought up to date in between. */
#include <criterion/criterion.h>

#include "fake_server.h"
#include "run_gnomon.h"

static struct run tool;
static unsigned asked, stale; /* how often for hashes; how often others were faster */

static json_t *update(void *vm, const struct control_fingerprint *which, bool stop, struct control_error *err)
{
	return json_pack("{s:b, s:s, s:s, s:s, s:i, s:i, s:b, s:b, s:i, s:{}}", "done", true, "algorithm", "blake2b",
	                 "key", "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f", "root",
	                 "000102030405060708090a0b0c0d0e0f", "version", 1, "pages", 1, "logged", true, "exact", false,
	                 "paused-us", 0, "round");
}

static json_t *hashes(void *vm, const struct control_fingerprint *which, const struct control_hashes *hashes,
                      struct control_error *err)
{
	if (asked++ < stale)
		return json_pack("{s:b}", "stale", true);
	return json_pack("{s:b, s:[s]}", "stale", false, "hashes", "000102030405060708090a0b0c0d0e0f");
}

static void set(struct control_ops *ops)
{
	ops->fingerprint = update;
	ops->fingerprint_hashes = hashes;
}

static void setup(void)
{
	fake_server_start(set);
}

TestSuite(fingerprint_told, .init = setup, .fini = fake_server_stop);

Test(fingerprint_told, others_are_faster_for_a_while)
{
	stale = 3;
	run_gnomon(&tool, "fingerprint", "--level", "0", fake_server_path);
	expect_status(&tool, 0);
	cr_expect_eq(asked, 4);
}

/* A tool that tries for ever would be no tool. */
Test(fingerprint_told, others_are_always_faster)
{
	stale = 1000;
	run_gnomon(&tool, "fingerprint", "--level", "0", fake_server_path);
	expect_refusal(&tool, 1, "somebody else has");
	cr_expect_lt(asked, 20);
}
