/* SPDX-License-Identifier: MIT */
/*
 * Files that a command writes: what cannot be written is found before the guest runs or anything is measured, what was
 * there before survives each failure, and what is written is whole. tests/unit/test_outfile.c has the many kinds of
 * paths; these are the commands.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "surroundings.h"

static struct run r;

static void setup(void)
{
	need_kvm();
	dir_make();
}

TestSuite(files, .init = setup, .fini = dir_remove);

/* Refused with no word of the guest's: it never ran. bench and run both, by their names for such a file. */
static void refused(const char *path, const char *words)
{
	run_gnomon(&r, "run", "--stats", path, kernel_path(), "--", "hello");
	expect_refusal(&r, 1, words);
	cr_assert_eq(strncmp(r.err, "gnomon: --stats: cannot write ", 30), 0, "%s", r.err);
	run_gnomon(&r, "bench", "--only", "startup", "--runs", "1", "--json", path);
	expect_refusal(&r, 2, words);
	run_gnomon(&r, "bench", "--only", "startup", "--runs", "1", "--csv", path);
	expect_refusal(&r, 2, words);
}

Test(files, found_before_the_work)
{
	char name[400], path[512];

	memset(name, 'n', 300);
	name[300] = 0;
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	refused(path, "File name too long");
	refused("/nonexistent/file", "No such file or directory");
	refused(dir, "Is a directory");
	refused("/dev/null/file", "Not a directory");
	refused("/proc/file", "No such file or directory");
	refused("", "No such file or directory");
	refused("/dev/fd/99", "Bad file descriptor");
}

static void no_room_for_text(void)
{
	stdout_to("/dev/full", O_WRONLY);
}

/* The text is lost, and that is told; the files are there all the same. */
Test(files, written_without_a_reader)
{
	r.surroundings = no_room_for_text;
	run_gnomon(&r, "bench", "--only", "startup,walks", "--runs", "1", "--json", in_dir("json"), "--csv",
	           in_dir("csv"));
	expect_line(&r, 1, "cannot write to standard output: No space left on device");
	expect_whole(in_dir("json"));
	cr_assert(strstr(content(in_dir("json")), "\"first_iqr\"") && strstr(content(in_dir("csv")), "program,"));
}

/* A baseline that every start is better than. */
static void write_baseline(const char *path)
{
	FILE *f = fopen(path, "w");

	fputs("{\"version\": 1, \"environment\": {}, \"tables\": [{\"name\": \"startup\", \"columns\": [{\"name\": "
	      "\"program\"}, {\"name\": \"exit\", \"unit\": \"ms\"}], \"rows\": [{\"program\": \"shortest KVM "
	      "program\", \"exit\": 1e9}]}]}",
	      f);
	fclose(f);
}

/* One that cannot be written costs none of the others, whichever it is, and the comparison is made. */
Test(files, one_lost_of_many)
{
	static const char *const names[] = {"json", "csv", "html", "plot/startup.csv"};

	write_baseline(in_dir("old"));
	for (size_t lost = 0; lost < sizeof(names) / sizeof(*names); lost++) {
		mkdir(in_dir("plot"), 0755);
		cr_assert_eq(mkfifo(in_dir(names[lost]), 0600), 0); /* to be found only at the end: nobody reads it */
		static char to[4][128];

		for (size_t i = 0; i < 4; i++)
			snprintf(to[i], sizeof(to[i]), "%s", in_dir(i == 3 ? "plot" : names[i]));
		run_gnomon(&r, "bench", "--only", "startup", "--runs", "1", "--json", to[0], "--csv", to[1], "--html",
		           to[2], "--plot", to[3], "--baseline", in_dir("old"));
		expect_line(&r, 1, "nobody reads it");
		cr_expect(strstr(r.out, "this run against"), "%s: not compared", names[lost]);
		for (size_t i = 0; i < 4; i++)
			if (i != lost)
				cr_expect(*content(in_dir(names[i])), "%s is empty without %s", names[i], names[lost]);
		for (size_t i = 0; i < 4; i++)
			unlink(in_dir(names[i]));
	}
}

/* A user to whom the directory, or the file, does not belong: found before KVM is opened. */
Test(files, without_permission)
{
	if (getuid() != 0)
		cr_skip_test("only root can become another user");
	r.uid = NOBODY;
	run_gnomon(&r, "run", "--stats", in_dir("file"), guest_path("exit-status-0"));
	expect_refusal(&r, 1, "Permission denied");
	run_gnomon(&r, "bench", "--csv", in_dir("file"));
	expect_refusal(&r, 2, "Permission denied");
	fclose(fopen(in_dir("file"), "w"));
	run_gnomon(&r, "run", "--stats", in_dir("file"), guest_path("exit-status-0"));
	expect_refusal(&r, 1, "Permission denied");
}

static rlim_t file_limit;

static void limit_files(void)
{
	setrlimit(RLIMIT_FSIZE, &(struct rlimit){file_limit, file_limit});
}

/*
 * Limits of any size: all of it, or status 1 with words and the earlier file; bench says so before the run. Also without
 * a byte to be had.
 */
Test(files, size_limit)
{
	static const rlim_t limits[] = {0, 1, 1024, 4096, 10000, 1 << 20};

	run_gnomon(&r, "run", "--stats", in_dir("stats"), guest_path("exit-status-0"));
	expect_status(&r, 0);
	r.surroundings = limit_files;
	for (size_t i = 0; i < sizeof(limits) / sizeof(*limits); i++) {
		file_limit = limits[i];
		run_gnomon(&r, "run", "--control", in_dir("socket"), "--stats", in_dir("stats"),
		           guest_path("exit-status-0"));
		if (limits[i] == 1 << 20)
			expect_status(&r, 0);
		else
			expect_line(&r, 1, "File too large");
		expect_whole(in_dir("stats"));
		run_gnomon(&r, "bench", "--only", "startup", "--runs", "1", "--json", in_dir("json"));
		if (r.status == 0)
			expect_whole(in_dir("json"));
		else
			cr_assert(limits[i] < 1 << 20 && r.status == 2 && strstr(r.err, "File too large"), "%d %s",
			          r.status, r.err);
	}
	expect_whole(in_dir("json"));
}

static void limit_log(void)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/log", dir);
	stdout_to(path, O_WRONLY | O_CREAT | O_TRUNC);
	limit_files();
}

/* The console in a file that may not grow: what fits is there, the guest ends as it would, and the rest is missed. */
Test(files, size_limit_of_the_console)
{
	r.surroundings = limit_log;
	file_limit = 10;
	run_gnomon(&r, "run", kernel_path(), "--", "hello");
	expect_line(&r, 1, "cannot write the guest's console: File too large");
	cr_assert_str_eq(content(in_dir("log")), "hello from");
	run_gnomon(&r, "host");
	expect_line(&r, 1, "cannot write to standard output: File too large");
}

/* A disk of four pages, for the process and what it starts alone. */
static char disk[128];

static void small_disk(void)
{
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("none", disk, "tmpfs", 0, "size=16k") < 0)
		_exit(253);
}

static void need_mounts(void)
{
	if (getuid() != 0)
		cr_skip_test("only root can mount");
	snprintf(disk, sizeof(disk), "%s", in_dir("disk"));
	cr_assert_eq(mkdir(disk, 0755), 0);
	r.surroundings = small_disk;
	run_gnomon(&r, "--version");
	if (r.status == 253)
		cr_skip_test("no mounts here");
}

/* Room for a part of it only: an error with its reason, and nothing stays. */
Test(files, full_disk)
{
	char path[160];

	need_mounts();
	snprintf(path, sizeof(path), "%s/stats", disk);
	run_gnomon(&r, "run", "--cpus", "8", "--stats", path, guest_path("exit-status-0"));
	expect_line(&r, 1, "No space left on device");
	run_gnomon(&r, "bench", "--only", "startup,walks", "--json", path);
	expect_refusal(&r, 2, "No space left on device, and it may take up to 128 KiB");
}

static void read_only_disk(void)
{
	small_disk();
	if (mount(NULL, disk, NULL, MS_REMOUNT | MS_RDONLY, NULL) < 0)
		_exit(253);
}

static void disk_without_room(void)
{
	char path[160];

	small_disk();
	snprintf(path, sizeof(path), "%s/full", disk);
	stdout_to(path, O_WRONLY | O_CREAT);
	if (posix_fallocate(STDOUT_FILENO, 0, 16384) != 0)
		_exit(253);
}

Test(files, disks_found_before_the_work)
{
	char path[160];

	need_mounts();
	snprintf(path, sizeof(path), "%s/stats", disk);
	r.surroundings = read_only_disk;
	refused(path, "Read-only file system");
	r.surroundings = disk_without_room;
	refused(path, "No space left on device");
}

static void append_to_log(void)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/log", dir);
	stdout_to(path, O_WRONLY | O_CREAT | O_TRUNC);
}

/* stdout's own file, by any of its names: the counters come behind the guest's words, and replace nothing. */
Test(files, behind_the_console)
{
	const char *const names[] = {"/dev/stdout", "/dev/fd/1",   "/proc/self/fd/1", "/proc/thread-self/fd/1",
	                             in_dir("log"), in_dir("link")};

	cr_assert_eq(symlink("log", in_dir("link")), 0);
	r.surroundings = append_to_log;
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		run_gnomon(&r, "run", "--stats", names[i], kernel_path(), "--", "hello");
		expect_status(&r, 0);
		cr_assert_eq(strncmp(content(in_dir("log")), "hello from gnomon guest\n{\"version\":1,", 36), 0,
		             "%s: %.200s", names[i], content(in_dir("log")));
	}
	run_gnomon(&r, "bench", "--only", "startup", "--runs", "1", "--json", in_dir("log"));
	expect_status(&r, 0);
	cr_assert(strstr(content(in_dir("log")), "first character (ms)") &&
	              strstr(content(in_dir("log")), "\"tables\""),
	          "%.300s", content(in_dir("log")));
}
