/* SPDX-License-Identifier: MIT */
/*
 * Traditional memory balloon (virtio 1.2, section 5.5): the guest gives pages to it, by number, and takes them back.
 *
 *   control thread         vCPU (MMIO)                 worker                      ops
 *   balloon_set_target --> interrupt
 *                          notify inflate --> kick --> PFNs: copy, sort, check
 *                                                      runs                    --> reclaim, many at once
 *                                                      used + interrupt
 *                          config.actual  --> listener
 *
 * The worker checks a request as a whole before it does anything. It sets NEEDS_RESET and changes nothing if a PFN lies
 * outside memory, stands twice in the request, is in the balloon already (or, on the way back, is not in it), or if ops
 * refuse it. MUST_TELL_HOST is required: a driver that would take pages back without telling gets no FEATURES_OK. A
 * reset gives every page back.
 *
 * The worker holds no lock while it calls ops. So ops may wait for vCPUs, and may take the locks that vCPUs hold when
 * they come here.
 */
#ifndef GNOMON_VIRTIO_BALLOON_H
#define GNOMON_VIRTIO_BALLOON_H

#include <stdatomic.h>

#include "base/counter.h"
#include "virtio/mmio.h"
#include "virtio/worker.h"

#define BALLOON_RAM_RANGES 2
#define BALLOON_PFNS_MAX   16384 /* in one request */
#define BALLOON_RUNS_MAX   1024  /* handed to ops at once */
#define BALLOON_STATS_MAX  32    /* entries in one statistics buffer: the specification knows 10 */

/* The guest may take pages back when it runs out of memory; it may name free pages whose content can go. */
#define BALLOON_OPTIONAL (VIRTIO_BALLOON_F_DEFLATE_ON_OOM | VIRTIO_BALLOON_F_REPORTING)

/* Consecutive pages. */
struct balloon_run {
	uint32_t pfn, pages;
};

/*
 * What the device does with memory. Ranges are whole 4 KiB pages of RAM, as long as the guest's request allows. The
 * worker's thread calls these functions, one at a time, with no lock held.
 */
struct balloon_ops {
	/* Why this range cannot be given away, as a clause ("lies in ..."); NULL: it can. */
	const char *(*refusal)(void *ctx, gpa_t at, uint64_t size);
	/*
	 * Takes these runs from the guest: on return it cannot reach them, and the host has their memory back. They
	 * ascend, with a page between any two, and are at most BALLOON_RUNS_MAX. -errno: the guest may have lost some
	 * until the machine is reset.
	 */
	int (*reclaim)(void *ctx, const struct balloon_run *run, unsigned n);
	/* Gives such runs back to the guest, zeroed. -errno: only the first *ret_done of them. */
	int (*release)(void *ctx, const struct balloon_run *run, unsigned n, unsigned *ret_done);
	/* Drops the content of free pages that the guest reported; they stay usable. -errno: nothing changed. */
	int (*discard)(void *ctx, gpa_t at, uint64_t size);
};

/*
 * The driver has finished a change: `ballooned` bytes are in the balloon. Lock held: do not wait or call balloon_*().
 */
typedef void (*balloon_changed_fn)(void *ctx, uint64_t ballooned);

struct balloon_config {
	struct {
		gpa_t base;
		uint64_t size; /* bytes, a multiple of 4 KiB */
	} ram[BALLOON_RAM_RANGES];
	uint64_t features; /* offered beside MUST_TELL_HOST and STATS_VQ: of BALLOON_OPTIONAL */
	uint64_t target;   /* bytes wanted from the start */
	struct virtq_mem mem;
	void (*interrupt)(void *ctx); /* must not wait */
	void *interrupt_ctx;
	const struct balloon_ops *ops;
	void *ops_ctx;
	struct counters *counters; /* in which CTR_BALLOON_* are written by the worker alone */
};

struct balloon_stats {
	uint64_t seq;                        /* how many reports there were; 0: none yet */
	uint32_t valid;                      /* bit n: value[n] was in the last one */
	uint64_t value[VIRTIO_BALLOON_S_NR]; /* by tag, bytes or events */
};

struct balloon_status {
	uint64_t ram, target, ballooned; /* bytes */
	uint64_t claimed;                /* bytes the driver says it gave: a guest that lies shows here */
	bool driver;                     /* a driver serves it */
	const char *failure;             /* why the device waits for a reset; NULL: it does not */
};

struct balloon {
	struct virtio_mmio transport; /* its lock guards what stands in the second part */
	struct worker worker;
	struct balloon_config config;
	uint64_t ram_pages;

	uint64_t target_pages;
	uint32_t claimed_pages;
	bool away; /* the worker is with ops */
	bool busy; /* the worker is at a request, and may have let go of the lock */
	balloon_changed_fn changed;
	void *changed_ctx;
	bool stats_wanted, stats_taken; /* asked for; a buffer of the driver's is here */
	uint16_t stats_head;
	unsigned stats_epoch;
	struct balloon_stats stats;

	/* The worker's alone; the sum is read by anybody. */
	uint64_t *in_balloon_map; /* a bit per page of RAM */
	uint32_t *pfns;           /* of the request in work, sorted */
	_Atomic uint64_t ballooned_pages;
};

/* Copies `config`. -ENOMEM. The device answers once something routes MMIO to virtio_mmio_access(&b->transport). */
int must_check balloon_init(struct balloon *b, const struct balloon_config *config);

/* Ends the worker, which then calls ops no more. While this runs, vCPUs must still be able to leave the guest. */
void balloon_stop(struct balloon *b);

/* Call it after balloon_stop(), when no vCPU runs. */
void balloon_destroy(struct balloon *b);

/*
 * Sets how much memory the guest shall give up, in bytes. -EINVAL: not whole 4 KiB pages; -ERANGE: more than its
 * memory. Without a driver nobody acts on it: see balloon_status.driver. Any thread.
 */
int must_check balloon_set_target(struct balloon *b, uint64_t bytes);

/*
 * Sets who is told of changes; NULL: nobody. When this returns, nobody is telling the previous one any more. Any
 * thread.
 */
void balloon_set_listener(struct balloon *b, balloon_changed_fn changed, void *ctx);

/* Any thread. */
void balloon_get_status(struct balloon *b, struct balloon_status *ret_status);

/* Gives the last report. Any thread. */
void balloon_get_stats(struct balloon *b, struct balloon_stats *ret_stats);

/*
 * Requests a report, which comes when the driver gets to it. Returns the number (seq) of the first one that the driver
 * makes from now on: the next one may be the answer to an earlier request. UINT64_MAX: no driver. Any thread.
 */
uint64_t balloon_request_stats(struct balloon *b);

/*
 * Does one step of the worker's. True: there may be more to do. For tests, which stop the worker and step themselves.
 */
bool balloon_serve(struct balloon *b);

#endif
