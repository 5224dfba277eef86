/* SPDX-License-Identifier: MIT */
/* All of a machine but its memory: what a snapshot's part `state` holds, in this order, each part behind its mark. */
#ifndef GNOMON_SNAPSHOT_STATE_H
#define GNOMON_SNAPSHOT_STATE_H

#include "cpu/saved.h"
#include "dev/serial.h"
#include "snapshot/format.h"
#include "virtio/saved.h"

struct snapshot_state {
	uint64_t image, image_end; /* where the guest's image lies: not for the balloon */
	uint32_t changes;          /* of the paging mode, while it ran */
	uint64_t since_ms, change_us;
	struct serial_saved serial;
	struct balloon_saved balloon;
	uint32_t nr_cpus;
	struct cpu_saved *cpu;
};

/* Gives the bytes, the caller's to free. -ENOMEM. */
int must_check snapshot_state_write(const struct snapshot_state *state, uint8_t **ret_bytes, size_t *ret_size);

/*
 * Reads the bytes of a machine of this shape, and checks each CPU (cpu/saved.h). The devices check theirs when they take
 * it. -EBADMSG with a clause, -ENOMEM. snapshot_state_free() releases it.
 */
int must_check snapshot_state_read(uint8_t *bytes, size_t size, const struct snapshot_shape *shape,
                                   struct snapshot_state *ret_state, char *ret_why);
void snapshot_state_free(struct snapshot_state *state);

#endif
