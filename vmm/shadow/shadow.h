/* SPDX-License-Identifier: MIT */
/*
 * The shadow MMU: tables gva -> maddr that the real CPU walks, composed from the guest's
 * tables and the second stage. A shadow page is keyed by (gfn, role); the role says
 * everything else that changes its content. Guest tables that have a shadow are
 * write-protected ("tracked"), so the shadow is never out of step with them.
 *
 *   guest:   gl4 ----> gl3 ----> gl2 ----> gl1 ----> page          large leaf: gl2 ------> 2 MiB page
 *             |         |         |         |         |                         |
 *   shadow:  sl4 ----> sl3 ----> sl2 ----> sl1 ----> frame                     sl2 -> direct sl1 -> frames
 *
 * Parts: walk.c the guest's tables; pool.c frames for shadow tables; page.c the cache of
 * shadow pages; compose.c one leaf; fault.c the fault path; track.c writes to tracked
 * tables; audit.c recomposition. Pure: no KVM; `struct shadow_ops` is what it needs of one.
 *
 * One lock: the caller holds the VM's shadow lock around every function here.
 *
 * Live entries (design, section 2 of the hosts' facts): from not-present to present the
 * VMM stores itself; every other change is queued as an edit, which the ring-0 stub
 * stores on the way back into the guest. `spte[]` is what an entry shall be, `live[]`
 * what the CPU sees; they differ only while an edit is queued.
 */
#ifndef GNOMON_SHADOW_SHADOW_H
#define GNOMON_SHADOW_SHADOW_H

#include "base/counter.h"
#include "shadow/walk.h"

/* A shadow entry; it does not mix with the guest's. */
typedef struct {
	uint64_t raw;
} spte_t;

/* Optimisations, each with its own switch; without any, every event that matters drops the whole shadow. */
enum shadow_opt {
	SHADOW_OPT_ROOT_CACHE = 1 << 0,
	SHADOW_OPT_EMULATE_UPDATE = 1 << 1,
	SHADOW_OPT_PREFETCH = 1 << 2,
	SHADOW_OPT_FLOOD = 1 << 3,
};
#define SHADOW_OPTS    4
#define SHADOW_OPT_ALL ((1u << SHADOW_OPTS) - 1)

struct shadow_opt_desc {
	enum shadow_opt opt;
	const char *name, *what;
};
extern const struct shadow_opt_desc shadow_opt_desc[SHADOW_OPTS];

/* "none", "all" or names with commas between them; -EINVAL for an unknown name. */
int must_check shadow_opt_parse(const char *list, unsigned *ret_opts);

/* Everything but the gfn that decides a shadow page's content. Compared as one number. */
struct shadow_role {
	uint32_t level : 3;
	uint32_t direct : 1; /* no guest table: a part of a large guest leaf, whose gfn is the key */
	uint32_t user : 1;   /* view: what the guest's CPL 3 may use, else what its kernel may */
	uint32_t w : 1;      /* rights accumulated above this page (direct: with the leaf) */
	uint32_t u : 1;
	uint32_t x : 1;
	uint32_t dirty : 1; /* direct only: the leaf's D */
	uint32_t wp : 1;
	uint32_t nxe : 1;
	uint32_t smep : 1;
	uint32_t smap : 1; /* SMAP in force: CR4.SMAP and not RFLAGS.AC */
};

struct shadow_page;

/* One entry of one shadow page, in a list: of a page's parents, or of a frame's leaf mappings. */
struct shadow_ref {
	struct shadow_page *page;
	unsigned index;
	struct shadow_ref *next;
};

struct shadow_page {
	gfn_t gfn;
	struct shadow_role role;
	maddr_t table;   /* the frame that CR3 or a parent's entry names */
	uint64_t *live;  /* the same, as the VMM reaches it */
	spte_t spte[512];
	struct shadow_ref *parents;
	unsigned writes; /* emulated ones since the last fault that went through this page */
	struct shadow_page *hash_next;
};

struct shadow_ops {
	/* Every other vCPU out of guest mode until this trap is handled, its TLB flushed before it goes back. */
	void (*quiesce)(void *ctx);
	/* KVM forgets what it knows of the pool's frames (host-facts: only a new memslot does that). After quiesce. */
	int (*recycle_pool)(void *ctx);
};

struct shadow_edit {
	maddr_t entry;
	spte_t value;
};

#define SHADOW_EDITS   128
#define SHADOW_BUCKETS 4096

struct shadow {
	const struct guest_mem *mem;
	const struct shadow_ops *ops;
	void *ctx;
	unsigned opts;      /* enum shadow_opt */
	uint8_t maxphyaddr; /* as struct walk_mode has them */
	bool gbpages;
	/* pool.c */
	uint8_t *pool;      /* zeroed, `nr_frames` pages, at machine address pool_base */
	maddr_t pool_base;
	unsigned nr_frames, next_fresh; /* frames from next_fresh on were never linked since the last recycling */
	maddr_t stub_pdpt; /* what the reserved PML4 slot of every root holds */
	/* page.c */
	struct shadow_page *pages; /* page n has frame n */
	struct shadow_page *bucket[SHADOW_BUCKETS];
	unsigned nr_in_use;
	uint16_t *tracked;          /* by frame number in RAM: shadow pages of that guest table */
	struct shadow_ref **rmap;   /* by frame number in RAM: leaf entries that map it */
	struct shadow_ref *free_refs;
	struct shadow_ref **ref_blocks;
	unsigned nr_ref_blocks;
	/* edits for the stub; when there is no room the whole shadow is dropped instead */
	struct shadow_edit edit[SHADOW_EDITS];
	unsigned nr_edits;
	uint64_t generation; /* counts drops: a root found under an older one is gone */
	uint64_t flushes;    /* counts removals of rights: a TLB flushed under an older count may be stale */
	struct counters *counters; /* of the vCPU whose trap is being handled */
};

/* What one vCPU translates with, as far as the shadow cares. */
struct shadow_view {
	struct walk_mode walk;
	bool user; /* the guest runs at CPL 3 */
	bool ac;   /* RFLAGS.AC */
};

enum shadow_outcome {
	SHADOW_FILLED,         /* the entry is there now: resume */
	SHADOW_GUEST_FAULT,    /* the guest's tables deny it: inject, `walk` has the error code */
	SHADOW_TRACKED_WRITE,  /* a write to a write-protected guest table: emulate it */
	SHADOW_FETCH_ONLY,     /* SMAP without SMEP: the kernel may run a user page but not read it: emulate the instruction */
	SHADOW_MMIO,           /* no memory there: emulate the access */
	SHADOW_RESERVED_RANGE, /* the guest reached for the stub's range: kill */
	SHADOW_TABLE_OUTSIDE,  /* a guest table lies outside memory: kill */
	SHADOW_NO_MEMORY,      /* the pool cannot hold even this one path: host failure */
	SHADOW_NR
};
extern const char *const shadow_outcome_what[SHADOW_NR];

/* `pool` is zeroed, nr_frames pages, stays the caller's. -ENOMEM. */
int must_check shadow_init(struct shadow *sh, const struct guest_mem *mem, uint8_t *pool, maddr_t pool_base,
			   unsigned nr_frames);
void shadow_destroy(struct shadow *sh);

/* The root for this view, made if need be. False when the pool is too small for it. */
bool shadow_root(struct shadow *sh, const struct shadow_view *view, maddr_t *ret_root);

/* Handles a fault of the guest at `gva`; `access` as the CPU reported it. Fills *ret_walk. */
enum shadow_outcome shadow_fault(struct shadow *sh, const struct shadow_view *view, gva_t gva,
				 struct walk_access access, struct walk *ret_walk);

/* Guest memory [at, at + len) of one frame was written by the VMM for the guest: brings its shadow up to date. */
void shadow_written(struct shadow *sh, gpa_t at, unsigned len);

/* True when the frame holds a guest table that has a shadow. */
bool shadow_is_tracked(const struct shadow *sh, gfn_t gfn);

/* The guest loaded CR3, or changed what every translation depends on. */
void shadow_cr3_loaded(struct shadow *sh);
/* The guest invalidated one address. */
void shadow_invlpg(struct shadow *sh, gva_t gva);

/* Forgets every shadow page. Quiesces. */
void shadow_drop_all(struct shadow *sh);

/* Recomposes everything; false, with a description, at the first difference. No edit may be queued. */
bool shadow_audit(const struct shadow *sh, char *ret_text, size_t len);

/* --- between the parts --- */

/* pool.c: drops everything and makes every frame fresh again. False: the host refused. */
bool shadow_pool_recycle(struct shadow *sh);

/* page.c */
void shadow_page_forget(struct shadow *sh, struct shadow_page *page);
struct shadow_page *shadow_page_find(const struct shadow *sh, gfn_t gfn, struct shadow_role role);
/* All pages of one guest table, in whatever roles; direct ones are left out. */
struct shadow_page *shadow_page_first(const struct shadow *sh, gfn_t gfn);
struct shadow_page *shadow_page_next(const struct shadow_page *page);
/* Finds or makes; may drop everything to get a frame, or to take write access to `gfn` away:
 * NULL then, and the caller starts again. */
struct shadow_page *shadow_page_get(struct shadow *sh, gfn_t gfn, struct shadow_role role);
/* Sets an entry, `child` being what a table entry leads to (NULL for leaves and zeroes). False: the change
 * cannot be queued; everything was dropped. */
bool shadow_set(struct shadow *sh, struct shadow_page *page, unsigned index, spte_t value, struct shadow_page *child);
/* Takes a page out of its parents and the cache: its table is not one any more. False: everything was dropped. */
bool shadow_page_zap(struct shadow *sh, struct shadow_page *page);
/* Index of a RAM frame into tracked[] and rmap[]; -1 for what is not RAM. */
int64_t shadow_frame(const struct shadow *sh, gfn_t gfn);

/* compose.c: the one place where rights and frames become entries */
spte_t compose_table(const struct shadow_page *child);
/* A 4 KiB leaf for `gfn` with guest rights w, u, x, in the view of `role`; not present where nothing may be mapped. */
spte_t compose_leaf(const struct shadow *sh, struct shadow_role role, gfn_t gfn, bool w, bool u, bool x, bool dirty);
/* What entry `index` of `page` has to be by the guest's tables as they stand: a present entry differs from it
 * only by a bug. Zero where nothing may be mapped, or where A has still to be set by a walk. */
spte_t shadow_recompose(const struct shadow *sh, const struct shadow_page *page, unsigned index);
/* The same as if the guest's D were 0: what an entry may still be when D was set since, by another view or by an
 * emulated write. It grants less, and the next write faults. */
spte_t shadow_recompose_clean(const struct shadow *sh, const struct shadow_page *page, unsigned index);
struct shadow_role role_root(const struct shadow_view *view);
/* The role of the page below an entry with these own rights. */
struct shadow_role role_below(struct shadow_role above, gpte_t e);
/* The role and gfn of the direct page below a large guest leaf `e` in a page of role `above`. */
struct shadow_role role_direct(struct shadow_role above, gpte_t e);
bool role_equal(struct shadow_role a, struct shadow_role b);

#endif
