/* SPDX-License-Identifier: MIT */
/*
 * The shadow MMU: tables gva -> maddr that the real CPU walks, composed from the guest's
 * tables and the second stage. A shadow page is keyed by (gfn, role); the role says
 * everything else that changes its content. Guest tables that have a shadow are
 * write-protected ("tracked"), so the shadow is never out of step with them; the options
 * unsync and lazy let it lag as a TLB may.
 *
 *   guest:   gl4 ----> gl3 ----> gl2 ----> gl1 ----> page          large leaf: gl2 ------> 2 MiB page
 *             |         |         |         |         |                         |
 *   shadow:  sl4 ----> sl3 ----> sl2 ----> sl1 ----> frame                     sl2 -> direct sl1 -> frames
 *
 * Pure: no KVM; `struct shadow_ops` is what it needs of one. How it works inside: internal.h.
 *
 * One lock: the caller holds the VM's shadow lock around every function here. A function adds what it counts to the
 * `counters` that it is given: those of the vCPU whose trap is handled, or CPU 0's when there is no such vCPU.
 *
 * Live entries (docs/shadow.md, "Edits through the stub"): the VMM itself stores an entry that was not present. Every
 * other change is queued as an edit, which the ring-0 stub stores on the way back into the guest.
 */
#ifndef GNOMON_SHADOW_SHADOW_H
#define GNOMON_SHADOW_SHADOW_H

#include "base/counter.h"
#include "walk/guest_walk.h"
#include "stage2/stage2.h"

/* Optimisations, each with its own switch; without any, every event that matters drops the whole shadow. */
enum shadow_opt {
	SHADOW_OPT_ROOT_CACHE = 1 << 0,
	SHADOW_OPT_EMULATE_UPDATE = 1 << 1,
	SHADOW_OPT_PREFETCH = 1 << 2,
	SHADOW_OPT_FLOOD = 1 << 3,
	SHADOW_OPT_UNSYNC = 1 << 4,
	SHADOW_OPT_LARGE = 1 << 5,
	SHADOW_OPT_PROMOTE = 1 << 6,
	SHADOW_OPT_AD_FAST = 1 << 7,
	SHADOW_OPT_LAZY = 1 << 8,
};
#define SHADOW_OPTS    9
#define SHADOW_OPTS_ON 8 /* the first so many make "all", the default; lazy is another way to keep in step */
#define SHADOW_OPT_ALL ((1u << SHADOW_OPTS_ON) - 1)

#define SHADOW_MEMORY_DEFAULT (32ull << 20) /* bytes for shadow tables */

struct shadow_opt_desc {
	enum shadow_opt opt;
	unsigned needs; /* enum shadow_opt */
	const char *name, *what;
};
extern const struct shadow_opt_desc shadow_opt_desc[SHADOW_OPTS];

/* Parses "none", "all" or names separated by commas; an option that builds on another (`needs`) switches that on, too.
 * -EINVAL for an unknown name. */
int must_check shadow_opt_parse(const char *list, unsigned *ret_opts);

/* What the shadow asks of the machine. */
struct shadow_ops {
	/* Takes every other vCPU out of guest mode until this trap is handled. One that last flushed its TLB under an older
	 * count than `flushes` flushes it before it executes guest code again. */
	void (*quiesce)(void *ctx, struct counters *counters);
	/* Returns the oldest count of `flushes` under which a vCPU that executes guest code now flushed its TLB; UINT64_MAX if
	 * none executes any. */
	uint64_t (*oldest_flush)(void *ctx);
	/* Makes KVM forget what it knows of the pool's frames; only a new memslot does that (docs/shadow.md). Called after
	 * quiesce. -errno. */
	int (*recycle_pool)(void *ctx);
};

struct shadow_params {
	const struct stage2 *s2;
	uint8_t *pool; /* zeroed, nr_frames pages at machine address pool_base; stays the caller's */
	maddr_t pool_base;
	unsigned nr_frames;
	maddr_t stub_pdpt;  /* what the reserved PML4 slot of every root holds */
	uint8_t maxphyaddr; /* as struct walk_mode has them */
	bool gbpages, pml4_global_reserved;
	unsigned opts; /* enum shadow_opt */
	bool audited;  /* check also what only one moment shows */
	const struct shadow_ops *ops;
	void *ctx; /* for ops */
};

struct shadow;

/* NULL: the host has no memory. */
struct shadow *must_check shadow_create(const struct shadow_params *params);
/* Does nothing with NULL. */
void shadow_destroy(struct shadow *sh);

/* What one vCPU translates with, as far as the shadow cares. */
struct shadow_view {
	struct walk_mode walk;
	bool user; /* the guest runs at CPL 3 */
	bool ac;   /* RFLAGS.AC */
};

/* --- traps --- */

/* Finds or makes the root for this view; *ret_built tells which. False: SHADOW_NO_MEMORY. */
bool must_check shadow_root(struct shadow *sh, struct counters *counters, const struct shadow_view *view,
                            maddr_t *ret_root, bool *ret_built);

enum shadow_outcome {
	SHADOW_FILLED,         /* the entry is there now: resume */
	SHADOW_GUEST_FAULT,    /* the guest's tables deny it: inject, `walk` has the error code */
	SHADOW_TRACKED_WRITE,  /* a write to a write-protected guest table: emulate it */
	SHADOW_FETCH_ONLY,     /* SMAP without SMEP: the kernel may run a user page but not read it: emulate */
	SHADOW_MMIO,           /* no memory there: emulate the access */
	SHADOW_RESERVED_RANGE, /* the guest reached for the stub's range: kill */
	SHADOW_TABLE_OUTSIDE,  /* a guest table lies outside memory: kill */
	SHADOW_NO_MEMORY,      /* the pool is too small for this one path, or the host has no memory: host failure */
	SHADOW_NR
};
extern const char *const shadow_outcome_what[SHADOW_NR];

/* Handles a fault of the guest at `gva`; `access` is as the CPU reported it. Fills *ret_walk, except where the outcome
 * is SHADOW_FILLED. */
enum shadow_outcome must_check shadow_fault(struct shadow *sh, struct counters *counters,
                                            const struct shadow_view *view, gva_t gva, struct walk_access access,
                                            struct walk *ret_walk);

/* The VMM wrote [at, at + len), within one frame, for the guest: brings the shadow of that memory up to date. */
void shadow_written(struct shadow *sh, struct counters *counters, gpa_t at, unsigned len);

/* The guest flushed its TLB or a part of it: it loaded CR3, executed INVLPG, or changed what every translation depends
 * on. `cr3` is what the vCPU's CR3 points to from now on. Brings every unsync table up to date; lazily, every table
 * that `cr3` leads to. */
void shadow_flushed(struct shadow *sh, struct counters *counters, gpa_t cr3);

/* The guest is given a #PF at `gva`: behind it no translation of that address from before is used (SDM vol. 3 4.10.4.1).
 * Brings the entries that lead there from `cr3` up to date. */
void shadow_faulted(struct shadow *sh, struct counters *counters, gpa_t cr3, gva_t gva);

/*
 * Lets one instruction of the guest write the table in frame `gfn`. No vCPU but the one that executes it may enter the
 * guest until shadow_close_all(), which brings the shadow up to date. Quiesces. False: too many are open already.
 */
bool must_check shadow_open(struct shadow *sh, struct counters *counters, gfn_t gfn);
void shadow_close_all(struct shadow *sh, struct counters *counters);

/* Takes every other vCPU out of the guest, and keeps it out while the lock is held. */
void shadow_quiesce(struct shadow *sh, struct counters *counters);

/* --- the second stage below --- */

/*
 * The second stage maps [gpa, gpa + size) no longer, which was at `maddr`: zaps every entry that leads there and every
 * shadow of a guest table that lies there. Quiesces: when this returns, no vCPU runs guest code, and none will before
 * the edits are stored and its TLB is flushed.
 */
void shadow_zap_gpa(struct shadow *sh, struct counters *counters, gpa_t gpa, maddr_t maddr, uint64_t size);

/*
 * The second stage maps the 2 MiB at `gpa` by one leaf again. Where the guest does, too, zaps the 4 KiB entries that
 * stand for it, so that the next access finds room for one of 2 MiB. Quiesces if there are any, as above.
 */
void shadow_join_gpa(struct shadow *sh, struct counters *counters, gpa_t gpa);

/* Forgets every shadow page and edit and makes every frame fresh again. Quiesces. What recycle_pool returned: after an
 * error the pool stays empty. */
int must_check shadow_recycle(struct shadow *sh, struct counters *counters);

/* --- edits, for the stub --- */

/* A shadow entry; it does not mix with the guest's. */
typedef struct {
	uint64_t raw;
} spte_t;

struct shadow_edit {
	maddr_t entry;
	spte_t value;
};

/* The queued edits, in order; valid until the next function that takes a shadow that is not const. */
const struct shadow_edit *shadow_edits(const struct shadow *sh);
unsigned shadow_nr_edits(const struct shadow *sh);
/* The stub has stored the first `n` edits: takes them off the queue. */
void shadow_edits_stored(struct shadow *sh, unsigned n);

/* Counts removals of rights: a TLB that was flushed under an older count may be stale. */
uint64_t shadow_flushes(const struct shadow *sh);

/* --- for those who look on --- */

/* The root for this view, if there is one. */
bool shadow_find_root(const struct shadow *sh, const struct shadow_view *view, maddr_t *ret_root);

/* Where the VMM reaches the live entry at machine address `at`. NULL: not in the pool. */
const uint64_t *shadow_pool_ptr(const struct shadow *sh, maddr_t at);

/* How many of the watched entries that stand now were used by the CPU; those gone are counted already. */
uint64_t shadow_prefetched_used(const struct shadow *sh);

/* Recomposes everything; false, with a description, at the first difference. No edit may be queued. */
bool must_check shadow_audit(const struct shadow *sh, char *ret_text, size_t len);

#endif
