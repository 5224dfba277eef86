/* SPDX-License-Identifier: MIT */
/*
 * Address kinds. Gnomon stacks up to three translations, so the likeliest bug is
 * an address of one kind used as another. Each kind is a one-member struct: the
 * compiler refuses the mix-up and the value still travels in a register.
 *
 *   gva --stage 1 (guest's tables)--> gpa --stage 2 (VMM's)--> maddr --> memslot
 *
 * `maddr` is what KVM calls a guest physical address: an address in the VM's
 * memslots. A frame number is the address divided by PAGE_SIZE.
 */
#ifndef GNOMON_ADDR_H
#define GNOMON_ADDR_H

#include <stdbool.h>
#include <stdint.h>

#define PAGE_SHIFT 12
#define PAGE_SIZE  4096ull
#define PAGE_MASK  (~(PAGE_SIZE - 1))
#define PAGE_2M    (2ull << 20)
#define PAGE_1G    (1ull << 30)

#define GNOMON_ADDRESS_KIND(kind)                                                                                      \
	typedef struct {                                                                                               \
		uint64_t raw;                                                                                          \
	} kind##_t;                                                                                                    \
	static inline kind##_t kind##_init(uint64_t raw) { return (kind##_t){raw}; }                                   \
	static inline uint64_t kind##_raw(kind##_t a) { return a.raw; }                                                \
	static inline kind##_t kind##_add(kind##_t a, uint64_t n) { return (kind##_t){a.raw + n}; }

GNOMON_ADDRESS_KIND(gva)   /* guest virtual address */
GNOMON_ADDRESS_KIND(gpa)   /* guest physical address */
GNOMON_ADDRESS_KIND(gfn)   /* guest physical frame */
GNOMON_ADDRESS_KIND(maddr) /* machine address: in the VM's memslots */
GNOMON_ADDRESS_KIND(mfn)   /* machine frame */

static inline gfn_t gpa_to_gfn(gpa_t a) { return gfn_init(a.raw >> PAGE_SHIFT); }
static inline gpa_t gfn_to_gpa(gfn_t f) { return gpa_init(f.raw << PAGE_SHIFT); }
static inline mfn_t maddr_to_mfn(maddr_t a) { return mfn_init(a.raw >> PAGE_SHIFT); }
static inline maddr_t mfn_to_maddr(mfn_t f) { return maddr_init(f.raw << PAGE_SHIFT); }

/* True when bits 63-47 of the address are all alike, as tables of four levels have it. */
static inline bool gva_canonical(gva_t a)
{
	const int64_t top = (int64_t)a.raw >> 47;

	return top == 0 || top == -1;
}

/* Bytes that an entry of a table of this level (1 and up) maps. */
static inline uint64_t level_span(int level)
{
	return PAGE_SIZE << 9 * (level - 1);
}

/* `unit`: a power of two. */
static inline uint64_t round_up(uint64_t raw, uint64_t unit)
{
	return (raw + unit - 1) & ~(unit - 1);
}

static inline uint64_t page_offset(uint64_t raw) { return raw & (PAGE_SIZE - 1); }

#endif
