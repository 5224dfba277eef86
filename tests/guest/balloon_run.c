/* SPDX-License-Identifier: MIT */
#include "balloon_run.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct run vm, client;
char kernel[4096], vm_socket[96];
static char dir[64];

static void setup(void)
{
	need_kvm();
	snprintf(kernel, sizeof(kernel), "%s", build_path("guest/kernel.elf"));
	strcpy(dir, "/tmp/gnomon-balloon-XXXXXX");
	cr_assert(mkdtemp(dir));
	snprintf(vm_socket, sizeof(vm_socket), "%s/socket", dir);
}

static void teardown(void)
{
	if (*dir)
		cr_expect_eq(rmdir(dir), 0, "something was left in %s", dir);
}

TestSuite(balloon, .init = setup, .fini = teardown);

struct sizes vm_resize(const char *size)
{
	struct sizes s = {0};

	run_gnomon(&client, "balloon", "--size", size, "--wait", "--timeout", "60", "--json", vm_socket);
	expect_status(&client, 0);
	cr_assert_eq(sscanf(client.out,
	                    "{\"memory\": %llu, \"actual\": %llu, \"target\": %llu, \"host_memory_before\": %llu, "
	                    "\"host_memory_after\": %llu, \"reached\": true}",
	                    &s.memory, &s.actual, &s.target, &s.host_before, &s.host_after),
	             5, "%s", client.out);
	return s;
}

void vm_resize_in_vain(const char *size)
{
	char seconds[16];

	for (int s = 1; s < 30; s *= 2) { /* more where the host is too busy for an answer in that time */
		snprintf(seconds, sizeof(seconds), "%d", s);
		run_gnomon(&client, "balloon", "--size", size, "--wait", "--timeout", seconds, vm_socket);
		if (!strstr(client.err, "no answer in time"))
			break;
	}
	cr_assert_eq(client.status, 1, "%s%s", client.out, client.err);
}

void vm_quit(void)
{
	run_gnomon(&client, "ctl", vm_socket, "quit");
	expect_status(&client, 0);
	run_finish(&vm);
	expect_status(&vm, 0);
}

unsigned long long number_behind(const char *text, const char *words)
{
	const char *p = strstr(text, words);

	cr_assert(p, "no %s in: %s", words, text);
	return strtoull(p + strlen(words), NULL, 10);
}

unsigned long long vm_free_memory(void)
{
	unsigned long long first = 0, reports;

	for (int i = 0;; i++) {
		run_gnomon(&client, "ctl", vm_socket, "query-balloon-stats");
		expect_status(&client, 0);
		reports = number_behind(client.out, "\"reports\": ");
		/* The first one after ours may answer a request that came before it. */
		if (strstr(client.out, "\"fresh\": true") || (i && reports > first + 1))
			return number_behind(client.out, "\"stat-free-memory\": ");
		first = i ? first : reports;
	}
}

struct view vm_look(void)
{
	char file[64], text[4096];
	struct view v;
	FILE *f;

	run_gnomon(&client, "balloon", "--json", vm_socket);
	expect_status(&client, 0);
	v.actual = number_behind(client.out, "\"actual\": ");
	v.host = number_behind(client.out, "\"host_memory_after\": ");
	v.free = vm_free_memory();
	snprintf(file, sizeof(file), "/proc/%d/status", vm.pid);
	f = fopen(file, "r");
	cr_assert(f);
	text[fread(text, 1, sizeof(text) - 1, f)] = 0;
	fclose(f);
	v.rss = number_behind(text, "VmRSS:") << 10;
	return v;
}
