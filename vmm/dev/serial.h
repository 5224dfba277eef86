/* SPDX-License-Identifier: MIT */
/*
 * The console: an ns16550a (National Semiconductor PC16550D data sheet, section 8)
 * whose transmitter never blocks and whose receiver is never ready.
 */
#ifndef GNOMON_DEV_SERIAL_H
#define GNOMON_DEV_SERIAL_H

#include <pthread.h>

#include "base/counter.h"
#include "dev/bus.h"

struct serial {
	struct bus_device bus;
	int out_fd, end_fd;
	pthread_mutex_t lock; /* what follows, and the order of output */
	int error;            /* errno of a write that failed, the last one; 0: nothing was lost */
	uint8_t ier, lcr, mcr, scr;
	uint16_t divisor;
	struct counters *counters; /* CTR_CONSOLE_BYTES */
};

/*
 * Answers at GNOMON_PORT_SERIAL once attached to a port bus; writes to `out_fd`. Once `end_fd` is readable, output
 * that would block is lost instead of waited for; -1: never. Both and `counters`, in which CTR_CONSOLE_BYTES is written
 * here alone, stay the caller's. What cannot be written is lost, logged once and noted in `error`.
 */
void serial_init(struct serial *s, int out_fd, int end_fd, struct counters *counters);

/* Its registers, for a snapshot. */
struct serial_saved {
	uint8_t ier, lcr, mcr, scr;
	uint16_t divisor;
};
void serial_save(struct serial *s, struct serial_saved *ret_saved);
/* Bits that no register has are dropped. */
void serial_restore(struct serial *s, const struct serial_saved *saved);

#endif
