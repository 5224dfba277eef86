/* SPDX-License-Identifier: MIT */
#include "slice_run.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

struct run r, tool;
char path[96];
static char dir[64];

void slice_run_init(void)
{
	need_kvm();
	strcpy(dir, "/tmp/gnomon-reclaim-XXXXXX");
	cr_assert(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/socket", dir);
}

void slice_run_fini(void)
{
	run_abandon(&r);
	if (*dir)
		cr_expect_eq(rmdir(dir), 0, "something was left in %s", dir);
}

void start(const char *guest, const char *mode, const char *cpus, const char *backing)
{
	run_start(&r, (const char *const[]){"run", "--paging", mode, "--cpus", cpus, "--memory", "64M", "--backing",
	                                    backing, "--timeout", "100", "--control", path, guest_path(guest), NULL});
	run_until(&r, "round\nround\n");
}

void quit(void)
{
	tell("quit");
	run_finish(&r);
	expect_status(&r, 0);
}

void drain(void)
{
	int waiting;

	while (ioctl(r.out_fd, FIONREAD, &waiting) == 0 && waiting > 0)
		cr_assert_gt(read(r.out_fd, r.out, waiting < RUN_OUTPUT ? waiting : RUN_OUTPUT - 1), 0);
	r.out_len = 0;
	r.out[0] = 0;
}

/* The tool did what it should; if not, what the run has to say about it comes along. */
static void expect_done(void)
{
	char text[2000] = "";
	int waiting = 0;

	if (tool.status && ioctl(r.err_fd, FIONREAD, &waiting) == 0 && waiting > 0)
		cr_expect_gt(read(r.err_fd, text, waiting < (int)sizeof(text) ? waiting : (int)sizeof(text) - 1), 0);
	cr_assert_eq(tool.status, 0, "%s\nthe run: %s", tool.err, text);
}

void tell(const char *command)
{
	run_gnomon(&tool, "ctl", path, command);
	expect_done();
}

void ctl(const char *command, const char *gpa, const char *size)
{
	drain();
	run_gnomon(&tool, "ctl", path, command, gpa, size);
	expect_done();
}

void ctl_refuses(const char *command, const char *gpa, const char *size, const char *words)
{
	run_gnomon(&tool, "ctl", path, command, gpa, size);
	cr_assert_eq(tool.status, 1, "%s%s", tool.out, tool.err);
	cr_assert(strstr(tool.err, words), "%s", tool.err);
}

unsigned long long value(const char *name)
{
	char key[64];
	const char *at;

	snprintf(key, sizeof(key), "\"name\": \"%s\"", name);
	at = strstr(tool.out, key);
	cr_assert(at, "no %s", name);
	at = strstr(at, "\"value\": ");
	cr_assert(at);
	return strtoull(at + 9, NULL, 10);
}

void query(void)
{
	run_gnomon(&tool, "ctl", path, "query-stats", "target=vm");
	expect_done();
}

void rounds(int n)
{
	char text[512] = "";

	for (int i = 0; i < n; i++)
		strcat(text, "round\n");
	drain();
	run_until(&r, text);
}
