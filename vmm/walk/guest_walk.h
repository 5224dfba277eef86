/* SPDX-License-Identifier: MIT */
/*
 * The guest walk: what the CPU does on a TLB miss, done in software over the guest's
 * own tables (APM2 5.3-5.6, 8.4.2; SDM vol. 3 4.5-4.7).
 *
 *   cr3 -> gl4e -> gl3e -> gl2e -> gl1e -> page
 *                    |        +-> 2 MiB page (PS)
 *                    +----------> 1 GiB page (PS)
 *
 * Rights accumulate on the way down; the verdict falls at the leaf. Accessed and dirty
 * bits are written by compare-and-swap only after the verdict; when the guest changed an
 * entry meanwhile, the walk starts again.
 */
#ifndef GNOMON_WALK_GUEST_WALK_H
#define GNOMON_WALK_GUEST_WALK_H

#include <gnomon/addr.h>
#include <gnomon/x86.h>
#include <stdbool.h>

#include "base/log.h"
#include "pgtable/format.h"
#include "stage2/stage2.h"

#define WALK_LEVELS 4 /* of a guest's tables */

/* A guest's entry; it does not mix with the shadow's. */
typedef struct {
	uint64_t raw;
} gpte_t;

/* Everything outside the tables that decides a walk. */
struct walk_mode {
	gpa_t cr3;    /* the table's address: CR3 without its low 12 bits */
	bool wp;      /* CR0.WP */
	bool nxe;     /* EFER.NXE */
	bool smep;    /* CR4.SMEP */
	bool smap;    /* CR4.SMAP */
	bool gbpages; /* CPUID 8000_0001 EDX.26 */
	bool
	    pml4_global_reserved; /* G in an entry of level 4: AMD (APM2 5.3.3), which Intel ignores (SDM vol. 3 4.5) */
	uint8_t maxphyaddr;
};

struct walk_access {
	bool user; /* CPL 3; implicit supervisor accesses are not user */
	bool write;
	bool fetch;
	bool ac; /* RFLAGS.AC of an explicit supervisor access: suspends SMAP */
};

enum walk_outcome {
	WALK_OK,
	WALK_NOT_PRESENT,   /* an entry on the way is not present */
	WALK_RESERVED,      /* a reserved bit is set in a present entry */
	WALK_DENIED,        /* the accumulated rights forbid the access */
	WALK_NON_CANONICAL, /* no walk: the address itself raises #GP or #SS */
	WALK_TABLE_OUTSIDE, /* a table lies where there is no memory: the guest is to be killed */
	WALK_NR
};

/* Takes from a CPU's registers what decides a walk; the rest is what the CPU can do. */
void walk_mode_set(struct walk_mode *m, uint64_t cr0, uint64_t cr3, uint64_t cr4, uint64_t efer);

/* Where a guest's tables are read: a running guest's memory, or what a file has of it. */
struct walk_memory {
	/* The 8 bytes at a guest physical address. False: no table can lie there. */
	bool (*entry)(void *ctx, uint64_t at, pte_t *ret_entry);
	void *ctx;
};

extern const char *const walk_outcome_what[WALK_NR];
/* A word for programs: "not-present". */
extern const char *const walk_outcome_name[WALK_NR];

struct walk {
	enum walk_outcome outcome;
	uint32_t error_code; /* for the first three failures: as the CPU would push it */
	int level;           /* of the leaf (1, 2 or 3), or where the walk failed */
	gpa_t gpa;           /* what the gva translates to */
	gfn_t table[5];      /* by level 1-4: the guest table the entry stands in */
	uint16_t index[5];   /* by level: the entry's index */
	gpte_t gpte[5];      /* by level: the entry as it stood, A and D included */
	bool w, u, x;        /* rights accumulated down to and with the leaf (x: no NX on the way) */
	bool dirty;          /* leaf's D after the walk */
	gpa_t outside;       /* WALK_TABLE_OUTSIDE: the table's address */
};

/*
 * Walks `gva`. With `set_ad` the accessed bits, and for a write the dirty bit, are set in
 * guest memory when the access is allowed; without, nothing is written.
 */
void guest_walk(const struct stage2 *s2, const struct walk_mode *mode, gva_t gva, struct walk_access access,
                bool set_ad, struct walk *ret_walk);

/* The same wherever the tables are. Writes nothing. */
void guest_walk_look(const struct walk_memory *m, const struct walk_mode *mode, gva_t gva, struct walk_access access,
                     struct walk *ret_walk);

/* The memory that guest_walk() reads: what an enclave's memory hides is not there. */
struct walk_memory walk_memory_of(const struct stage2 *s2);

/* Index of the entry that `gva` uses at `level` (1-4). */
static inline unsigned gva_index(gva_t gva, int level)
{
	return gva.raw >> (PAGE_SHIFT + 9 * (level - 1)) & 511;
}

/* Where an entry's address field points, a table or a 4 KiB page; large leaves: see gpte_leaf_gpa. */
gpa_t gpte_gpa(gpte_t e);

/* Bits that must be zero in a present entry at this level under this mode. */
uint64_t gpte_reserved(const struct walk_mode *mode, gpte_t e, int level);

/* True when a present entry at this level maps a page. */
bool gpte_is_leaf(gpte_t e, int level);

/* First byte of the page that a leaf at this level maps. */
gpa_t gpte_leaf_gpa(gpte_t e, int level);

/* The rights rule alone: may an access with these accumulated rights go on? (APM2 5.6) */
bool walk_permits(const struct walk_mode *mode, struct walk_access a, bool w, bool u, bool x);

#endif
