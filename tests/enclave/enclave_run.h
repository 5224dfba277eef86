/* SPDX-License-Identifier: MIT */
/* A run with enclaves and a control socket (slice_run.h), and its monitor. */
#ifndef TESTS_ENCLAVE_ENCLAVE_RUN_H
#define TESTS_ENCLAVE_ENCLAVE_RUN_H

#include <stdbool.h>
#include <sys/types.h>

#include "slice_run.h"

/* The attack `word` with 64 MiB, until it has said `until`. */
void start_enclaves(const char *mode, const char *cpus, const char *word, const char *until);

/* The pid of the run's one child; 0: it has none. */
pid_t monitor_of(const struct run *run);

/* Whether a seccomp filter is in force. */
bool is_filtered(pid_t pid);

#endif
