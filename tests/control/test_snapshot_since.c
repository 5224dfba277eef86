/* SPDX-License-Identifier: MIT */
/*
 * Snapshots that build on others, of real guests: with the files below them they are the guest's memory as it is, whoever
 * wrote it meanwhile and whoever else reads the log. The format alone: tests/unit/test_snapshot_chain.c.
 */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "snapshot_run.h"

static const char *const modes[] = {"nested", "shadow"};
static char base[160], whole[160], third[160], last[160];

static void names(void)
{
	prepare();
	snprintf(base, sizeof(base), "%s-base", file);
	snprintf(whole, sizeof(whole), "%s-whole", file);
	snprintf(third, sizeof(third), "%s-third", file);
	snprintf(last, sizeof(last), "%s-last", file);
}

static void remove_all(void)
{
	unlink(file);
	unlink(base);
	unlink(whole);
	unlink(third);
	unlink(last);
}

/* The guest writes some pages meanwhile: two rounds more, the second of which begins after now. */
static void let_it_run(void)
{
	unsigned rounds = 2;

	take_what_is_there();
	for (const char *at = run.out; (at = strstr(at, "round")); at++)
		rounds++;
	await("round", rounds);
}

static void track(const char *to)
{
	run_gnomon(&tool, "snapshot", "save", "--track", path, to);
	expect_status(&tool, 0);
}

static void track_since(const char *old, const char *to)
{
	run_gnomon(&tool, "snapshot", "save", "--track", "--since", old, path, to);
	expect_status(&tool, 0);
	cr_assert(strstr(tool.out, "pages unchanged since snapshot"), "%s", tool.out);
}

static uint64_t size_of(const char *name)
{
	struct stat st;

	cr_assert_eq(stat(name, &st), 0, "%s", name);
	return (uint64_t)st.st_size;
}

/* With the guest stopped: what `since` makes of `old` is what a file of all memory has. */
static void expect_as_whole(const char *old, const char *to)
{
	track_since(old, to);
	run_gnomon(&tool, "snapshot", "save", path, whole);
	expect_status(&tool, 0);
	run_gnomon(&tool, "snapshot", "diff", to, whole);
	cr_expect(strstr(tool.out, "0 pages differ"), "%s", tool.out);
}

static void start_hold(const char *mode)
{
	names();
	run_start(&run, (const char *const[]){"run", "--paging", mode, "--memory", "64M", "--cpus", "2", "--timeout",
	                                      "100", "--control", path, kernel, "--", "idle", "hold", "4", "16", NULL});
	run_until(&run, "round");
	cr_assert_eq(connection_open(&client, path, ANSWER_MS), 0);
	await_driver();
}

/*
 * A balloon half inflated: between the saves the guest loses pages, and gets some of them back. It goes on in both modes
 * from the second file. One that was merged is the same.
 */
static void balloon_changes(const char *from)
{
	start_hold(from);
	set_balloon(56 * MIB);
	await_balloon(56 * MIB);
	track(base);
	set_balloon(20 * MIB);
	await_balloon(20 * MIB);
	set_balloon(40 * MIB);
	await_balloon(40 * MIB);
	let_it_run();
	tell("stop");
	expect_as_whole(base, file);
	quit();
	expect_good();
	for (int m = 0; m < 2; m++) {
		restore(modes[m]);
		await("round", 1);
		await_balloon(40 * MIB);
		set_balloon(64 * MIB);
		await_balloon(64 * MIB);
		await("round", 3);
		cr_expect_null(strstr(run.out, "damaged"), "%s", run.out);
		quit();
	}
	run_gnomon(&tool, "snapshot", "merge", "--compress", file, base);
	expect_refusal(&tool, 2, "builds on it");
	run_gnomon(&tool, "snapshot", "merge", "--compress", file, third);
	expect_status(&tool, 0);
	run_gnomon(&tool, "snapshot", "diff", third, whole);
	cr_expect(strstr(tool.out, "0 pages differ"), "%s", tool.out);
	remove_all();
}

Test(control, snapshot_since_with_a_balloon_nested)
{
	balloon_changes(modes[0]);
}
Test(control, snapshot_since_with_a_balloon_shadow)
{
	balloon_changes(modes[1]);
}

static void slice(const char *command, json_int_t gpa)
{
	json_decref(ask(command, json_pack("{s:I, s:I}", "gpa", gpa, "size", (json_int_t)MIB)));
}

/* Between the saves nobody but the VMM changes anything: a slice comes back, and another goes. */
Test(control, snapshot_since_with_slices)
{
	names();
	start("nested", "1", "ticks", "ticking\n");
	tell("stop");
	slice("reclaim", 32 * MIB);
	track(base);
	slice("release", 32 * MIB);
	slice("reclaim", 40 * MIB);
	expect_as_whole(base, file);
	quit();
	remove_all();
}

static void root_of(const char *key, char ret_root[64])
{
	for (;;) {
		json_t *reply =
		    ask("fingerprint", json_pack("{s:s, s:s, s:b}", "algorithm", "xxh3", "key", key, "stop", 1));
		const char *root = json_string_value(json_object_get(reply, "root"));

		snprintf(ret_root, 64, "%s", root ? root : "");
		json_decref(reply);
		if (*ret_root)
			return;
	}
}

/* Fingerprints read the same log: neither takes from the other what was written. Then a reset and a change of the mode. */
Test(control, snapshot_since_beside_fingerprints)
{
	char root[64], again[64], key[65], other[65];

	start_hold("shadow");
	snprintf(key, sizeof(key), "%064x", 1);
	root_of(key, root);
	track(base);
	let_it_run();
	root_of(key, root); /* takes the log */
	let_it_run();
	track_since(base, file); /* takes the log */
	cr_expect_lt(size_of(file), size_of(base) / 4);
	tell("stop");
	expect_as_whole(file, third);
	root_of(key, root);
	for (int i = 0; i < 4; i++) { /* as many make the VM forget the first: it is made from scratch then */
		snprintf(other, sizeof(other), "%064x", i + 2);
		root_of(other, again);
	}
	root_of(key, again);
	cr_expect_str_eq(root, again);
	tell("cont");
	tell("system_reset");
	json_decref(ask("set-paging", json_pack("{s:s}", "mode", "nested")));
	let_it_run();
	tell("stop");
	expect_as_whole(third, last);
	quit();
	remove_all();
}

/* How many pages differ, as a tool has said in front of its words. */
static unsigned differing(void)
{
	const char *words = strstr(tool.out, " pages differ");
	unsigned n = 0;

	cr_assert(words, "%s%s", tool.out, tool.err);
	while (words > tool.out && words[-1] != '\n')
		words--;
	cr_assert_eq(sscanf(words, "%u pages", &n), 1, "%s", tool.out);
	return n;
}

static void full_disk(void)
{
	if (dup2(open("/dev/full", O_WRONLY), STDOUT_FILENO) < 0)
		_exit(99);
}

/* A file is as the guest that was saved, and differs from an older one by what a comparison of both files finds. */
Test(control, snapshot_diff_by_descent)
{
	unsigned pages;

	start_hold("shadow");
	set_balloon(40 * MIB);
	await_balloon(40 * MIB);
	track(base);
	let_it_run();
	tell("stop");
	track_since(base, file);
	run_gnomon(&tool, "diff", path, file);
	cr_expect_eq(tool.status, 0, "%s%s", tool.out, tool.err);
	run_gnomon(&tool, "snapshot", "diff", base, file);
	cr_expect_eq(tool.status, 1);
	pages = differing();
	cr_assert_gt(pages, 1u);
	tool.surroundings = full_disk;
	run_gnomon(&tool, "snapshot", "diff", base, file);
	tool.surroundings = NULL;
	cr_expect_eq(tool.status, 2, "what is lost may have been the difference");
	run_gnomon(&tool, "diff", base, path);
	cr_expect_eq(tool.status, 1);
	cr_expect_eq(differing(), pages, "%s", tool.out);
	run_gnomon(&tool, "diff", "--hash", "xxh3", base, file);
	cr_expect_eq(tool.status, 1);
	cr_expect_eq(differing(), pages, "%s", tool.out);
	quit();
	cr_assert_eq(truncate(base, (off_t)size_of(base) - 1), 0);
	run_gnomon(&tool, "diff", file, file);
	expect_refusal(&tool, 2, "its base snapshot-base: it has");
	run_gnomon(&tool, "snapshot", "diff", file, file);
	expect_refusal(&tool, 2, "its base snapshot-base: it has");
	remove_all();
}

static void expect_no_save(const char *old, const char *to, const char *words)
{
	run_gnomon(&tool, "snapshot", "save", "--since", old, path, to);
	expect_refusal(&tool, 1, words);
}

/* A save of what was written since the base, whose writer is killed. False: it was saved before. */
static bool save_and_kill(void)
{
	json_t *args = json_pack("{s:s, s:s, s:b}", "file", file, "since", base, "track", 1), *reply;
	bool is_over = false, failed = false;
	pid_t pid;

	must_work(connection_execute(&client, "snapshot-save", args, &reply), "save");
	json_decref(reply);
	pid = writer(run.pid);
	if (pid)
		kill(pid, SIGKILL);
	for (; !is_over; usleep(1000)) {
		const char *status;

		reply = ask("query-snapshot", NULL);
		status = json_string_value(json_object_get(reply, "status"));
		is_over = strcmp(status, "saving") != 0;
		failed = strcmp(status, "failed") == 0;
		json_decref(reply);
	}
	return failed;
}

/* What nothing can build on, each with a sentence; and a save that failed takes no page with it. */
Test(control, snapshot_since_refused)
{
	struct stat before, after;
	char moved[200];

	start_hold("shadow");
	snprintf(moved, sizeof(moved), "%s-moved", file);
	save();
	expect_no_save(file, third, "is not known: save it with \"track\"");
	track(base);
	expect_no_save(file, third, "it is not the last that was saved with \"track\"");
	expect_no_save("/nowhere", third, "There is no such file");
	expect_no_save(base, "/tmp/gnomon-snapshot-elsewhere",
	               "must lie in the directory of the file that builds on it");
	expect_no_save(base, base, "it would be replaced by a file that builds on it");
	tell("stop"); /* or it could write again what the failed save took */
	for (struct limit limit = {0}; !save_and_kill();) {
		cr_assert_not(limit_over(&limit), "it is always saved before");
		tell("cont");
		track(base);
		let_it_run();
		tell("stop");
	}
	expect_as_whole(base, file);
	quit();
	/* The file below is missing, or another one. */
	cr_assert_eq(rename(base, moved), 0);
	run_gnomon(&tool, "run", "--restore", file);
	expect_refusal(&tool, 2, "its base snapshot-base: No such file or directory");
	cr_assert_eq(rename(whole, base), 0);
	run_gnomon(&tool, "snapshot", "verify", file);
	expect_refusal(&tool, 1, "its base snapshot-base: it is another snapshot than");
	cr_assert_eq(rename(moved, base), 0);
	cr_assert_eq(stat(base, &before), 0);
	run_gnomon(&tool, "snapshot", "merge", file, file);
	expect_status(&tool, 0);
	cr_assert_eq(stat(base, &after), 0);
	cr_expect_eq(before.st_ino, after.st_ino);
	unlink(base);
	expect_good();
	remove_all();
}

/* SIGKILL at any moment: what is at the path is whole, and so are the files below it. */
Test(control, snapshot_since_killed_at_any_moment)
{
	for (int i = 0; i < 3; i++) {
		char line[600];
		int len;

		start_hold("shadow");
		track(base);
		track_since(base, file);
		len = snprintf(line, sizeof(line),
		               "{\"execute\":\"snapshot-save\",\"arguments\":{\"file\":\"%s\",\"since\":\"%s\"}}\n",
		               i % 2 ? file : third, i % 2 ? base : file);
		cr_assert_eq(connection_say(&client, line, (size_t)len), 0);
		usleep((useconds_t)(i * i * 3000));
		kill_run();
		expect_good();
		remove_all();
	}
}

/* All of a chain is mapped, and checked while the guest runs. */
Test(control, snapshot_since_lazy)
{
	start_hold("shadow");
	track(base);
	let_it_run();
	track_since(base, third);
	let_it_run();
	track_since(third, file);
	quit();
	run_start(&run, (const char *const[]){"run", "--lazy", "--timeout", "100", "--control", path, "--restore", file,
	                                      NULL});
	run_until(&run, "round");
	cr_assert_eq(connection_open(&client, path, ANSWER_MS), 0);
	await("round", 3);
	cr_expect_null(strstr(run.out, "damaged"), "%s", run.out);
	quit();
	cr_assert_eq(truncate(base, (off_t)size_of(base) - 1), 0);
	run_gnomon(&tool, "run", "--lazy", "--restore", file);
	expect_refusal(&tool, 2, "its base snapshot-base: it has");
	run_gnomon(&tool, "snapshot", "diff", file, file);
	expect_refusal(&tool, 2, "its base snapshot-base: it has");
	remove_all();
}
