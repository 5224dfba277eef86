/* SPDX-License-Identifier: MIT */
#include "snapshot_run.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <glob.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

struct run tool;
char file[128], kernel[256];

void prepare(void)
{
	snprintf(file, sizeof(file), "%s/snapshot", dir);
	snprintf(kernel, sizeof(kernel), "%s", build_path("guest/kernel.elf"));
}

void restore(const char *mode)
{
	run_start(&run, (const char *const[]){"run", "--paging", mode, "--audit", "--timeout", "100", "--control", path,
	                                      "--restore", file, NULL});
	for (struct limit limit = {0}; access(path, F_OK) < 0 || connection_open(&client, path, ANSWER_MS) < 0;) {
		cr_assert_not(limit_over(&limit), "no socket");
		usleep(1000);
	}
}

void save(void)
{
	run_gnomon(&tool, "snapshot", "save", path, file);
	expect_status(&tool, 0);
	cr_assert(strstr(tool.out, "\npause "), "%s", tool.out);
}

void take_what_is_there(void)
{
	int waiting;

	while (ioctl(run.out_fd, FIONREAD, &waiting) == 0 && waiting > 0 && run.out_len < RUN_OUTPUT - 1) {
		run.out_len += (size_t)read(run.out_fd, run.out + run.out_len, RUN_OUTPUT - 1 - run.out_len);
		run.out[run.out_len] = 0;
	}
}

/* True when that was before its last line. */
static bool try_to_save_at_work(const char *mode, const char *cpus, const char *to, bool packed)
{
	static const char last[] = "ok smp-every-cpu-maps";
	const bool connected = start_selftest(mode, cpus);
	bool in_time = false;
	json_t *reply;

	if (connected && connection_execute(&client, "snapshot-save",
	                                    json_pack("{s:s, s:b}", "file", to, "compress", packed), &reply) == 0) {
		in_time = json_object_get(reply, "return") != NULL;
		json_decref(reply);
		take_what_is_there();
		in_time &= !strstr(run.out, last);
	}
	if (connected)
		connection_close(&client);
	run_finish(&run); /* which waits for the file */
	expect_status(&run, 0);
	cr_expect(strstr(run.out, last), "%s", run.out);
	return in_time;
}

void save_at_work(const char *mode, const char *cpus, const char *to, bool packed)
{
	struct limit limit = {0};

	while (!try_to_save_at_work(mode, cpus, to, packed))
		cr_assert_not(limit_over(&limit), "the guest is always done before");
}

void expect_good(void)
{
	run_gnomon(&tool, "snapshot", "verify", file);
	expect_status(&tool, 0);
	cr_expect(strstr(tool.out, "all good"), "%s", tool.out);
}

/* A child of `of` with this name; NULL: with any, but in the run's group and not the run itself. 0: there is none. */
static pid_t child(pid_t of, const char *comm)
{
	DIR *proc = opendir("/proc");
	const struct dirent *entry;
	pid_t found = 0;

	while (!found && (entry = readdir(proc))) {
		char name[300], its[32];
		int pid, parent, group;
		FILE *f;

		snprintf(name, sizeof(name), "/proc/%s/stat", entry->d_name);
		f = strtol(entry->d_name, NULL, 10) > 0 ? fopen(name, "re") : NULL;
		if (!f)
			continue;
		if (fscanf(f, "%d (%31[^)]) %*c %d %d", &pid, its, &parent, &group) == 4 && parent == of &&
		    (comm ? strcmp(its, comm) == 0 : group == run.pid && pid != run.pid))
			found = pid;
		fclose(f);
	}
	closedir(proc);
	return found;
}

/* As proc(5) has it; 0: there is no such process. */
static char state_of(pid_t pid)
{
	char name[64], state = 0;
	FILE *f;

	snprintf(name, sizeof(name), "/proc/%d/stat", (int)pid);
	f = fopen(name, "re");
	if (f && fscanf(f, "%*d (%*[^)]) %c", &state) != 1)
		state = 0;
	if (f)
		fclose(f);
	return state;
}

bool is_held(pid_t pid)
{
	char state = 0;

	if (kill(pid, SIGSTOP) < 0)
		return false;
	while ((state = state_of(pid)) && state != 'Z' && state != 'X' && state != 'T')
		usleep(100);
	return state == 'T';
}

pid_t writer(pid_t of)
{
	return child(of, "gnomon-save");
}

/* Files of such names in the directory. */
static void remove_left(const char *names)
{
	char pattern[160];
	glob_t found;

	snprintf(pattern, sizeof(pattern), "%s/%s", dir, names);
	if (glob(pattern, 0, NULL, &found) != 0)
		return;
	for (size_t i = 0; i < found.gl_pathc; i++)
		unlink(found.gl_pathv[i]);
	globfree(&found);
}

void kill_run(void)
{
	siginfo_t info;
	pid_t pid;

	connection_close(&client);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	kill(run.pid, SIGKILL);
	cr_assert_eq(waitid(P_PID, (id_t)run.pid, &info, WEXITED | WNOWAIT), 0);
	while ((pid = child(getpid(), NULL))) /* one that was just forked has no name of its own yet */
		cr_assert_eq(waitpid(pid, NULL, 0), pid);
	run_finish(&run);
	unlink(path);
	remove_left(".gnomon-*");
}

void await(const char *words, unsigned n)
{
	struct limit limit = {0};

	for (;;) {
		struct pollfd p = {.fd = run.out_fd, .events = POLLIN};
		unsigned seen = 0;

		for (const char *at = run.out; (at = strstr(at, words)); at++)
			seen++;
		if (seen >= n)
			return;
		cr_assert_not(limit_over(&limit), "%s: %.2000s", words, run.out);
		if (poll(&p, 1, 10) == 1)
			run.out_len += (size_t)read(run.out_fd, run.out + run.out_len, RUN_OUTPUT - 1 - run.out_len);
		run.out[run.out_len] = 0;
	}
}

static json_int_t balloon_has(const char *what)
{
	json_t *b = ask("query-balloon", NULL);
	const json_int_t v = json_integer_value(json_object_get(b, what));

	json_decref(b);
	return v;
}

void await_balloon(json_int_t bytes)
{
	for (struct limit limit = {0}; balloon_has("actual") != bytes;) {
		cr_assert_not(limit_over(&limit), "the guest has %lld", balloon_has("actual"));
		usleep(1000);
	}
}

void await_driver(void)
{
	bool driven = false;

	for (struct limit limit = {0}; !driven; usleep(1000)) {
		json_t *reply;

		cr_assert_not(limit_over(&limit), "no driver");
		must_work(connection_execute(&client, "query-balloon", NULL, &reply), "query-balloon");
		driven = json_object_get(reply, "return");
		json_decref(reply);
	}
}

void set_balloon(json_int_t bytes)
{
	json_decref(ask("balloon", json_pack("{s:I}", "value", bytes)));
}
