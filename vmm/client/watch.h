/* SPDX-License-Identifier: MIT */
/* A running guest's numbers, asked for at its control socket: for `gnomon balloon` and `gnomon top`. */
#ifndef GNOMON_CLIENT_WATCH_H
#define GNOMON_CLIENT_WATCH_H

#include <stdint.h>

#include "client/connection.h"

/*
 * Every number of one provider ("kvm", "gnomon") as an object of integers; the vCPUs' are added up unless `target`
 * is "vm". A new reference. -errno, logged.
 */
int must_check watch_stats(struct connection *c, const char *target, const char *provider, json_t **ret_stats);

/* One number of the VM's own. -errno, logged. */
int must_check watch_number(struct connection *c, const char *name, uint64_t *ret_value);

#endif
