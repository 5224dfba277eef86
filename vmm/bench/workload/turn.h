/* SPDX-License-Identifier: MIT */
/* What the turns of all workloads have in common: a child and its end, series of samples. */
#ifndef GNOMON_BENCH_WORKLOAD_TURN_H
#define GNOMON_BENCH_WORKLOAD_TURN_H

#include "bench/stats.h"
#include "bench/workload/workload.h"

/*
 * Runs a program to its end, or a function in a forked child. 0 when it succeeded, with its output in turn->child, and
 * 0 when it failed: then *ret_reason says why, and is not empty. -EINTR; -ETIMEDOUT when the turn was cut short.
 */
int must_check turn_exec(const struct turn *turn, const char *const *argv, bench_reason *ret_reason);
int must_check turn_call(const struct turn *turn, int (*run)(const void *arg), const void *arg,
                         bench_reason *ret_reason);

/* Leaves a reason. */
void reason_set(bench_reason *ret_reason, const char *text);

/* Leaves the reason why no guest runs here, if there is one: there is no KVM. */
void reason_without_kvm(bench_reason *ret_reason, const struct host_info *host);

/* Unless there is a reason already: the host, or this process's cgroup, has not so many bytes. */
void reason_without_memory(bench_reason *ret_reason, const struct host_info *host, uint64_t bytes);

/* Column "noise" of a row, by stats_noise(). */
void turn_set_noise(struct report *table, const struct stats_summary *summary, size_t disturbed, double stolen);

/* Two arrays of n zeroes in one block, which is *ret_a. -ENOMEM. */
int must_check series_pair(int n, double **ret_a, double **ret_b);

/* Multiplies n samples of each: of a run that was interrupted there are fewer than the pair has room for. */
void series_scale(double *a, double *b, int n, double by);

#endif
