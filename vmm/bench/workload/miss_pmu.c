/* SPDX-License-Identifier: MIT */
#include "bench/workload/miss_pmu.h"

#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

int miss_pmu_open(uint32_t type, uint64_t config)
{
	struct perf_event_attr attr = {
	    .type = type,
	    .size = sizeof(attr),
	    .config = config,
	    .pinned = 1, /* always counted, or never: no value is made up for the time in between */
	    .exclude_kernel = 1,
	    .exclude_hv = 1,
	};
	const int fd = syscall(SYS_perf_event_open, &attr, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

int miss_pmu_read(int fd, uint64_t *ret_count)
{
	ssize_t n;

	if (fd < 0)
		return -EBADF;
	n = read(fd, ret_count, sizeof(*ret_count));
	return n == sizeof(*ret_count) ? 0 : n < 0 ? -errno : -EBUSY;
}
