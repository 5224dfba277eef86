/* SPDX-License-Identifier: MIT */
/* What comes between a snapshot and its file, or between a file and a guest: the old file stays whole, and a sentence says why. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "snapshot_run.h"

static const char *const modes[] = {"nested", "shadow"};

static bool has_status(const char *status)
{
	json_t *now = ask("query-snapshot", NULL);
	const bool has = strcmp(json_string_value(json_object_get(now, "status")), status) == 0;

	json_decref(now);
	return has;
}

/* Begins a save that does not end: its process is stopped. */
static pid_t begin_and_hold(void)
{
	for (struct limit limit = {0};;) {
		json_t *reply;
		pid_t pid;

		/* One of before may still be at its end: then this one is refused. */
		must_work(connection_execute(&client, "snapshot-save", json_pack("{s:s}", "file", file), &reply),
		          "save");
		json_decref(reply);
		pid = writer(run.pid);
		if (pid && is_held(pid) && has_status("saving"))
			return pid;
		cr_assert_not(limit_over(&limit), "the save is always over before");
	}
}

static void await_status(const char *status)
{
	for (struct limit limit = {0}; !has_status(status); usleep(1000))
		cr_assert_not(limit_over(&limit), "not %s", status);
}

static void start_large(const char *mode)
{
	prepare();
	run_start(&run, (const char *const[]){"run", "--paging", mode, "--memory", "1G", "--timeout", "100",
	                                      "--control", path, guest_path("ticks"), NULL});
	run_until(&run, "ticking\n");
	cr_assert_eq(connection_open(&client, path, ANSWER_MS), 0);
}

/* The second is refused, and the first goes on; also while the guest is reset and changes its mode. */
Test(control, snapshot_two_at_once)
{
	json_t *reply;
	pid_t pid;

	start_large("nested");
	pid = begin_and_hold();
	cr_assert_eq(connection_execute(&client, "snapshot-save", json_pack("{s:s}", "file", "/tmp/other"), &reply), 0);
	cr_expect(
	    strstr(json_string_value(json_object_get(json_object_get(reply, "error"), "desc")), "is being saved"));
	json_decref(reply);
	tell("system_reset");
	json_decref(ask("set-paging", json_pack("{s:s}", "mode", "shadow")));
	kill(pid, SIGCONT);
	await_status("saved");
	expect_good();
	quit();
	unlink(file);
}

/* The writer is killed: that is said, the old file stays, and the next save works. */
Test(control, snapshot_writer_is_killed)
{
	pid_t pid;

	start_large("nested");
	save();
	pid = begin_and_hold();
	kill(pid, SIGKILL);
	await_status("failed");
	expect_good();
	save();
	quit();
	unlink(file);
}

/* The guest ends while it is saved: the file is completed first. */
Test(control, snapshot_guest_ends)
{
	pid_t pid;

	start_large("nested");
	pid = begin_and_hold();
	tell("quit");
	usleep(10000);
	kill(pid, SIGCONT);
	connection_close(&client);
	run_finish(&run);
	expect_status(&run, 0);
	expect_good();
	unlink(file);
}

/*
 * Once the guest has ended no save begins, however soon it is asked for: the run waits for those that have begun, and then
 * takes away what another would need.
 */
Test(control, snapshot_of_a_guest_that_has_ended)
{
	static const char quit_then_save[] =
	    "{\"execute\":\"quit\"}{\"execute\":\"snapshot-save\",\"arguments\":{\"file\":\"/nowhere/other\"}}\n";
	json_t *reply;

	start("nested", "1", "ticks", "ticking\n");
	cr_assert_eq(connection_say(&client, quit_then_save, sizeof(quit_then_save) - 1), 0);
	cr_assert_eq(connection_reply(&client, &reply), 0);
	json_decref(reply);
	if (connection_reply(&client, &reply) == 0) { /* else the run was faster */
		cr_expect_str_eq(json_string_value(json_object_get(json_object_get(reply, "error"), "desc")),
		                 "The run has ended");
		json_decref(reply);
	}
	connection_close(&client);
	run_finish(&run);
	expect_status(&run, 0);
}

/* ^C ends the run and the save: the old file stays, and nothing is left beside it. */
Test(control, snapshot_interrupted)
{
	struct stat before, after;

	start_large("nested");
	save();
	cr_assert_eq(stat(file, &before), 0);
	(void)begin_and_hold();
	kill(run.pid, SIGINT);
	connection_close(&client);
	run_finish(&run);
	cr_expect_eq(run.status, 130);
	cr_assert_eq(stat(file, &after), 0);
	cr_expect_eq(before.st_size, after.st_size);
	expect_good();
	unlink(file);
}

/* Says it, and does not wait for an answer. */
static void say_save(struct connection *c)
{
	char line[256];
	const int len =
	    snprintf(line, sizeof(line), "{\"execute\":\"snapshot-save\",\"arguments\":{\"file\":\"%s\"}}\n", file);

	cr_assert_eq(connection_say(c, line, (size_t)len), 0);
}

/* SIGKILL at any moment: what is at the path is whole, the old or the new. */
Test(control, snapshot_killed_at_any_moment)
{
	for (int i = 0; i < 12; i++) {
		start_large(modes[i % 2]);
		if (i == 0)
			save();
		say_save(&client);
		usleep((useconds_t)(i * i * 4000));
		kill_run();
		expect_good();
	}
	unlink(file);
}

/* A client that goes away in the middle: the save goes on. */
Test(control, snapshot_client_goes_away)
{
	struct connection other;

	start_large("nested");
	cr_assert_eq(connection_open(&other, path, ANSWER_MS), 0);
	say_save(&other);
	while (has_status("none"))
		usleep(100);
	connection_close(&other);
	await_status("saved");
	expect_good();
	quit();
	unlink(file);
}

static char little[sizeof(dir) + 8];

/* There is a file system with little room, which only the run sees. */
static void little_room(void)
{
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("none", little, "tmpfs", 0, "size=16k") < 0)
		_exit(99);
}

Test(control, snapshot_disk_is_full)
{
	char there[sizeof(little) + 16];

	if (geteuid() != 0)
		cr_skip_test("needs root: it mounts a file system");
	prepare();
	snprintf(little, sizeof(little), "%s/little", dir);
	snprintf(there, sizeof(there), "%s/snapshot", little);
	cr_assert_eq(mkdir(little, 0700), 0);
	run.surroundings = little_room;
	start("nested", "1", "ticks", "ticking\n");
	run_gnomon(&tool, "snapshot", "save", path, there);
	cr_expect_eq(tool.status, 1);
	cr_expect(strstr(tool.err, "the host cannot write it: No space left on device"), "%s", tool.err);
	cr_expect_not(strstr(tool.err, "in the file before"), "there was none: %s", tool.err);
	save();
	quit();
	unlink(file);
	rmdir(little);
}

/* Places where no file can be, and names that cannot be said: a base that is left out would make it a whole file. */
Test(control, snapshot_no_such_place)
{
	prepare();
	start("nested", "1", "ticks", "ticking\n");
	run_gnomon(&tool, "snapshot", "save", path, "/nowhere/at/all");
	expect_refusal(&tool, 1, "No such file or directory");
	run_gnomon(&tool, "snapshot", "save", path, dir);
	expect_refusal(&tool, 1, "something else stands there");
	run_gnomon(&tool, "snapshot", "save", path, "/nowhere/\xff");
	expect_refusal(&tool, 2, "has to be UTF-8");
	run_gnomon(&tool, "snapshot", "save", "--since", "/nowhere/\xff", path, file);
	expect_refusal(&tool, 2, "has to be UTF-8");
	cr_expect(access(file, F_OK) < 0);
	quit();
}

/* --- what cannot go on --- */

/* A file with this shape, whose hashes are right. */
static void with_shape(const struct snapshot_shape *shape)
{
	uint8_t header[SNAPSHOT_HEADER];
	const int fd = open(file, O_WRONLY);

	snapshot_shape_write(shape, header);
	cr_assert_eq(pwrite(fd, header, sizeof(header), 0), SNAPSHOT_HEADER);
	close(fd);
}

static void expect_no_restore(const char *words, const char *option, const char *value)
{
	run_gnomon(&tool, "run", "--restore", file, option, value);
	expect_refusal(&tool, 2, words);
}

/* Restores that say what is missing. */
Test(control, snapshot_refused)
{
	char why[SNAPSHOT_WHY_MAX];
	struct snapshot_shape shape;
	struct snapshot s;

	prepare();
	start("nested", "2", "ticks", "ticking\n");
	save();
	quit();
	expect_no_restore("--cpus: the snapshot has 2 CPUs, and 1 are too few", "--cpus", "1");
	expect_no_restore("--cpus: the snapshot has 2 CPUs, and 3 are more", "--cpus", "3");
	expect_no_restore("--memory: the snapshot has 64 MiB, and 32 MiB are too few", "--memory", "32M");
	expect_no_restore("--balloon: the snapshot's guest", "--balloon", "deflate-on-oom");
	run_gnomon(&tool, "run", "--restore", file, "image");
	expect_refusal(&tool, 2, "--restore takes no image");
	cr_assert_eq(snapshot_open(file, &s, why), 0);
	shape = s.shape;
	strcpy(shape.vendor, "GenuineGnome");
	with_shape(&shape);
	expect_no_restore("it comes from a CPU of GenuineGnome, and this one is of", "--timeout", "10");
	shape = s.shape;
	shape.features[SNAPSHOT_L7_EBX] |= 1u << 31;
	with_shape(&shape);
	expect_no_restore("a CPU feature that this host lacks", "--timeout", "10");
	shape = s.shape;
	strcpy(shape.paging, "sideways");
	with_shape(&shape);
	expect_no_restore("a paging mode that this version does not have", "--timeout", "10");
	shape = s.shape;
	shape.tsc_hz *= 2;
	with_shape(&shape);
	if (shape.tsc_hz) /* else KVM does not tell */
		expect_no_restore("its guest's time-stamp counter runs at", "--timeout", "10");
	snapshot_close(&s);
	cr_assert_eq(truncate(file, 8192), 0);
	expect_no_restore("it was cut off", "--timeout", "10");
	run_gnomon(&tool, "run", "--lazy", kernel);
	expect_refusal(&tool, 2, "--lazy: it is for --restore");
	unlink(file);
	expect_no_restore("No such file", "--timeout", "10");
}

/* A page that is damaged is found when memory is read: nothing runs. */
Test(control, snapshot_damaged_page)
{
	uint8_t byte;
	int fd;

	prepare();
	start("nested", "1", "ticks", "ticking\n");
	save();
	quit();
	fd = open(file, O_RDWR);
	cr_assert_eq(pread(fd, &byte, 1, 5000), 1);
	byte ^= 1;
	cr_assert_eq(pwrite(fd, &byte, 1, 5000), 1);
	close(fd);
	run_gnomon(&tool, "run", "--restore", file);
	expect_refusal(&tool, 2, "its block 0 is damaged (bytes 4096 to");
	run_gnomon(&tool, "snapshot", "verify", file);
	expect_refusal(&tool, 1, "its block 0 is damaged");
	run_gnomon(&tool, "run", "--lazy", "--restore", file);
	cr_expect(tool.status == 1 || tool.status == 2, "%d", tool.status);
	cr_expect(strstr(tool.err, "its block 0 is damaged"), "%s", tool.err);
	unlink(file);
}

/* Nobody may read enclaves: a guest that has some is not saved. */
Test(control, snapshot_with_enclaves)
{
	prepare();
	run_start(&run, (const char *const[]){"run", "--enclave-memory", "1M", "--timeout", "100", "--control", path,
	                                      guest_path("../enclave/enclave-attacks"), "--", "loop", NULL});
	run_until(&run, "looping\n");
	run_gnomon(&tool, "snapshot", "save", path, file);
	expect_refusal(&tool, 1, "The guest has enclaves");
	run_gnomon(&tool, "ctl", path, "quit");
	expect_status(&tool, 0);
	run_finish(&run);
}
