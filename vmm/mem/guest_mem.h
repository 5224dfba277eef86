/* SPDX-License-Identifier: MIT */
/*
 * Guest RAM: machine memory that the VM's memslots show to KVM. Only this file turns a machine address into a pointer.
 * Everyone else asks here, with a length. A range that is not RAM from end to end gives NULL.
 */
#ifndef GNOMON_MEM_GUEST_MEM_H
#define GNOMON_MEM_GUEST_MEM_H

#include <gnomon/addr.h>
#include <stddef.h>

#include "base/log.h"
#include "mem/backing.h"
#include "mem/cuts.h"

#define GUEST_MEM_REGIONS 2 /* below the MMIO hole, from 4 GiB up */

struct mem_region {
	maddr_t base;
	uint64_t size; /* bytes, a multiple of 2 MiB */
	uint8_t *host; /* aligned as backing_map() does it, and so is base */
	bool borrowed; /* somebody else unmaps it */
};

struct guest_mem {
	struct mem_region region[GUEST_MEM_REGIONS];
	int nr_regions;
	uint64_t size; /* bytes of RAM in all regions */
	enum backing backing;
	bool mapped_file; /* some of it is a private mapping of a file: guest_mem_map_file() */
	struct cuts cuts; /* of memory, once some of it is a file's */
	bool guards; /* the host can withdraw pages without a mapping for each hole (MADV_GUARD_INSTALL, Linux 6.13) */
};

/*
 * Maps `size` bytes of zeroed guest RAM where include/gnomon/abi.h says. The caller has checked that `size` is a
 * multiple of 2 MiB and of backing_page(). The host takes its pages at first touch, those of a pool now
 * (backing_map()). -ENOMEM: the host has not enough address space or hugetlb pages.
 */
int must_check guest_mem_init(struct guest_mem *mem, uint64_t size, enum backing backing);
void guest_mem_destroy(struct guest_mem *mem);

/*
 * Adds [host, host + size), which stays the caller's, as RAM from 4 GiB up. Several VMs can have the same, but none may
 * reclaim any of it. Before anybody else looks at `mem`, whose own RAM is no more than lies below the MMIO hole. Both are
 * multiples of 2 MiB.
 */
void guest_mem_borrow(struct guest_mem *mem, uint8_t *host, uint64_t size);

/* Where the last region ends. */
maddr_t guest_mem_end(const struct guest_mem *mem);

/* Returns the bytes [at, at + len), or NULL unless all of them are RAM of one region. NULL for len 0, too. */
void *guest_mem_ptr(const struct guest_mem *mem, maddr_t at, uint64_t len);

/*
 * Gives the frames of [at, at + size) back to the host. What is touched there later is zeroed. The range is whole host
 * pages, with a pool of huge pages whole ones of these: -EINVAL for anything else. -errno of the host. Where the host has no
 * mappings left for holes in a file's, the memory is zeroed and stays.
 */
int must_check guest_mem_discard(struct guest_mem *mem, maddr_t at, uint64_t size);

/*
 * Gives all frames back to the host, those that lie in files too: what is touched later is zeroed. Nobody else looks at
 * the memory, and nothing of it is withdrawn or shared. -errno of the host.
 */
int must_check guest_mem_clear(struct guest_mem *mem);

/*
 * Memory goes out of use in two steps, in whole host pages as above. -EINVAL, -errno of the host.
 *
 *   withdraw   when it returns nobody reaches the memory, not even KVM. Who accesses it meanwhile finds its bytes or
 *              zeroes
 *   surrender  gives the frames to the host, with hugetlb* to the pool (a discarded page of a pool stays reserved).
 *              Only for what is withdrawn
 *   restore    makes the memory readable and writable again, zeroed. Only for what is withdrawn or, with hugetlb*,
 *              surrendered. -ENOMEM, with nothing changed: the pool has no pages left
 */
int must_check guest_mem_withdraw(struct guest_mem *mem, maddr_t at, uint64_t size);
int must_check guest_mem_surrender(struct guest_mem *mem, maddr_t at, uint64_t size);
int must_check guest_mem_restore(struct guest_mem *mem, maddr_t at, uint64_t size);

/*
 * Puts [offset, offset + size) of a shared mapping in the place of these 4 KiB pages, or private memory again, zeroed. Who
 * accesses the place meanwhile finds one or the other. -EINVAL: a pool, or not such pages; -errno of the host, with
 * nothing changed.
 */
int must_check guest_mem_share(const struct guest_mem *mem, maddr_t at, uint64_t size, int fd, uint64_t offset);
int must_check guest_mem_unshare(const struct guest_mem *mem, maddr_t at, uint64_t size);

/*
 * Puts these bytes of a file in the place of 4 KiB pages, privately: what is written there is this guest's alone, and what
 * is not is the same memory for all who map the file. The file may not change, nor become shorter. -EINVAL: a pool, or
 * not such pages; -ENOSPC: memory is in too many pieces already (mem/cuts.h); -errno of the host, with nothing changed.
 */
int must_check guest_mem_map_file(struct guest_mem *mem, maddr_t at, uint64_t size, int fd, uint64_t offset);

/* Has the host map what a file has at these pages, so that nobody waits for it later. Advice. */
void guest_mem_populate(const struct guest_mem *mem, maddr_t at, uint64_t size);

/*
 * Tells the host that other memory may be equal to these pages (KSM). -EINVAL: not such pages, or this kernel has no KSM;
 * -ENOSPC as above; -errno of the host.
 */
int must_check guest_mem_advise_equal(struct guest_mem *mem, maddr_t at, uint64_t size);

/*
 * Asks the host for one page for these 2 MiB if it has half of them already; a guest that touched less shall not cost
 * the rest. Only with thp. The host copies pages, and who touches them meanwhile waits. The host may ignore the advice.
 */
void guest_mem_ask_huge(const struct guest_mem *mem, maddr_t at, uint64_t size);

/* Returns the least size of a host page behind guest memory, in bytes: the unit of guest_mem_discard(). */
uint64_t guest_mem_host_page(const struct guest_mem *mem);

#endif
