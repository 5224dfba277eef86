/* SPDX-License-Identifier: MIT */
/*
 * What the control server asks of the VM that it controls. The server knows nothing else of the VM, so unit tests pass
 * in one made of a few variables. The server's thread calls all of them, one at a time. None may wait for a client or,
 * beyond a bound, for the guest. Those that return int return 0, or -errno with *err filled in.
 */
#ifndef GNOMON_CONTROL_OPS_H
#define GNOMON_CONTROL_OPS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/log.h"
#include "control/error.h"
#include "share/merge_sum.h"

/* Who counts what: QEMU's "target" and "provider" of query-stats. */
enum stats_target { STATS_VM, STATS_VCPU, STATS_TARGETS };
enum stats_provider { STATS_KVM, STATS_GNOMON, STATS_PROVIDERS };

struct control_stat {
	const char *name;   /* lives for the call only */
	const char *type;   /* QEMU's StatsType: "cumulative", "instant" or "peak" */
	const char *unit;   /* QEMU's StatsUnit, or NULL for a plain number */
	int base, exponent; /* the value is in units of base ^ exponent; exponent 0: in units */
	const char *what;   /* one sentence */
	uint64_t value;
};

typedef void (*control_stat_fn)(void *arg, const struct control_stat *stat);

struct control_balloon {
	uint64_t actual; /* bytes of RAM that the guest has now */
	uint64_t target; /* bytes it is asked to have */
};

/* What `walk` is asked. */
struct control_walk {
	const char *address;   /* text: 64 bits do not fit into every client's numbers */
	const char *access;    /* "r", "w" or "x" */
	const char *privilege; /* "user", "supervisor"; NULL: as the vCPU runs now */
	int64_t cpu;
};

/* What `query-tables` is asked. */
struct control_tables {
	const char *stage;   /* "guest", "stage2", "shadow" or "enclave" */
	const char *address; /* only what leads there; NULL: everything */
	int64_t cpu;         /* -1: of all vCPUs, each tree once */
};

/* A fingerprint of guest memory (share/digest.h); a VM has one for each algorithm and key that somebody asks with. */
struct control_fingerprint {
	const char *algorithm; /* one of SHARE_ALGORITHM_NAMES */
	const char *key;       /* hex digits; NULL: the VM's own */
};

/* Some of its hashes: `count` of a level, from `first` on, of a version. */
struct control_hashes {
	uint64_t version;
	int level;
	uint64_t first;
	unsigned count;
};

/* A snapshot that is being saved, or was, the last one. */
struct control_snapshot {
	const char *status; /* "none", "saving", "saved" or "failed" */
	char file[4096];
	char base[256];                       /* the name of the file that it builds on; "": it stands alone */
	char error[192];                      /* a sentence; "" unless it failed */
	uint64_t pause_us;                    /* for which the guest stood still */
	uint64_t ms;                          /* from the pause to the end, or to now */
	uint64_t pages, done;                 /* of the guest: all, and those that were looked at */
	uint64_t stored, zero, absent, bytes; /* pages; the file's size so far */
	uint64_t unchanged;                   /* pages that are left to the base */
};

/* A snapshot that shall be saved. */
struct control_save {
	const char *file;
	const char
	    *since; /* the last that was saved with `track`: pages that were not written since are left to it; NULL */
	bool compress; /* pack pages where that pays */
	bool track;    /* note from here on which pages are written */
};

/* What is done to ranges of guest memory that others may have as well (share/merge.h). */
enum control_dedup { CONTROL_GIVE, CONTROL_TAKE, CONTROL_ADVISE };

struct control_range {
	uint64_t gpa, size; /* whole pages, and gpa + size does not wrap */
	uint64_t offset;    /* in the store */
	bool zero;          /* pages of zeroes: no place in the store */
};

struct control_merged {
	uint64_t bytes; /* of the ranges, from the first on: so much was looked at */
	struct merge_sum pages;
	uint64_t pause_us; /* for which the guest stood still */
};

struct control_ops {
	const char *(*name)(void *vm);
	int (*nr_vcpus)(void *vm);

	/* No vCPU executes guest code while it is not running. */
	bool (*running)(void *vm);
	int (*stop)(void *vm, struct control_error *err);
	void (*cont)(void *vm);
	void (*quit)(void *vm); /* returns at once */
	int (*reset)(void *vm, struct control_error *err);

	/* Calls fn for each value of this target and provider; `vcpu` matters for STATS_VCPU alone. */
	void (*stats)(void *vm, enum stats_target target, enum stats_provider provider, int vcpu, control_stat_fn fn,
	              void *arg);

	/* -ENODEV: there is no balloon; -ENOTCONN: the guest does not drive it. */
	int (*balloon_get)(void *vm, struct control_balloon *ret_balloon, struct control_error *err);
	int (*balloon_set)(void *vm, uint64_t bytes, struct control_error *err);
	json_t *(*balloon_stats)(void *vm, struct control_error *err);

	/* How guest memory is translated: mode, second stage, tables. */
	json_t *(*paging)(void *vm, struct control_error *err);
	/*
	 * Changes the mode while the guest runs. *ret_us says how long the guest stood still. *ret_changed is
	 * false when the guest ran in that mode already.
	 */
	int (*set_paging)(void *vm, const char *mode, bool *ret_changed, uint64_t *ret_us, struct control_error *err);
	json_t *(*walk)(void *vm, const struct control_walk *wanted, struct control_error *err);
	json_t *(*tables)(void *vm, const struct control_tables *wanted, struct control_error *err);
	/* An array of lines. */
	json_t *(*dump_tables)(void *vm, const char *stage, struct control_error *err);

	/* Takes a named slice of guest memory away from the guest, or gives it back zeroed. */
	int (*reclaim)(void *vm, uint64_t gpa, uint64_t size, struct control_error *err);
	int (*release)(void *vm, uint64_t gpa, uint64_t size, struct control_error *err);

	/*
	 * Begins to save a snapshot: the guest has gone on when this returns, and the end is an event
	 * (server_snapshot_ended()). -EBUSY: one is being saved.
	 */
	int (*snapshot_save)(void *vm, const struct control_save *wanted, uint64_t *ret_pause_us,
	                     struct control_error *err);
	void (*snapshot)(void *vm, struct control_snapshot *ret_snapshot);

	/* The VM's enclaves, the public key of their reports, and whether their memory is locked. */
	json_t *(*enclaves)(void *vm, struct control_error *err);

	/*
	 * Works for a bounded time on bringing the fingerprint up to date, and says whether that is done; with `stop`, with
	 * the guest out of the way at last. The other gives hashes of what was brought up to date.
	 */
	json_t *(*fingerprint)(void *vm, const struct control_fingerprint *which, bool stop, struct control_error *err);
	json_t *(*fingerprint_hashes)(void *vm, const struct control_fingerprint *which,
	                              const struct control_hashes *hashes, struct control_error *err);

	/*
	 * Whether memory can be merged with what `store`, a file, will hold. With `users` guests of other users take part.
	 * Gives the store's size and the unit of ranges in bytes.
	 */
	int (*dedup_store)(void *vm, int store, bool users, uint64_t *ret_size, uint64_t *ret_unit,
	                   struct control_error *err);
	/* Works on the `n` ranges for a bounded time. `store` is -1 if none of them needs it. */
	int (*dedup)(void *vm, enum control_dedup what, int store, const struct control_range *range, unsigned n,
	             struct control_merged *ret_merged, struct control_error *err);

	/* Which pages of [gpa, gpa + size) cost the host memory: an array of runs, each [gpa, size, store, offset in it]. */
	json_t *(*dedup_places)(void *vm, uint64_t gpa, uint64_t size, struct control_error *err);

	/* Called between commands: gives up what nobody asked for lately. Returns in how many ms to call again; -1: never. */
	int (*idle)(void *vm);
};

#endif
