/* SPDX-License-Identifier: MIT */
/*
 * Runs the gnomon of this build as its users do: a process with arguments, two pipes and an exit status. Paths
 * are relative to the build's root, $GNOMON_BUILD_DIR or the working directory, so that the same tests run in
 * the emulated SVM machine. No run outlives its test, and one that hangs fails it.
 *
 * Limits against hangs count what the machine gives, not seconds (struct limit): a busy or emulated one is slow, and no
 * fault. A `--timeout` of half a minute or more among the arguments is such a limit, too: gnomon is not told of it.
 */
#ifndef TESTS_GUEST_RUN_GNOMON_H
#define TESTS_GUEST_RUN_GNOMON_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define RUN_OUTPUT (1 << 18) /* what is kept of each stream */
#define RUN_ARGS   32
#define NOBODY     65534

struct run {
	uid_t uid;                  /* set before the start: run as this user; 0: as we are */
	void (*surroundings)(void); /* set before the start: what the process does before it becomes gnomon; or NULL */
	pid_t pid;                  /* 0: it is finished */
	int out_fd, err_fd;
	int status;                            /* exit status, or 128 + the signal that ended it */
	char out[RUN_OUTPUT], err[RUN_OUTPUT]; /* NUL-terminated */
	size_t out_len, err_len;
};

/* How long something may take. A zeroed struct is one that begins with the first look at it. */
struct limit {
	double start; /* seconds */
	double factor;
};

/*
 * Whether it hangs: two minutes are over, or as many times more as the shortest run of all takes longer now than on a
 * machine that is not busy.
 */
bool limit_over(struct limit *limit);

/* Path of a file in the build, in a static buffer. */
const char *build_path(const char *relative);

/* Path of the guest that shows `behaviour` (tests/guest/BEHAVIOUR), in a static buffer. */
const char *guest_path(const char *behaviour);

/* Skips the test without a KVM device; with GNOMON_MUST_HAVE_KVM=1 fails it. */
void need_kvm(void);

/* There is no second stage in hardware: in nested mode KVM judges what a guest's tables allow. */
bool kvm_keeps_shadow_tables(void);

/* Starts gnomon with the arguments, the last of them NULL; takes no output yet. */
void run_start(struct run *r, const char *const *args);

/* Takes output until stdout holds `text`, be it from before; fails the test if it ends or hangs before. */
void run_until(struct run *r, const char *text);

/* Takes the output until the end, reaps, and checks that nothing is left behind. */
void run_finish(struct run *r);

/* For teardowns: kills what a test that failed did not finish. */
void run_abandon(struct run *r);

/* Start to finish. */
void run_args(struct run *r, const char *const *args);
#define run_gnomon(r, ...) run_args(r, (const char *const[]){__VA_ARGS__, NULL})

/* Ended with this status, and without a word on stderr if it is the guest's own. */
void expect_status(const struct run *r, int status);

/* Ended with this status before any guest ran: one line on stderr that holds `words`, nothing on stdout. */
void expect_refusal(const struct run *r, int status, const char *words);

/* Killed for a mistake: status 126; once the sentence with `words`, the registers and the bytes at RIP. */
void expect_killed(const struct run *r, const char *words);

#endif
