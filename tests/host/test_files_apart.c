/* SPDX-License-Identifier: MIT */
/*
 * Files of a command that must stay apart: two outputs that are one file by some name, an output in the place of what is
 * read or run, and what an earlier run has left when nothing runs.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "surroundings.h"

static struct run r;

static void setup(void)
{
	need_kvm();
	dir_make();
}

TestSuite(files_apart, .init = setup, .fini = dir_remove);

/* The same file for both would be one of them. */
Test(files_apart, one_for_two)
{
	char path[128];

	snprintf(path, sizeof(path), "%s", in_dir("a"));
	run_gnomon(&r, "bench", "--only", "startup", "--runs", "1", "--json", path, "--csv", in_dir("b"));
	expect_status(&r, 0);
	run_gnomon(&r, "bench", "--only", "startup", "--runs", "1", "--json", path, "--csv", in_dir("./a"));
	expect_refusal(&r, 2, "cannot both go to");
}

static void stdout_to_a(void)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/a", dir);
	stdout_to(path, O_WRONLY | O_CREAT | O_TRUNC);
}

static void bench_refused(const char *first, const char *to, const char *second, const char *and_to, const char *words)
{
	run_gnomon(&r, "bench", "--only", "startup", "--runs", "1", first, to, second, and_to);
	expect_refusal(&r, 2, words);
}

/* The same, where the two have no name in common: stdout by its names, the directory of pictures, links. */
Test(files_apart, one_for_two_by_other_names)
{
	char json[128], plot[128];

	bench_refused("--json", "-", "--csv", "/dev/stdout", "cannot both go to /dev/stdout");
	bench_refused("--json", "/dev/fd/1", "--html", "-", "cannot both go to stdout");
	r.surroundings = stdout_to_a;
	bench_refused("--json", "-", "--csv", in_dir("a"), "cannot both go to ");
	r.surroundings = NULL;
	snprintf(plot, sizeof(plot), "%s", in_dir("plot"));
	snprintf(json, sizeof(json), "%s", in_dir("json"));
	cr_assert_eq(mkdir(plot, 0755), 0);
	bench_refused("--json", in_dir("plot/startup.csv"), "--plot", plot, "is a file that --plot may write");
	bench_refused("--csv", in_dir("plot/../plot/miss.gp"), "--plot", plot, "is a file that --plot may write");
	cr_assert_eq(symlink("../json", in_dir("plot/startup.csv")), 0);
	bench_refused("--json", json, "--plot", plot, "is a file that --plot may write");
	cr_assert_eq(unlink(in_dir("plot/startup.csv")), 0);
	run_gnomon(&r, "bench", "--only", "startup", "--runs", "1", "--json", in_dir("plot/json"), "--plot", plot);
	expect_status(&r, 0);
	expect_whole(in_dir("plot/json"));
}

static void write_earlier(const char *path)
{
	FILE *f = fopen(path, "w");

	fputs("earlier", f);
	fclose(f);
}

/* Nothing ran: the statistics of an earlier run stay, also when the operand was forgotten and an image is named. */
Test(files_apart, stay_when_nothing_ran)
{
	static const char *const bad[] = {"/nonexistent", "/dev/null", "/etc/passwd"};

	write_earlier(in_dir("stats"));
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		run_gnomon(&r, "run", "--stats", in_dir("stats"), bad[i]);
		expect_refusal(&r, 2, bad[i]);
		cr_assert_str_eq(content(in_dir("stats")), "earlier", "%s", bad[i]);
	}
	run_gnomon(&r, "run", "--stats", in_dir("stats"), "--control", in_dir("stats"), guest_path("exit-status-0"));
	expect_refusal(&r, 2, "stats");
	cr_assert_str_eq(content(in_dir("stats")), "earlier");
	run_gnomon(&r, "run", "--stats", in_dir("stats"), guest_path("exit-status-7"));
	expect_status(&r, 7);
	expect_whole(in_dir("stats"));
}

/* So does the key of an earlier run; and each file of a run is a file of its own. */
Test(files_apart, key_stays_when_nothing_ran)
{
	static const char *const bad[] = {"/nonexistent", "/etc/passwd"};
	char key[128], other[128];

	snprintf(key, sizeof(key), "%s", in_dir("key"));
	snprintf(other, sizeof(other), "%s", in_dir("other"));
	write_earlier(key);
	write_earlier(other);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		run_gnomon(&r, "run", "--enclave-memory", "4M", "--enclave-key", key, bad[i]);
		expect_refusal(&r, 2, bad[i]);
		cr_assert_str_eq(content(key), "earlier", "%s", bad[i]);
	}
	run_gnomon(&r, "run", "--enclave-memory", "4M", "--enclave-key", key, "--control", other, kernel_path());
	expect_refusal(&r, 2, "exists and is no socket");
	cr_assert_str_eq(content(key), "earlier");
	run_gnomon(&r, "run", "--enclave-memory", "4M", "--enclave-key", in_dir("new"), "--control", in_dir("./new"),
	           kernel_path());
	expect_refusal(&r, 2, "is the file of --enclave-key");
	run_gnomon(&r, "run", "--stats", in_dir("new"), "--control", in_dir("./new"), kernel_path());
	expect_refusal(&r, 2, "is the file of --stats");
	run_gnomon(&r, "run", "--enclave-memory", "4M", "--enclave-key", key, kernel_path(), "--", "hello");
	expect_status(&r, 0);
	cr_assert_eq(strspn(content(key), "0123456789abcdef"), 64u, "%s", content(key));
}

/* What is run is not what is written, by whatever name. */
Test(files_apart, image_is_no_output)
{
	char image[128];
	const char *const names[] = {image, in_dir("link"), in_dir("./image")};

	snprintf(image, sizeof(image), "%s", in_dir("image"));
	cr_assert(link(kernel_path(), image) == 0 || errno == EXDEV);
	if (access(image, F_OK) < 0)
		cr_skip_test("the build is on another file system");
	cr_assert_eq(symlink("image", in_dir("link")), 0);
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		run_gnomon(&r, "run", "--stats", names[i], image, "--", "hello");
		expect_refusal(&r, 2, "is the guest image");
		run_gnomon(&r, "bench", "--only", "startup", "--runs", "1", "--image", image, "--json", names[i]);
		expect_refusal(&r, 2, "is what shall be run");
	}
	run_gnomon(&r, "run", image, "--", "hello");
	expect_status(&r, 0);
}
