/* SPDX-License-Identifier: MIT */
/* A reset begins anew, from whatever the guest was doing at the time. */
#include <criterion/criterion.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control_run.h"

static const char *const modes[] = {"nested", "shadow"};

/* Counts how often the guest said it. */
static unsigned times(const char *words)
{
	unsigned n = 0;

	for (const char *p = run.out; (p = strstr(p, words)); p++)
		n++;
	return n;
}

/* Waits until the guest has said `words` so many times, and no more often. */
static void await(const char *words, unsigned n)
{
	struct limit limit = {0};

	while (times(words) < n && !limit_over(&limit)) {
		struct pollfd p = {.fd = run.out_fd, .events = POLLIN};

		if (poll(&p, 1, 10) == 1)
			run.out_len += (size_t)read(run.out_fd, run.out + run.out_len, RUN_OUTPUT - 1 - run.out_len);
		run.out[run.out_len] = 0;
	}
	cr_assert_eq(times(words), n, "%s: %s", words, run.out);
}

/* A reset loads the image again and starts it: each guest speaks once more, whatever it was doing; stopped it stays. */
static void reset_starts_again(const char *mode, const char *cpus, const char *behaviour, const char *words)
{
	start(mode, cpus, behaviour, words);
	for (unsigned n = 2; n < 12; n++) {
		if (n % 3 == 0)
			tell("stop");
		tell("system_reset");
		if (n % 3 == 0) {
			usleep(5000);
			cr_expect_eq(times(words), n - 1, "it ran while stopped");
			tell("cont");
		}
		await(words, n);
	}
	quit();
}

Test(control, reset_spinning_nested)
{
	reset_starts_again(modes[0], "4", "spin-on-4-cpus", "spinning\n");
}
Test(control, reset_spinning_shadow)
{
	reset_starts_again(modes[1], "4", "spin-on-4-cpus", "spinning\n");
}
Test(control, reset_halted_nested)
{
	reset_starts_again(modes[0], "1", "idle", "idle\n");
}
Test(control, reset_halted_shadow)
{
	reset_starts_again(modes[1], "1", "idle", "idle\n");
}
Test(control, reset_exiting_nested)
{
	reset_starts_again(modes[0], "1", "ticks", "ticking\n");
}
Test(control, reset_exiting_shadow)
{
	reset_starts_again(modes[1], "1", "ticks", "ticking\n");
}

static void set_paging(const char *mode)
{
	json_t *reply = NULL;

	cr_assert_eq(connection_execute(&client, "set-paging", json_pack("{s:s}", "mode", mode), &reply), 0);
	cr_expect_null(json_object_get(reply, "error"), "%s", json_dumps(reply, 0));
	json_decref(reply);
}

/* CPUs that wait for their start after a reset hold nothing up: not the next reset, nor a change of the mode. */
static void reset_before_cpus_start(const char *mode)
{
	start(mode, "4", "spin-on-4-cpus", "spinning\n");
	for (unsigned n = 0; n < 20; n++) {
		tell("stop");
		tell("system_reset");
		tell("cont");
		tell("system_reset");
		set_paging(modes[n % 2]);
	}
	quit();
}

Test(control, reset_before_cpus_start_nested)
{
	reset_before_cpus_start(modes[0]);
}
Test(control, reset_before_cpus_start_shadow)
{
	reset_before_cpus_start(modes[1]);
}

/* What `reset-state` said behind the n-th line "before" or "after", up to `end`; a copy. */
static char *section(const char *begin, unsigned n, const char *end)
{
	const char *p = run.out, *q;

	for (unsigned i = 0; i < n; i++) {
		p = strstr(p, begin);
		cr_assert(p, "%s", run.out);
		p += strlen(begin);
	}
	q = strstr(p, end);
	cr_assert(q, "%s", run.out);
	return strndup(p, (size_t)(q - p));
}

/* Whether the line of this name, with the line feed before it, is another in one text than in the other. */
static bool differs(const char *name, const char *a, const char *b)
{
	const char *p = strstr(a, name), *q = strstr(b, name);

	cr_assert(p && q, "no %s", name);
	return strncmp(p + 1, q + 1, strcspn(p + 1, "\n")) != 0;
}

/* A guest that changes all it can reach of its CPU, and is reset: the next one finds a CPU like the first one's. */
static void reset_makes_a_new_cpu(const char *mode)
{
	static const char *const reached[] = {"\nsys_esp", "\nlstar", "\nkgsbase", "\ncr8", "\ndr0",
	                                      "\ndr7",     "\nfcw",   "\nmxcsr",   "\nst0", "\nxmm0"};
	static const char done[] = "done\n";
	char *first, *changed, *again;

	start(mode, "1", "reset-state", done);
	for (unsigned n = 2; n <= 4; n++) {
		tell("system_reset");
		await(done, n);
	}
	first = section("before\n", 1, "after\n");
	changed = section("after\n", 1, done);
	for (size_t i = 0; i < sizeof(reached) / sizeof(*reached); i++)
		cr_expect(differs(reached[i], first, changed), "not changed: %s", reached[i]);
	for (unsigned n = 2; n <= 4; n++) {
		again = section("before\n", n, "after\n");
		cr_expect_str_eq(again, first, "after reset %u:\n%s\nat first:\n%s", n - 1, again, first);
		free(again);
	}
	free(first);
	free(changed);
	quit();
}

Test(control, reset_makes_a_new_cpu_nested)
{
	reset_makes_a_new_cpu(modes[0]);
}
Test(control, reset_makes_a_new_cpu_shadow)
{
	reset_makes_a_new_cpu(modes[1]);
}

/* The image of a running guest, somewhere else for the test to spoil; `from` NULL takes it away. */
static char image[128];

static void put_image(const char *from)
{
	char command[512];

	if (from)
		snprintf(command, sizeof(command), "rm -rf %s && cp %s %s", image, from, image);
	else
		snprintf(command, sizeof(command), "rm -rf %s", image);
	cr_assert_eq(system(command), 0);
}

/* The reset is refused with this reason, and the guest goes on as if nothing had been. */
static void reset_refused(const char *reason)
{
	const json_int_t before = counter("exits");
	json_t *reply = NULL;
	const char *desc;

	cr_assert_eq(connection_execute(&client, "system_reset", NULL, &reply), 0);
	desc = json_string_value(json_object_get(json_object_get(reply, "error"), "desc"));
	cr_expect(desc && strstr(desc, reason) && strstr(desc, "the guest goes on"), "%s", desc);
	json_decref(reply);
	while (counter("exits") == before)
		usleep(100);
}

/* An image that is gone, or that is none any more, is found before the guest is given up for it. */
static void reset_checks_the_image(const char *mode)
{
	static const char words[] = "ticking\n";

	snprintf(image, sizeof(image), "%s/image", dir);
	put_image(guest_path("ticks"));
	run_start(&run,
	          (const char *const[]){"run", "--paging", mode, "--timeout", "100", "--control", path, image, NULL});
	run_until(&run, words);
	cr_assert_eq(connection_open(&client, path, ANSWER_MS), 0);
	put_image(NULL);
	reset_refused("No such file");
	put_image("/proc/self/cmdline");
	reset_refused("Exec format error");
	put_image("/dev/null");
	reset_refused("Exec format error");
	put_image(guest_path("ticks"));
	cr_assert_eq(truncate(image, 4096), 0);
	reset_refused("Exec format error");
	put_image(NULL);
	cr_assert_eq(mkdir(image, 0700), 0);
	reset_refused("Exec format error");
	cr_assert_eq(times(words), 1u);
	put_image(guest_path("ticks"));
	tell("system_reset");
	await(words, 2);
	/* A new image at the old path is the one that is loaded. */
	put_image(guest_path("exit-status-7"));
	tell("system_reset");
	connection_close(&client);
	run_finish(&run);
	cr_expect_eq(run.status, 7);
	put_image(NULL);
}

Test(control, reset_checks_the_image_nested)
{
	reset_checks_the_image(modes[0]);
}
Test(control, reset_checks_the_image_shadow)
{
	reset_checks_the_image(modes[1]);
}

/* How often a guest at work began again until it was done. The last time it did all of its work. */
static unsigned resets_at_work(const char *mode)
{
	const bool connected = start_selftest(mode, "2");
	const char *last = run.out;
	unsigned begun = 0;
	char first[256];
	json_t *reply;

	for (int i = 0; connected && i < 5; i++) {
		usleep(20000 * i);
		if (connection_execute(&client, "system_reset", NULL, &reply) < 0)
			break; /* it is done */
		json_decref(reply);
	}
	if (connected)
		connection_close(&client);
	run_finish(&run);
	expect_status(&run, 0);
	snprintf(first, sizeof(first), "%.*s\n", (int)strcspn(run.out, "\n"), run.out);
	for (const char *p = run.out; (p = strstr(p, first)); p++, begun++)
		last = p;
	cr_assert(strstr(last, "\nok smp-every-cpu-maps\n"), "%s: %.3000s", mode, run.out);
	return begun - 1;
}

/* A guest kernel that was reset in the middle of its work does all of it once more, and finds nothing of the old one. */
static void work_begins_again(const char *mode)
{
	struct limit limit = {0};

	for (unsigned resets = 0; resets < 5; resets += resets_at_work(mode))
		cr_assert_not(limit_over(&limit), "%s: reset %u times only", mode, resets);
}

Test(control, work_begins_again_nested)
{
	work_begins_again(modes[0]);
}
Test(control, work_begins_again_shadow)
{
	work_begins_again(modes[1]);
}
