/* SPDX-License-Identifier: MIT */
#include "bench/workload/turn.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* What became of the child, `r` being what child_exec() gave. */
static int ended(const struct turn *turn, int r, bench_reason *ret_reason)
{
	if (r == -EINTR || (r == -ETIMEDOUT && turn->cut_short))
		return r;
	if (r < 0 || !child_succeeded(turn->child))
		child_reason(r, turn->child, *ret_reason, sizeof(*ret_reason));
	return 0;
}

int turn_exec(const struct turn *turn, const char *const *argv, bench_reason *ret_reason)
{
	return ended(turn, child_exec(argv, &turn->limits, turn->child), ret_reason);
}

int turn_call(const struct turn *turn, int (*run)(const void *arg), const void *arg, bench_reason *ret_reason)
{
	return ended(turn, child_call(run, arg, &turn->limits, turn->child), ret_reason);
}

void reason_set(bench_reason *ret_reason, const char *text)
{
	snprintf(*ret_reason, sizeof(*ret_reason), "%s", text);
}

void reason_without_kvm(bench_reason *ret_reason, const struct host_info *host)
{
	if (host->kvm != HOST_KVM_OK)
		snprintf(*ret_reason, sizeof(*ret_reason), "%s: %s", host->kvm_path,
		         host->kvm_error ? strerror(host->kvm_error) : "not KVM");
}

void reason_without_memory(bench_reason *ret_reason, const struct host_info *host, uint64_t bytes)
{
	if (!**ret_reason && host->memory_available && bytes > host->memory_available)
		snprintf(*ret_reason, sizeof(*ret_reason), "it takes %llu MiB of memory, and %s has %llu MiB free",
		         (unsigned long long)(bytes >> 20), host->memory_limited ? "this cgroup" : "the host",
		         (unsigned long long)(host->memory_available >> 20));
}

void turn_set_noise(struct report *t, const struct stats_summary *summary, size_t disturbed, double stolen)
{
	const char *noise = stats_noise(summary, disturbed, stolen);

	if (noise)
		report_set_text(t, "noise", noise);
	else
		report_set_na(t, "noise", "too few rounds to tell");
}

int series_pair(int n, double **ret_a, double **ret_b)
{
	double *pair = calloc(2 * (size_t)n + 1, sizeof(*pair)); /* one more: no rounds are no error */

	if (!pair)
		return -ENOMEM;
	*ret_a = pair;
	*ret_b = pair + n;
	return 0;
}

void series_scale(double *a, double *b, int n, double by)
{
	for (int i = 0; i < n; i++) {
		a[i] *= by;
		b[i] *= by;
	}
}
