/* SPDX-License-Identifier: MIT */
/*
 * gnomon dedup and a guest's process that lies: it claims to have what another guest has, by that guest's own hashes, and
 * gives something else. The other guest keeps what it had, whatever is tried.
 */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../unit/fake_vm.h"
#include "base/clock.h"
#include "client/connection.h"
#include "control/server.h"
#include "run_gnomon.h"

#define PAGE 4096

static struct run vm, tool;
static char dir[64], liar_path[96], path[96];
static struct server server;
static struct fake_vm fake;
static struct connection real; /* the server's thread's alone */
static struct control_ops ops;

/* What the liar does with a store. */
static bool keeps_it_mapped;
static enum { SANE, NO_PROGRESS, TOO_MUCH, NEGATIVE, STOOD_STILL } answers;
static int kept;
static int takes, too_soon;
static int64_t rests_until; /* clock_us() */
static int rewritten; /* bytes of a store that it could write after the store was taken */

static json_t *relay(const char *command, json_t *args)
{
	json_t *value = NULL;

	(void)!connection_ask(&real, command, args, &value);
	return value;
}

static json_t *args_of(const struct control_fingerprint *which)
{
	json_t *args = json_pack("{s:s}", "algorithm", which->algorithm);

	if (which->key)
		json_object_set_new(args, "key", json_string(which->key));
	return args;
}

static json_t *fingerprint(void *ctx, const struct control_fingerprint *which, bool stop, struct control_error *err)
{
	return relay("fingerprint", args_of(which));
}

static json_t *hashes(void *ctx, const struct control_fingerprint *which, const struct control_hashes *h,
                      struct control_error *err)
{
	json_t *args = args_of(which);

	json_object_update_new(args, json_pack("{s:I, s:i, s:I, s:i}", "version", (json_int_t)h->version, "level",
	                                       h->level, "first", (json_int_t)h->first, "count", (int)h->count));
	return relay("fingerprint-hashes", args);
}

static int take_store(void *ctx, int store, bool users, uint64_t *ret_size, uint64_t *ret_unit,
                      struct control_error *err)
{
	struct stat st;

	if (fstat(store, &st) < 0)
		return control_fail(err, errno, "no store");
	if (keeps_it_mapped && st.st_size > PAGE)
		(void)mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, store, 0);
	close(kept);
	kept = dup(store);
	*ret_size = (uint64_t)st.st_size;
	*ret_unit = PAGE;
	return 0;
}

/* One page, and for 50 ms; the first times. */
static void stand_still(struct control_merged *ret)
{
	too_soon += clock_us() < rests_until;
	if (takes++ >= 4)
		return;
	ret->bytes = PAGE;
	ret->pages.merged = 1;
	ret->pause_us = 50000;
	rests_until = clock_us() + 50000;
}

static int work(void *ctx, enum control_dedup what, int store, const struct control_range *range, unsigned n,
                struct control_merged *ret, struct control_error *err)
{
	char wrong[PAGE];

	memset(wrong, 0xcc, sizeof(wrong));
	for (unsigned i = 0; i < n; i++) {
		for (uint64_t off = 0; what == CONTROL_GIVE && off < range[i].size; off += PAGE)
			(void)!pwrite(store, wrong, PAGE, (off_t)(range[i].offset + off));
		ret->bytes += range[i].size;
		ret->pages.merged += range[i].size / PAGE;
	}
	if (what == CONTROL_TAKE && pwrite(kept, wrong, PAGE, 0) > 0)
		rewritten++;
	if (answers == NO_PROGRESS)
		ret->bytes = 0;
	if (answers == TOO_MUCH)
		ret->bytes = 1ull << 62;
	if (answers == NEGATIVE)
		ret->pages.merged = ~0ull;
	if (answers == STOOD_STILL && what == CONTROL_TAKE)
		stand_still(ret);
	return 0;
}

static json_t *places(void *ctx, uint64_t gpa, uint64_t size, struct control_error *err)
{
	return json_pack("[[I, I, i, I]]", (json_int_t)gpa, INT64_MAX, 77, INT64_MAX);
}

static void setup(void)
{
	need_kvm();
	strcpy(dir, "/tmp/gnomon-forged-XXXXXX");
	cr_assert(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/socket", dir);
	snprintf(liar_path, sizeof(liar_path), "%s/liar", dir);
	run_start(&vm, (const char *const[]){"run", "--timeout", "100", "--control", path, guest_path("spin"), NULL});
	run_until(&vm, "spinning\n");
	cr_assert_eq(connection_open(&real, path, 100000), 0);
	ops = fake_ops;
	ops.fingerprint = fingerprint;
	ops.fingerprint_hashes = hashes;
	ops.dedup_store = take_store;
	ops.dedup = work;
	ops.dedup_places = places;
	kept = -1;
	fake = (struct fake_vm){.running = true, .name = "liar"};
	cr_assert_eq(server_open(&server, liar_path, &ops, &fake), 0);
	cr_assert_eq(server_run(&server), 0);
}

static void teardown(void)
{
	if (!*dir)
		return;
	server_stop(&server, false, "host-qmp-quit");
	connection_close(&real);
	run_gnomon(&tool, "ctl", path, "quit");
	run_finish(&vm);
	expect_status(&vm, 0);
	cr_expect_eq(rmdir(dir), 0, "something was left in %s", dir);
}

TestSuite(dedup_forged, .init = setup, .fini = teardown);

static const char *root(void)
{
	static const char key[] = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

	run_gnomon(&tool, "fingerprint", "--stop", "--key", key, path);
	expect_status(&tool, 0);
	return tool.out;
}

/* The liar comes first, so that it gives what the other shall take; or last. Memory is as it was, and nothing merged. */
static void expect_nothing_merged(int status, bool first, const char *words)
{
	char before[33];
	json_t *out;

	snprintf(before, sizeof(before), "%.32s", root());
	run_gnomon(&tool, "dedup", "--json", first ? liar_path : path, first ? path : liar_path);
	cr_expect_eq(tool.status, status, "%d: %s", tool.status, tool.err);
	cr_expect(strstr(tool.err, words), "%s", tool.err);
	out = json_loads(tool.out, 0, NULL);
	if (status == 0 && first) {
		const json_t *honest = json_array_get(json_object_get(out, "guests"), 1);

		cr_expect_eq(json_integer_value(json_object_get(honest, "merged")), 0, "%s", tool.out);
		cr_expect_gt(json_integer_value(json_object_get(honest, "differ")), 0, "%s", tool.out);
	}
	json_decref(out);
	cr_expect_eq(strncmp(before, root(), 32), 0);
	cr_expect_eq(rewritten, 0);
}

Test(dedup_forged, other_content)
{
	expect_nothing_merged(0, true, "");
	expect_nothing_merged(0, false, "");
}

/* Who could write the store later is not sealed out: the store is not used. */
Test(dedup_forged, a_store_that_stays_writable)
{
	keeps_it_mapped = true;
	expect_nothing_merged(1, true, "from being sealed");
}

/* The kernel tells whose process made a socket. The honest guest was started without --share. */
Test(dedup_forged, of_another_user)
{
	if (geteuid() != 0)
		cr_skip("only root can be somebody else");
	server_stop(&server, false, "host-qmp-quit");
	cr_assert_eq(chmod(dir, 0777), 0);
	cr_assert_eq(seteuid(NOBODY), 0);
	cr_assert_eq(server_open(&server, liar_path, &ops, &fake), 0);
	cr_assert_eq(seteuid(0), 0);
	cr_assert_eq(server_run(&server), 0);
	expect_nothing_merged(1, true, "without --share");
}

Test(dedup_forged, answers_that_cannot_be)
{
	for (answers = NO_PROGRESS; answers <= NEGATIVE; answers++)
		expect_nothing_merged(1, true, "says what cannot be");
}

/* A guest that stood still runs as long before it is asked again. */
Test(dedup_forged, rests)
{
	answers = STOOD_STILL;
	expect_nothing_merged(0, false, "");
	cr_expect_geq(takes, 4);
	cr_expect_eq(too_soon, 0);
}
