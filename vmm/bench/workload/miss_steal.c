/* SPDX-License-Identifier: MIT */
#include "bench/workload/miss_steal.h"

#include <ctype.h>
#include <math.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

#define LINE 512

double miss_steal_read(FILE *stat, int cpu, long ticks)
{
	unsigned long long steal;
	char line[LINE];
	int number;

	/* "cpu3 user nice system idle iowait irq softirq steal ...". Such lines come first, that of all CPUs before them. */
	while (fgets(line, sizeof(line), stat) && strncmp(line, "cpu", 3) == 0)
		if (isdigit((unsigned char)line[3]) &&
		    sscanf(line, "cpu%d %*u %*u %*u %*u %*u %*u %*u %llu", &number, &steal) == 2 && number == cpu)
			return (double)steal / ticks;
	return NAN;
}

double miss_steal(void)
{
	FILE *stat = fopen("/proc/stat", "re");
	const double seconds = stat ? miss_steal_read(stat, sched_getcpu(), sysconf(_SC_CLK_TCK)) : NAN;

	if (stat)
		(void)fclose(stat);
	return seconds;
}
