/* SPDX-License-Identifier: MIT */
/*
 * The fingerprints that clients ask a VM for, one for each algorithm and key, up to FINGERPRINTS; the one that was not
 * asked for longest makes room for another. While there are any, writes to guest memory are logged (vm/dirty.h). Nobody
 * asks for FINGERPRINT_KEEP_MS: all go, and the log ends.
 *
 *   fingerprint  begin: take the log, for all of them
 *                work, for FINGERPRINT_WORK_MS in each command: other clients' commands come in between
 *                the end of a round; with `stop` another one, until little is left, and the last with the guest paused
 *
 * Nothing belongs to a client: one that goes away leaves a round that the next who asks goes on with.
 *
 * Locks: the control server's thread alone comes here. It takes vm.reclaim_lock for FINGERPRINT_PAGES at a time.
 */
#ifndef GNOMON_MACHINE_FINGERPRINT_H
#define GNOMON_MACHINE_FINGERPRINT_H

#include <jansson.h>

#include "control/ops.h"
#include "share/fingerprint.h"
#include "vm/dirty.h"

#define FINGERPRINTS        4
#define FINGERPRINT_KEEP_MS 120000
#define FINGERPRINT_WORK_MS 100
#define FINGERPRINT_PAGES   2048 /* some 8 ms of BLAKE2b: a reclaim waits no longer */

/* One of them, with what was done since a client last had the answer that it is up to date. */
struct machine_fingerprint {
	struct fingerprint *f;
	int64_t asked_us;             /* when a client last did */
	unsigned rounds;              /* with the guest running */
	struct fingerprint_round sum; /* of these */
	int64_t us, cpu_us;           /* at work; on a CPU meanwhile */
	bool logged;                  /* the log told which pages were written; else all were taken for it */
};

struct machine_fingerprints {
	struct machine_fingerprint all[FINGERPRINTS];
	uint64_t *written; /* a map of pages to take the log in */
	struct dirty_reader log;
	uint8_t key[SHARE_KEY];
	bool has_key;
};

/* See control/ops.h. */
json_t *machine_fingerprint(void *machine, const struct control_fingerprint *which, bool stop,
                            struct control_error *err);
json_t *machine_fingerprint_hashes(void *machine, const struct control_fingerprint *which,
                                   const struct control_hashes *hashes, struct control_error *err);
int machine_idle(void *machine);

struct machine;
/* Gives all of them up. A struct that is all zero is fine, too. */
void machine_fingerprints_end(struct machine *m);

#endif
