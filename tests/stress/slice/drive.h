/* SPDX-License-Identifier: MIT */
/* The harness: a gnomon with the guest of slice.h, its memory seen from outside, and its control socket. */
#ifndef TESTS_STRESS_SLICE_DRIVE_H
#define TESTS_STRESS_SLICE_DRIVE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "client/connection.h"
#include "slice.h"

#define PATIENCE_S 3000 /* without progress: protection against hangs, no statement about speed */
#define OUTPUT     8192
#define OPTIONS    8

struct job {
	const char *gnomon, *guest, *paging;
	const char *options[OPTIONS]; /* of gnomon run; ended by NULL */
	unsigned cpus;
	uint64_t accesses;
	unsigned rounds, probes;
};

struct target {
	pid_t pid;
	int out_fd, err_fd, mem_fd, pagemap_fd;
	uint64_t host; /* where guest physical 0 is in its address space */
	char dir[32], path[48];
	struct connection c;
};

/* What query-stats says of the VM. */
struct reclaim_counts {
	uint64_t splits, kept, removed, released, collapses, shootdowns, acks, surrendered, violations;
};

/* Says what and ends the harness with status 1; the target, if any, ends as well. */
void fail(const char *fmt, ...) __attribute__((noreturn, format(printf, 1, 2)));

/* Starts it and waits until the guest is ready. */
void target_start(struct target *t, const struct job *job);

/* Waits until it ended; its stderr, ended by NUL, goes to `err`. Exit status, or 128 + signal. */
int target_end(struct target *t, char err[OUTPUT]);

/* `reclaim` and `release` are about the slice, a mode's name sets it, others take nothing. False: the run has ended. */
bool target_command(struct target *t, const char *command);
struct reclaim_counts target_counts(struct target *t);

/* Its guest's memory at this guest physical address. False: it has ended. */
bool target_read(const struct target *t, uint64_t gpa, void *to, size_t len);
void target_write(const struct target *t, uint64_t gpa, const void *from, size_t len);

/* One word of the mailbox. */
#define MAILBOX(member) (SLICE_MAILBOX + __builtin_offsetof(struct slice_mailbox, member))
uint64_t target_word(const struct target *t, uint64_t gpa);
void target_set(const struct target *t, uint64_t gpa, uint64_t value);

/* How many pages of the slice the host has memory for, in RAM or swapped out. -1: the target has ended. */
int target_populated(const struct target *t);

/* Until *word >= value; false after PATIENCE_S. */
bool target_wait(const struct target *t, uint64_t gpa, uint64_t value);

/* A new VM whose vCPU 0 reaches for the slice when it goes. Accesses begun after the answer was read: 0 or more. */
struct probe_result {
	uint64_t landed; /* accesses that were begun after the answer and came back */
	uint64_t before; /* that came back in all */
	bool looked;     /* the VMM was still there to look into */
};
struct probe_result probe_run(const struct job *job);

double now_us(void);

#endif
