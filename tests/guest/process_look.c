/* SPDX-License-Identifier: MIT */
#include "process_look.h"

#include <criterion/criterion.h>
#include <glob.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "run_gnomon.h"

#define LOOKS   30 /* in a row */
#define LOOK_US 10000

/* Of its status, the mask of signals behind `name`. */
static uint64_t mask_in(const char *status, const char *name)
{
	const char *line = strstr(status, name);
	unsigned long long mask = 0;

	return line && sscanf(line + strlen(name), "%llx", &mask) == 1 ? mask : 0;
}

static bool heeds(pid_t process, int signal)
{
	char path[64], text[4096] = "";
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)process);
	f = fopen(path, "re");
	if (!f)
		return false;
	text[fread(text, 1, sizeof(text) - 1, f)] = 0;
	fclose(f);
	return strncmp(text, "Name:\tgnomon\n", 13) == 0 &&
	       (mask_in(text, "\nSigBlk:") | mask_in(text, "\nSigCgt:")) >> (signal - 1) & 1;
}

void await_heed(pid_t process, int signal)
{
	for (struct limit limit = {0}; !heeds(process, signal); usleep(LOOK_US / 10))
		cr_assert_not(limit_over(&limit), "signal %d would end it", signal);
}

static bool is_alone_and_sleeps(pid_t process)
{
	bool sleeps = false, alone = true;
	glob_t all;

	cr_assert_eq(glob("/proc/[0-9]*/stat", 0, NULL, &all), 0);
	for (size_t i = 0; i < all.gl_pathc; i++) {
		FILE *f = fopen(all.gl_pathv[i], "re");
		char state, name[64];
		int pid, parent;

		if (f && fscanf(f, "%d (%63[^)]) %c %d", &pid, name, &state, &parent) == 4) {
			sleeps |= pid == process && state == 'S' && strcmp(name, "gnomon") == 0;
			alone &= parent != process;
		}
		if (f)
			fclose(f);
	}
	globfree(&all);
	return alone && sleeps;
}

void await_sleep(pid_t process)
{
	struct limit limit = {0};

	for (int in_row = 0; in_row < LOOKS; usleep(LOOK_US)) {
		in_row = is_alone_and_sleeps(process) ? in_row + 1 : 0;
		cr_assert_not(limit_over(&limit), "it waits for nobody");
	}
}

static double cpu_time_ms(pid_t process)
{
	unsigned long user = 0, system = 0;
	char path[64];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)process);
	f = fopen(path, "re");
	if (f && fscanf(f, "%*d (%*[^)]) %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system) != 2)
		user = system = 0;
	if (f)
		fclose(f);
	return 1e3 * (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
}

void await_cpu_time(pid_t process, int ms)
{
	for (struct limit limit = {0}; cpu_time_ms(process) < ms; usleep(LOOK_US))
		cr_assert_not(limit_over(&limit), "it does not work");
}
