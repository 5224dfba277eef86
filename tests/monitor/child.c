/* SPDX-License-Identifier: MIT */
#include "child.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

pid_t child_of(pid_t pid)
{
	char path[64], line[32] = "";
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)pid, (int)pid);
	f = fopen(path, "r");
	if (!f || !fgets(line, sizeof(line), f))
		line[0] = 0;
	if (f)
		fclose(f);
	return atoi(line);
}

pid_t monitor_pid(void)
{
	const pid_t pid = child_of(getpid());

	cr_assert_gt(pid, 0);
	return pid;
}

int status_of(pid_t pid, const char *name)
{
	char path[64], line[256];
	int v = -1;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	f = fopen(path, "r");
	while (f && fgets(line, sizeof(line), f))
		if (strncmp(line, name, strlen(name)) == 0 && line[strlen(name)] == ':')
			v = atoi(line + strlen(name) + 1);
	if (f)
		fclose(f);
	return v;
}
