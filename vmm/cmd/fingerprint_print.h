/* SPDX-License-Identifier: MIT */
/* What `gnomon fingerprint` prints of one round. */
#ifndef GNOMON_CMD_FINGERPRINT_PRINT_H
#define GNOMON_CMD_FINGERPRINT_PRINT_H

#include <jansson.h>

#include "base/log.h"
#include "share/digest.h"

/* The hashes of a level from address 0 on; n is 0 if none were asked for. */
struct fingerprint_level {
	int level;
	uint64_t n;
	struct share_digest *digest;
};

/*
 * `reply` is that of the command `fingerprint`, `us` what it took. Of `now` only what differs from `before` is printed, if
 * there is a `before`. -errno of the output.
 */
int must_check fingerprint_print_text(json_t *reply, int64_t us, const struct fingerprint_level *now,
                                      const struct fingerprint_level *before);
int must_check fingerprint_print_json(json_t *reply, int64_t us, const struct fingerprint_level *now,
                                      const struct fingerprint_level *before);

#endif
