/* SPDX-License-Identifier: MIT */
/*
 * The monitor as the VMM sees it: it alone has the enclaves' memory. It is a process of its own, forked before any
 * guest code runs; or, to price the wall between the two, the same code called in the VMM's process.
 *
 *   vCPU's thread                     shared memory                monitor's thread of the slot
 *   monitor_call: request  --------->  slot[cpu]  --------------->  monitor_serve: copy, check, do
 *                 reply    <---------             <---------------  reply
 *   any thread: monitor_kick  ------>  kick, and a signal ------->  the enclave that runs is interrupted
 *
 * Threads: one call at a time per slot, from any thread. Locks: none of the VMM's is needed.
 */
#ifndef GNOMON_MONITOR_MONITOR_H
#define GNOMON_MONITOR_MONITOR_H

#include <stdbool.h>

#include "base/log.h"
#include "monitor/abi.h"

struct monitor;

enum monitor_kind { MONITOR_PROCESS, MONITOR_THREAD };

struct monitor_config {
	enum monitor_kind kind;
	uint64_t memory; /* bytes for enclaves, with their tables; whole pages */
	int levels;      /* of the third stage: 1, 2 or 4 */
	int slots;       /* one for each vCPU, and one for the VMM's other threads */
	bool wall;       /* of a process: the caller gives up its ways into it (monitor/sandbox.h) */
	int reset_ms;    /* a RESET is given up after so many milliseconds; 0: never */
	/* The monitor that served ended by itself, `status` as waitid() tells it. From a thread of the monitor's. */
	void (*on_death)(void *ctx, int status);
	/* The run has ended: who waits for the monitor does so for two seconds more. NULL: it never does. Any thread. */
	bool (*ended)(void *ctx);
	void *ctx;
};

/* Before the first thread of the process is made. NULL, logged. monitor_stop() undoes it. */
struct monitor *monitor_start(const struct monitor_config *config);

/* Ends it: the process is gone when this returns, and all enclaves with it. No call is under way. NULL is fine. */
void monitor_stop(struct monitor *m);

/* The request of the slot, the caller's own until monitor_call() hands out a copy; the monitor does not see it. */
struct monitor_request *monitor_request(struct monitor *m, int slot);
/* The pages of an ADD, shared with the monitor. No call of the slot was given up. */
void *monitor_content(struct monitor *m, int slot);

/*
 * Has the monitor do what the slot's request says. Its reply is copied, but not believed: the caller checks what it
 * uses. -EPIPE: there is no monitor any more; -EIO: it cannot go on; -ETIMEDOUT: it does not answer. MONITOR_QUERY waits
 * two seconds, MONITOR_RESET as long as `reset_ms` says, all others as long as the monitor lives; but each only two
 * seconds from when the run has ended. Time in which the caller's process is stopped does not count.
 *
 * A call that was given up is answered some time. The slot's next call waits for that first, within the same time, and
 * leaves nothing in the slot if it does not come: the monitor does not do what it says.
 */
int must_check monitor_call(struct monitor *m, int slot, struct monitor_reply *ret_reply);

/* The enclave that the slot runs, or is about to, is interrupted. Any thread. */
void monitor_kick(struct monitor *m, int slot);
/* Forgets kicks. Before the request, and before the last look at what they are for. */
void monitor_ready(struct monitor *m, int slot);

/* The marshalling buffers of all enclaves: enclave n's at n * GNOMON_ENCLAVE_BUFFER_MAX. */
uint8_t *monitor_buffers(struct monitor *m);

/* Of the same memory, the monitor's own: to show a part of it to the guest. */
int monitor_buffers_fd(const struct monitor *m);
/* Zeroes enclave `id`'s, and gives its memory back to the host. -errno. */
int must_check monitor_clear_buffer(struct monitor *m, unsigned id);

/* Whether its memory is locked: never swapped out. A thread's never is. */
bool monitor_is_locked(const struct monitor *m);

/* The public key of its reports. */
const uint8_t *monitor_public_key(const struct monitor *m);

#endif
