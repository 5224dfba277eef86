/* SPDX-License-Identifier: MIT */
/* A running guest's fingerprint, asked for at its control socket: for `gnomon fingerprint` and `gnomon diff`. */
#ifndef GNOMON_CLIENT_FINGERPRINT_H
#define GNOMON_CLIENT_FINGERPRINT_H

#include "base/hex.h"
#include "client/connection.h"
#include "share/digest.h"

struct fingerprint_client {
	struct connection c;
	const char *algorithm;
	bool stop;                     /* the guest stands still at last: exact */
	char key[HEX_TEXT(SHARE_KEY)]; /* empty: the VM's own */
	/* As of the last update */
	uint64_t version;
	uint64_t pages; /* to the end of guest memory */
	uint64_t requests;
};

/* Sets the algorithm by its name, which lives as long as the client. -EINVAL, logged. */
int must_check fingerprint_client_algorithm(struct fingerprint_client *f, const char *name);

/*
 * Has the server bring the fingerprint up to date, however many commands that takes. The reply is a new reference, and
 * `key` is the one that it was made with. -errno, logged.
 */
int must_check fingerprint_client_update(struct fingerprint_client *f, json_t **ret_reply);

/*
 * Gives `count` hashes of a level of that version: a descent_side's function (share/descent.h) with the client as `ctx`.
 * -ESTALE, not logged: somebody brought the fingerprint up to date meanwhile, and it changed. Else -errno, logged.
 */
int must_check fingerprint_client_hashes(void *ctx, int level, uint64_t first, unsigned count,
                                         struct share_digest *ret_hashes);

/*
 * After -ESTALE, before the next try: waits, for a random time that grows, so that of several clients that undo each
 * other's work one gets through. False, logged: enough was tried.
 */
bool must_check fingerprint_client_stand_back(const char *command, unsigned *tries);

#endif
