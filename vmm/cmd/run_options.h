/* SPDX-License-Identifier: MIT */
/* What `gnomon run` was asked for. */
#ifndef GNOMON_CMD_RUN_OPTIONS_H
#define GNOMON_CMD_RUN_OPTIONS_H

#include <limits.h>

#include "platform/enclave.h"
#include "snapshot/reader.h"
#include "vm/vm.h"

struct run_options {
	struct vm_config vm;
	char image[PATH_MAX]; /* or the snapshot's path */
	bool restore;         /* from `snapshot`, which is open, the caller's to close */
	bool lazy;            /* maps it, and checks it while the guest runs */
	struct snapshot snapshot;
	const char *stats;
	const char *control; /* path of the control socket; NULL: none */
	bool share;          /* memory, also with guests of other users */
	long timeout;        /* seconds; 0: none */
	char *bootargs;
	uint64_t balloon; /* optional features that it offers */
	bool paging_auto, dry_run;
	struct platform_enclaves_config enclaves;
	const char *enclave_key; /* file for the public key of reports; NULL: none */
};

/* 0: run, and `bootargs` is the caller's to free; 1: help or a list was shown; -EINVAL: logged. */
int must_check run_options_parse(int argc, char **argv, struct run_options *ret_options);

/* cmd/run_settle.c: what is asked for goes together, and what was left open is filled in; or -EINVAL, logged. */
int must_check run_options_settle(struct run_options *o);

#endif
