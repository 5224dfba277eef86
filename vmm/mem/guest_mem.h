/* SPDX-License-Identifier: MIT */
/*
 * Guest RAM: machine memory that the VM's memslots show to KVM. This is the one
 * place that turns a machine address into a pointer; everyone else asks here, with
 * a length, and a range that is not RAM from end to end gives NULL.
 */
#ifndef GNOMON_MEM_GUEST_MEM_H
#define GNOMON_MEM_GUEST_MEM_H

#include <gnomon/addr.h>
#include <stddef.h>

#include "base/log.h"
#include "mem/backing.h"

#define GUEST_MEM_REGIONS 2 /* below the MMIO hole, from 4 GiB up */

struct mem_region {
	maddr_t base;
	uint64_t size; /* bytes, a multiple of 2 MiB */
	uint8_t *host; /* aligned as backing_map() does it, and so is base */
};

struct guest_mem {
	struct mem_region region[GUEST_MEM_REGIONS];
	int nr_regions;
	uint64_t size; /* bytes of RAM in all regions */
	enum backing backing;
	bool guards; /* the host can withdraw pages without a mapping for each hole (MADV_GUARD_INSTALL, Linux 6.13) */
};

/*
 * Maps `size` bytes of zeroed guest RAM (a multiple of 2 MiB and of backing_page(), checked by the caller),
 * placed as include/gnomon/abi.h says. Host pages are taken at first touch.
 * -ENOMEM when the host has not enough address space or hugetlb pages.
 */
int must_check guest_mem_init(struct guest_mem *mem, uint64_t size, enum backing backing);
void guest_mem_destroy(struct guest_mem *mem);

/* The bytes [at, at + len), or NULL unless all of them are RAM of one region; len 0 is NULL too. */
void *guest_mem_ptr(const struct guest_mem *mem, maddr_t at, uint64_t len);

/*
 * Gives the host the frames of [at, at + size) back; what is touched there later is zeroed. Whole host pages only:
 * -EINVAL for anything else, with a pool of huge pages for what is less than one; -errno of the host.
 */
int must_check guest_mem_discard(const struct guest_mem *mem, maddr_t at, uint64_t size);

/*
 * Memory goes out of use in two steps, whole host pages as above. Withdrawn, nobody reaches it any more when the call
 * returns, KVM neither; who does meanwhile finds its bytes or zeroes. Surrendered, the host has its frames, with
 * hugetlb* the pool, where discarded pages stay reserved. Restored it can be read and written again and is zeroed;
 * -ENOMEM when the pool has no pages by then, and nothing is changed. Surrender only what is withdrawn, restore only
 * what is withdrawn or, with hugetlb*, surrendered. -EINVAL, -errno of the host.
 */
int must_check guest_mem_withdraw(const struct guest_mem *mem, maddr_t at, uint64_t size);
int must_check guest_mem_surrender(const struct guest_mem *mem, maddr_t at, uint64_t size);
int must_check guest_mem_restore(const struct guest_mem *mem, maddr_t at, uint64_t size);

/*
 * Asks the host for one page for these 2 MiB, if it has half of them already: a guest that touched no more need not
 * cost it all. Only with thp; pages are copied, and who touches them meanwhile waits. Advice: nothing may come of it.
 */
void guest_mem_ask_huge(const struct guest_mem *mem, maddr_t at, uint64_t size);

/* Bytes of the host's page that backs guest memory at least: the unit of guest_mem_discard. */
uint64_t guest_mem_host_page(const struct guest_mem *mem);

#endif
