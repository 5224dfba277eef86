/* SPDX-License-Identifier: MIT */
#include "enclave_run.h"

#include <stdio.h>
#include <stdlib.h>

void start_enclaves(const char *mode, const char *cpus, const char *word, const char *until)
{
	run_start(&r, (const char *const[]){"run", "--paging", mode, "--cpus", cpus, "--memory", "64M",
	                                    "--enclave-memory", "1M", "--audit", "--timeout", "100", "--control", path,
	                                    guest_path("../enclave/enclave-attacks"), "--", word, NULL});
	run_until(&r, until);
}

pid_t monitor_of(const struct run *run)
{
	char name[64], line[64] = "";
	FILE *f;

	snprintf(name, sizeof(name), "/proc/%d/task/%d/children", (int)run->pid, (int)run->pid);
	f = fopen(name, "r");
	if (!f || !fgets(line, sizeof(line), f))
		line[0] = 0;
	if (f)
		fclose(f);
	return atoi(line);
}

bool is_filtered(pid_t pid)
{
	char name[64], line[256];
	int kind = 0;
	FILE *f;

	snprintf(name, sizeof(name), "/proc/%d/status", (int)pid);
	f = fopen(name, "r");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "Seccomp: %d", &kind) == 1)
			break;
	if (f)
		fclose(f);
	return kind == 2;
}
