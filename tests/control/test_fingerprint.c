/* SPDX-License-Identifier: MIT */
/*
 * Fingerprints of a real guest, in both modes. What is protected here: whoever changed guest memory, the guest, the VMM,
 * the balloon or a client, the fingerprint that was brought up to date is the one that is made from scratch.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "control_run.h"

#define MIB         (1 << 20)
#define OTHERS      4 /* as many make the VM forget the first: FINGERPRINTS */
#define ROOT_DIGITS 33

/* Brings one up to date; the reply is the caller's to release. */
static json_t *fingerprint(const char *algorithm, const char *key, bool stop)
{
	for (;;) {
		json_t *args = json_pack("{s:s, s:b}", "algorithm", algorithm, "stop", stop), *reply;

		if (key)
			json_object_set_new(args, "key", json_string(key));
		reply = ask("fingerprint", args);
		if (json_is_true(json_object_get(reply, "done")))
			return reply;
		json_decref(reply);
	}
}

static json_int_t of_round(const json_t *reply, const char *what)
{
	return json_integer_value(json_object_get(json_object_get(reply, "round"), what));
}

static void root_of(const json_t *reply, char ret_root[ROOT_DIGITS])
{
	snprintf(ret_root, ROOT_DIGITS, "%s", json_string_value(json_object_get(reply, "root")));
}

static void forget(void)
{
	char key[65];

	for (int i = 0; i < OTHERS; i++) {
		snprintf(key, sizeof(key), "%064x", i + 1);
		json_decref(fingerprint("xxh3", key, false));
	}
}

/* The guest stands still; it goes on in the end. Returns how many pages the round from what was known looked at. */
static json_int_t expect_as_from_scratch(const char *after)
{
	char known[ROOT_DIGITS], scratch[ROOT_DIGITS];
	json_int_t looked;
	json_t *reply;

	tell("stop");
	reply = fingerprint("blake2b", NULL, true);
	cr_assert(json_is_true(json_object_get(reply, "exact")));
	cr_assert(json_is_true(json_object_get(reply, "logged")), "all pages were hashed: the log does not work");
	root_of(reply, known);
	looked = of_round(reply, "pages");
	json_decref(reply);
	forget();
	reply = fingerprint("blake2b", NULL, true);
	root_of(reply, scratch);
	cr_assert_geq(of_round(reply, "pages"), json_integer_value(json_object_get(reply, "pages")));
	json_decref(reply);
	cr_assert_str_eq(known, scratch, "after %s", after);
	tell("cont");
	return looked;
}

/* As long as the guest and the VMM do something in the meantime. */
static void let_run(void)
{
	const json_int_t exits = counter("exits");
	struct limit limit = {0};

	while (counter("exits") < exits + 50 && !limit_over(&limit))
		usleep(1000);
}

/* PROGRAM with its arguments, which serves the balloon; until it says `words`. */
static void start_kernel(const char *mode, const char *words, const char *program, const char *keep, const char *loose)
{
	char kernel[4096];

	snprintf(kernel, sizeof(kernel), "%s", build_path("guest/kernel.elf"));
	run_start(&run,
	          (const char *const[]){"run", "--paging", mode, "--cpus", "2", "--timeout", "100", "--control", path,
	                                "--enclave-memory", "16M", kernel, "--", "idle", program, keep, loose, NULL});
	run_until(&run, words);
	must_work(connection_open(&client, path, ANSWER_MS), "connect");
}

static void resize(int mib)
{
	struct limit limit = {0};
	json_int_t actual;

	json_decref(ask("balloon", json_pack("{s:i}", "value", mib * MIB)));
	do {
		json_t *reply = ask("query-balloon", NULL);

		actual = json_integer_value(json_object_get(reply, "actual"));
		json_decref(reply);
		usleep(1000);
	} while (actual != (json_int_t)mib * MIB && !limit_over(&limit));
	cr_assert_eq(actual, (json_int_t)mib * MIB);
}

/* The guest maps and unmaps, the balloon takes and gives back, the mode changes, and the machine is reset. */
static void kernel_in(const char *mode)
{
	const char *other = strcmp(mode, "nested") == 0 ? "shadow" : "nested";

	start_kernel(mode, "round 1", "hold", "8", "8");
	json_decref(fingerprint("blake2b", NULL, false));
	for (int i = 0; i < 12; i++) {
		let_run();
		expect_as_from_scratch("the guest ran");
		json_decref(fingerprint("blake2b", NULL, false));
	}
	resize(52);
	expect_as_from_scratch("inflating");
	resize(64);
	expect_as_from_scratch("deflating");
	json_decref(ask("set-paging", json_pack("{s:s}", "mode", other)));
	let_run();
	expect_as_from_scratch("another mode");
	json_decref(ask("set-paging", json_pack("{s:s}", "mode", mode)));
	let_run();
	expect_as_from_scratch("the first mode again");
	tell("system_reset");
	let_run();
	expect_as_from_scratch("a reset");
	quit();
}

Test(control, fingerprint_nested)
{
	kernel_in("nested");
}

Test(control, fingerprint_shadow)
{
	kernel_in("shadow");
}

/* Pages go to enclaves and come back, and buffers are shared, which an enclave writes past every log. */
static void enclaves_in(const char *mode)
{
	start_kernel(mode, "serving", "enclave", NULL, NULL);
	for (int i = 0; i < 8; i++) {
		json_decref(fingerprint("blake2b", NULL, false));
		expect_as_from_scratch("enclaves");
	}
	run_until(&run, "counter: spun");
	expect_as_from_scratch("the end of enclaves");
	quit();
}

Test(control, fingerprint_beside_enclaves_nested)
{
	enclaves_in("nested");
}

Test(control, fingerprint_beside_enclaves_shadow)
{
	enclaves_in("shadow");
}

static void slice(const char *command, int gpa, int size)
{
	json_decref(ask(command, json_pack("{s:i, s:i}", "gpa", gpa, "size", size)));
}

/* Slices come and go: exactly their pages are looked at again, and those that come back are zero as before. */
static void slices_in(const char *mode)
{
	char before[ROOT_DIGITS], after[ROOT_DIGITS];
	json_t *reply;

	start(mode, "1", "spin", "spinning\n");
	json_decref(fingerprint("blake2b", NULL, true));
	reply = fingerprint("blake2b", NULL, true);
	root_of(reply, before);
	cr_expect_leq(of_round(reply, "pages"), 16, "the guest does not write");
	json_decref(reply);
	slice("reclaim", 32 * MIB, MIB + 4096);
	reply = fingerprint("blake2b", NULL, true);
	root_of(reply, after);
	cr_expect_str_neq(before, after);
	cr_expect_eq(of_round(reply, "absent"), 257);
	cr_expect_eq(of_round(reply, "changed"), 257);
	json_decref(reply);
	slice("release", 32 * MIB, 4096);
	slice("release", 32 * MIB + 4096, MIB);
	reply = fingerprint("blake2b", NULL, true);
	root_of(reply, after);
	cr_expect_str_eq(before, after);
	cr_expect_eq(of_round(reply, "zero"), 257);
	json_decref(reply);
	cr_expect_leq(expect_as_from_scratch("slices"), 16);
	quit();
}

Test(control, fingerprint_of_slices_nested)
{
	slices_in("nested");
}

Test(control, fingerprint_of_slices_shadow)
{
	slices_in("shadow");
}

static json_t *hashes(json_int_t version, int level, int count)
{
	return ask("fingerprint-hashes",
	           json_pack("{s:I, s:i, s:i}", "version", version, "level", level, "count", count));
}

/* Hashes are of one version. Once another round begins, or a client left it half done, they are stale. */
Test(control, fingerprint_versions)
{
	static const char wrong[] = "{\"execute\":\"fingerprint\",\"arguments\":{\"key\":\"00\"}}";
	static const char begin[] = "{\"execute\":\"fingerprint\",\"arguments\":{\"stop\":true}}";
	struct connection other;
	json_t *reply, *list, *stale;
	json_int_t version;

	start("nested", "1", "ticks", "ticking\n");
	stale = hashes(1, 4, 1);
	cr_expect(json_is_true(json_object_get(stale, "stale")), "there is none yet");
	json_decref(stale);
	reply = fingerprint("blake2b", NULL, false);
	version = json_integer_value(json_object_get(reply, "version"));
	list = hashes(version, 4, 1);
	cr_expect_str_eq(json_string_value(json_array_get(json_object_get(list, "hashes"), 0)),
	                 json_string_value(json_object_get(reply, "root")));
	json_decref(list);
	list = hashes(version, 0, 4096);
	cr_expect_eq(json_array_size(json_object_get(list, "hashes")), 4096u);
	json_decref(list);
	json_decref(reply);
	stale = hashes(version + 1, 4, 1);
	cr_expect(json_is_true(json_object_get(stale, "stale")));
	json_decref(stale);
	/* A client that goes away in the middle leaves nothing that others wait for. */
	must_work(connection_open(&other, path, ANSWER_MS), "a second client");
	must_work(connection_say(&other, wrong, strlen(wrong)), "a wrong key");
	must_work(connection_reply(&other, &reply), "the answer");
	cr_expect(json_object_get(reply, "error"));
	json_decref(reply);
	must_work(connection_say(&other, begin, strlen(begin)), "a round");
	connection_close(&other);
	json_decref(fingerprint("blake2b", NULL, true));
	expect_as_from_scratch("another client");
	quit();
}

/* To ask for hashes makes no fingerprint: there is room for few, and each that is made has another forgotten. */
Test(control, fingerprint_of_which_there_is_none)
{
	static const char ask_for_it[] = "{\"execute\":\"fingerprint-hashes\",\"arguments\":{\"version\":1,\"level\":4,"
	                                 "\"algorithm\":\"blake2b\",\"key\":\"%064x\"}}";
	json_int_t version;
	json_t *reply;
	char text[300];

	start("nested", "1", "ticks", "ticking\n");
	reply = fingerprint("blake2b", NULL, true);
	version = json_integer_value(json_object_get(reply, "version"));
	json_decref(reply);
	for (int i = 0; i < 2 * OTHERS; i++) {
		snprintf(text, sizeof(text), ask_for_it, i + 1);
		must_work(connection_say(&client, text, strlen(text)), "hashes");
		must_work(connection_reply(&client, &reply), "the answer");
		cr_expect(json_is_true(json_object_get(json_object_get(reply, "return"), "stale")));
		json_decref(reply);
	}
	reply = hashes(version, 4, 1);
	cr_expect(json_is_false(json_object_get(reply, "stale")), "it was forgotten");
	json_decref(reply);
	quit();
}
