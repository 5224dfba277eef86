/* SPDX-License-Identifier: MIT */
/*
 * What the files of the shadow MMU share; not for others.
 *
 * `spte[]` is what an entry shall be, `live[]` what the CPU sees; they differ while an edit is queued, in the A bit,
 * and where a promoted child stands as one 2 MiB leaf (shadow_live_value).
 *
 * Each file calls only those above it in this list, or before it in its line:
 *
 *   frame role ref edit       numbers of frames, keys of pages, links, the queue for the stub
 *   track_state cache pool    what is known of a frame, the pages by key, frames for pages
 *   shadow                    a shadow's life
 *   compose entry             from rights to an entry; the one writer of entries
 *   recompose audit           what each entry has to be, and whether it is
 *   promote zap protect       larger leaves; pages that go; tables that lose their writers
 *   drop evict                all pages go; the oldest go
 *   unsync lazy               leaf tables that are writable for a while; all tables always
 *   page                      the page for a table, found or made
 *   track open withdraw       writes to tables, by whom they come; what the second stage takes away
 *   fast fault                the fault path, and its short cut
 *
 * option.c has the switches.
 */
#ifndef GNOMON_SHADOW_INTERNAL_H
#define GNOMON_SHADOW_INTERNAL_H

#include "shadow/shadow.h"

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
	maddr_t table;  /* the frame that CR3 or a parent's entry names */
	uint64_t *live; /* the same, as the VMM reaches it */
	spte_t spte[512];
	struct shadow_ref *parents;
	unsigned present; /* entries that are, in spte[] */
	unsigned writes;  /* emulated ones since the last fault that went through this page */
	bool promoted;    /* its parents hold a 2 MiB leaf in place of the way to it */
	uint64_t synced;  /* lazy: the round that looked at it last */
	uint64_t audited; /* the same of shadow_audit_below() */
	struct shadow_page *hash_next;
	struct shadow_page *older, *newer; /* by the time it was built */
};

/* Frames of the pool. A frame that was a root becomes nothing but a root again: the stub is reached through it. */
enum shadow_area_kind { SHADOW_AREA_TABLES, SHADOW_AREA_ROOTS, SHADOW_AREAS };
struct shadow_area {
	unsigned first, end;     /* frames */
	unsigned next_fresh;     /* from here on none was linked since the last recycling */
	unsigned in_use;         /* by pages that stand */
	unsigned *used, nr_used; /* of evicted and zapped pages, which still hold what those held */
};

#define SHADOW_BUCKETS 4096
/* Leaf tables that may be writable at a time: each costs a look at 512 entries at every flush. */
#define SHADOW_UNSYNC_MAX 16

/* A leaf table that the guest may write unseen until it flushes. */
struct shadow_unsync {
	gfn_t gfn;
	/*
	 * Its entries when they were compared with their shadow last. What still is as it was then needs no look at its
	 * shadow, unless that was set meanwhile: from an entry that came and went.
	 */
	uint64_t seen[512];
	bool was_set[512];
};

/* Tables that one instruction may write: a scatter of 16 lanes that each cross a page. */
#define SHADOW_OPEN_MAX 32

/* What is known of one guest frame of RAM. */
struct shadow_track {
	uint16_t pages; /* shadow pages of the table in it; when not 0, it is protected unless unsync, open or lazy */
	bool unsync; /* the guest may write it unseen until it flushes */
	bool open;   /* one instruction may write it: see shadow_open() */
};

struct shadow {
	/* As struct shadow_params has them. */
	const struct stage2 *s2;
	const struct shadow_ops *ops;
	void *ctx;
	unsigned opts;
	bool audited;
	uint8_t maxphyaddr;
	bool gbpages, pml4_global_reserved;
	maddr_t stub_pdpt;
	/* pool.c */
	uint8_t *pool;
	maddr_t pool_base;
	unsigned nr_frames;
	struct shadow_area area[SHADOW_AREAS];
	struct shadow_page *pages; /* page n has frame n */
	/* cache.c */
	struct shadow_page *bucket[SHADOW_BUCKETS];
	struct shadow_page *oldest, *newest;
	/* fault.c */
	uint64_t prefetched; /* entries, to watch some */
	/* By guest frame, see shadow_frame() */
	struct shadow_track *track;
	uint16_t *tables_2m; /* by that number / 512: how many of the frames hold guest tables that have a shadow */
	/* By machine frame, see shadow_machine_frame() */
	struct shadow_ref **rmap;    /* 4 KiB leaf entries that map it */
	struct shadow_ref **rmap_2m; /* by that number / 512: 2 MiB leaf entries */
	uint64_t *unmapped;          /* `flushes` when a writable 4 KiB leaf of it went last; TLBs may know it still */
	uint64_t *unmapped_2m;       /* by that number / 512: the same of 2 MiB leaves */
	/* ref.c */
	struct shadow_ref *free_refs;
	struct shadow_ref **ref_blocks;
	unsigned nr_ref_blocks;
	/* unsync.c */
	struct shadow_unsync *unsync[SHADOW_UNSYNC_MAX]; /* behind the first nr_unsync: not in use */
	unsigned nr_unsync;
	struct shadow_unsync *unsyncs; /* what they are taken from */
	/* lazy.c */
	uint64_t sync_round;
	/* audit.c */
	uint64_t audit_round;
	/* open.c */
	gfn_t open[SHADOW_OPEN_MAX];
	unsigned nr_open;
	/* edit.c: in order */
	struct shadow_edit *edit;
	unsigned nr_edits, max_edits;
	uint64_t flushes; /* counts removals of rights: a TLB flushed under an older count may be stale */
};

/*
 * How a change to the shadow ended. A function that gets anything but SHADOW_DONE changes nothing more and passes it
 * on, up to the function that outsiders called. That one alone drops or recycles, by shadow_recover(), and tries again
 * if it must.
 */
enum shadow_result {
	SHADOW_DONE,
	SHADOW_RETRY,        /* what it rests on is gone: start again */
	SHADOW_CHANGED,      /* another vCPU changed the guest's tables meanwhile: start again, as often as it takes */
	SHADOW_MUST_DROP,    /* it cannot be queued, or the host has no memory: only a drop puts it right */
	SHADOW_MUST_RECYCLE, /* no frame is fresh */
};

/* In every entry of ours: both guest CPLs really run at CPL 3, and the CPU has no A to set. */
#define SPTE_BASE (PTE_P | PTE_U | PTE_A)
/* One in so many prefetched entries is watched: it starts with A clear, so that A tells whether it was used. No more,
 * because KVM's own prefetch passes over entries without A: to watch all of them made a fresh table 3 times as dear. */
#define SHADOW_WATCH_EVERY 64
/* In a watched entry; ignored by the CPU. */
#define SPTE_WATCHED (1ull << 9)

static inline bool spte_is_leaf(const struct shadow_page *page, spte_t e)
{
	return page->role.level == 1 || e.raw & PTE_PS;
}

/* The machine frame that a leaf entry maps. */
static inline mfn_t spte_mfn(spte_t e)
{
	return mfn_init((e.raw & PTE_ADDR) >> PAGE_SHIFT);
}

/* frame.c */
/* Index of a guest frame of RAM into track[]; -1 for what is not RAM. */
int64_t shadow_frame(const struct shadow *sh, gfn_t gfn);
/* Index of a machine frame of RAM into rmap[]; -1 likewise. */
int64_t shadow_machine_frame(const struct shadow *sh, mfn_t mfn);
/* True when the second stage maps it: a guest frame that is neither a device's nor given away. */
bool shadow_frame_mapped(const struct shadow *sh, gfn_t gfn);
/* Where the second stage maps a guest frame, and by pages of which level. False: nowhere. */
bool shadow_gfn_to_mfn(const struct shadow *sh, gfn_t gfn, mfn_t *ret_mfn, int *ret_level);

/* role.c */
bool role_equal(struct shadow_role a, struct shadow_role b);
struct shadow_role role_root(const struct shadow_view *view);
/* The role of the page below an entry with these own rights. */
struct shadow_role role_below(struct shadow_role above, gpte_t e);
/* The role of the direct page below a large guest leaf `e` in a page of role `above`. */
struct shadow_role role_direct(struct shadow_role above, gpte_t e);

/* ref.c */
/* False: the host has no memory. */
bool must_check shadow_ref_add(struct shadow *sh, struct shadow_ref **list, struct shadow_page *page, unsigned index);
void shadow_ref_remove(struct shadow *sh, struct shadow_ref **list, const struct shadow_page *page, unsigned index);
void shadow_refs_destroy(struct shadow *sh);

/* edit.c */
/* Queues a store to a live entry. */
enum shadow_result must_check shadow_edit_queue(struct shadow *sh, struct counters *counters,
                                                const struct shadow_page *page, unsigned index, spte_t value);

/* track_state.c */
struct shadow_track *shadow_track_of(const struct shadow *sh, gfn_t gfn);
/* True when the frame holds a guest table that has a shadow and must not be written unseen. */
bool shadow_is_tracked(const struct shadow *sh, gfn_t gfn);
/* One more shadow page of the table, one less. */
void shadow_track(struct shadow *sh, gfn_t gfn);
void shadow_untrack(struct shadow *sh, gfn_t gfn);
/* An entry of a shadow page was set: if its table is unsync, the next flush looks at it. */
void shadow_unsync_set(struct shadow *sh, const struct shadow_page *page, unsigned index);
/* An unsync table is not unsync any more. What is known of it is at unsync[nr_unsync] until the next one. */
void shadow_unsync_forget(struct shadow *sh, gfn_t gfn);

/* cache.c */
struct shadow_page *shadow_page_find(const struct shadow *sh, gfn_t gfn, struct shadow_role role);
/* All pages of one guest table, in whatever roles; direct ones are left out. */
struct shadow_page *shadow_page_first(const struct shadow *sh, gfn_t gfn);
struct shadow_page *shadow_page_next(const struct shadow_page *page);
/* One of the pages that stand for 2 MiB of a large guest page, by 4 KiB; NULL: there is none. */
struct shadow_page *shadow_page_direct(const struct shadow *sh, gfn_t gfn);
void shadow_cache_insert(struct shadow *sh, struct counters *counters, struct shadow_page *page);
void shadow_cache_remove(struct shadow *sh, struct counters *counters, struct shadow_page *page);

/* pool.c */
/* False: the host has no memory. */
bool must_check shadow_pool_init(struct shadow *sh);
void shadow_pool_destroy(struct shadow *sh);
unsigned shadow_pool_fresh(const struct shadow *sh, enum shadow_area_kind kind);
/* The kind of frame that a page has. */
enum shadow_area_kind shadow_pool_kind(const struct shadow_page *page);
/* Gives a page a frame, fresh or used, of which there must be one. What it still holds, the stub's slot of a root
 * excepted, is queued to become zero. */
enum shadow_result must_check shadow_pool_take(struct shadow *sh, struct counters *counters, enum shadow_area_kind kind,
                                               struct shadow_page **ret_page);
/* The page was forgotten, alone or (false) with all others: then its frame rests until the pool is recycled. */
void shadow_pool_give(struct shadow *sh, const struct shadow_page *page, bool alone);
/* All pages were given back, and no edit is queued: used frames rest, too. */
void shadow_pool_rest(struct shadow *sh);

/* compose.c: the one place where rights and frames become entries */
struct shadow_rights {
	bool w, u, x; /* the guest's, accumulated down to and with the leaf */
	bool dirty;   /* the leaf's D */
};
spte_t compose_table(const struct shadow_page *child);
/* A leaf for `gfn` at `level` (1 or 2), in the view of `role`; not present where nothing may be mapped. */
spte_t compose_leaf(const struct shadow *sh, struct shadow_role role, int level, gfn_t gfn,
                    struct shadow_rights rights);
/* True when one 2 MiB leaf may stand for [gfn, gfn + 512): the second stage maps it so, and no table lies in there. */
bool compose_allows_2m(const struct shadow *sh, gfn_t gfn);

/* entry.c */
/* Sets an entry and its links. */
enum shadow_result must_check shadow_set(struct shadow *sh, struct counters *counters, struct shadow_page *page,
                                         unsigned index, spte_t value);
/* Drops the links of an entry without a store: for pages that nobody walks any more. */
void shadow_unlink(struct shadow *sh, struct counters *counters, struct shadow_page *page, unsigned index);
/* What the CPU has to see for spte[index]: the same, but for a promoted child. */
spte_t shadow_live_value(const struct shadow *sh, const struct shadow_page *page, unsigned index);
/* Brings the live entries that lead to `page` to shadow_live_value(), after `page->promoted` has changed. */
enum shadow_result must_check shadow_store_parents(struct shadow *sh, struct counters *counters,
                                                   struct shadow_page *page);
/* The page a table entry leads to. */
struct shadow_page *shadow_child(const struct shadow *sh, spte_t e);

/* recompose.c */
enum shadow_form {
	SHADOW_FORM_TABLE, /* a way to the next page */
	SHADOW_FORM_LEAF,  /* a page, where the level may hold one */
};
/* What entry `index` of `page` has to be by the guest's tables as they stand: a present entry differs from it
 * only by a bug. Zero where nothing may be mapped in this form, or where A has still to be set by a walk. */
spte_t shadow_recompose(const struct shadow *sh, const struct shadow_page *page, unsigned index, enum shadow_form form);
/* False when the guest's tables, as they stand, say otherwise than entry `index`; what they say, then. Zeroes and
 * entries that grant less write access always stand: the next access faults and is granted. */
bool shadow_entry_stands(const struct shadow *sh, const struct shadow_page *page, unsigned index, spte_t *ret_must);

/* audit.c */
/* With --audit, as shadow_audit(), of every page that `top` leads to, and of `top`, unsync tables too: when they were
 * brought up to date, and before `top` is linked at a new place. Aborts if one does not stand. Does nothing while another
 * vCPU may write tables unseen. */
void shadow_audit_below(struct shadow *sh, struct shadow_page *top);

/* promote.c */
/* Lets the parents of a full, uniform leaf page hold one 2 MiB leaf. shadow_set() undoes it. */
enum shadow_result must_check shadow_promote(struct shadow *sh, struct counters *counters, struct shadow_page *page);

/* zap.c */
/* Takes a page, which nobody may walk any more, out of the cache. */
void shadow_page_forget(struct shadow *sh, struct counters *counters, struct shadow_page *page);
/* Takes a page out of its parents, and forgets it. */
enum shadow_result must_check shadow_page_zap(struct shadow *sh, struct counters *counters, struct shadow_page *page);
/* Zaps every page of one guest table. */
enum shadow_result must_check shadow_zap_table(struct shadow *sh, struct counters *counters, gfn_t gfn);

/* protect.c */
/* Takes write access to a frame away, and every 2 MiB leaf around it. Quiesces when there was any, or when the TLB of a
 * vCPU in the guest may still grant it. */
enum shadow_result must_check shadow_write_protect(struct shadow *sh, struct counters *counters, gfn_t gfn);

/* drop.c */
/* Drops or recycles if `r` says so, and quiesces then. */
void shadow_recover(struct shadow *sh, struct counters *counters, enum shadow_result r);

/* evict.c */
/* Makes sure that `nr` pages of this kind can be had: evicts the oldest, and quiesces then. SHADOW_RETRY: the pool is
 * too small. */
enum shadow_result must_check shadow_pool_reserve(struct shadow *sh, struct counters *counters,
                                                  enum shadow_area_kind kind, unsigned nr);

/* unsync.c */
/* Makes a guest table writable that is shadowed as leaf table only. False: it stays protected. */
bool must_check shadow_unsync(struct shadow *sh, struct counters *counters, gfn_t gfn);
/* The guest flushed: brings every unsync table up to date, and protects those that did not change. */
enum shadow_result must_check shadow_sync_all(struct shadow *sh, struct counters *counters);
/*
 * Brings every unsync table that `top` leads to up to date, and `top` if it is one: before `top` is linked at a place
 * where it was not. No TLB holds anything of that place, so the guest need not flush for it. SHADOW_RETRY: `top` is
 * gone.
 */
enum shadow_result must_check shadow_sync_below(struct shadow *sh, struct counters *counters,
                                                const struct shadow_page *top);
/* As shadow_faulted(). */
enum shadow_result must_check shadow_sync_address(struct shadow *sh, struct counters *counters, gfn_t cr3, gva_t gva);
/* Brings one unsync table up to date and protects it again. */
enum shadow_result must_check shadow_unsync_end(struct shadow *sh, struct counters *counters, gfn_t gfn);

/* Brings one entry up to date. What is absent, the fault path fills; a way to another child, too. */
enum shadow_result must_check shadow_update_entry(struct shadow *sh, struct counters *counters,
                                                  struct shadow_page *page, unsigned index);
/* Brings one page up to date, and adds to *changed. SHADOW_RETRY: the page is gone. */
enum shadow_result must_check shadow_sync_page(struct shadow *sh, struct counters *counters, struct shadow_page *page,
                                               unsigned *changed);

/* lazy.c: the same with SHADOW_OPT_LAZY, where any table may lag */
/* The guest flushed: brings every table that `cr3` leads to up to date. */
enum shadow_result must_check shadow_lazy_sync_root(struct shadow *sh, struct counters *counters, gfn_t cr3);
/* As shadow_sync_below(). */
enum shadow_result must_check shadow_lazy_sync_below(struct shadow *sh, struct counters *counters,
                                                     struct shadow_page *top);

/* page.c */
/* Finds or makes a page; takes write access to `gfn` away from the guest first. The caller has reserved a frame for it,
 * except for a root. */
enum shadow_result must_check shadow_page_get(struct shadow *sh, struct counters *counters, gfn_t gfn,
                                              struct shadow_role role, struct shadow_page **ret_page);

/* track.c */
/* As shadow_written(). */
enum shadow_result must_check shadow_update(struct shadow *sh, struct counters *counters, gpa_t at, unsigned len);

/* fast.c */
/* Sets A or D of a leaf that is linked already, without a walk. SHADOW_RETRY: it takes the long way. */
enum shadow_result must_check shadow_fault_fast(struct shadow *sh, struct counters *counters,
                                                const struct shadow_view *view, gva_t gva, struct walk_access access);

#endif
