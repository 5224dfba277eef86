/* SPDX-License-Identifier: MIT */
/*
 * Which pages of guest memory were written, by whomever, since the last look: KVM's log of what the guest's CPUs store,
 * the VMM's own notes (stage2/written.h), and the buffers that the guest shares with an enclave, which stores into them
 * unseen.
 *
 * Both modes have the same log. In shadow mode, too, the guest's memory lies in KVM's memslots, so KVM sees each store
 * through a shadow entry at 4 KiB. The D bits of shadow entries would not do: a leaf of 2 MiB has one for all of its
 * pages, a fresh leaf has it set beforehand, and only the stub could clear it, page by page.
 *
 *   begin    KVM write-protects all of the memory, and logs the first store to each page
 *   take     KVM write-protects the logged pages again
 *   end      KVM maps by large pages again where it can
 *
 * Fingerprints and snapshots look at different times. What one look takes from the log, all readers get.
 *
 * Threads: one at a time calls these, and vm_set_memslots(), at which KVM forgets its log: all pages count as written.
 */
#ifndef GNOMON_VM_DIRTY_H
#define GNOMON_VM_DIRTY_H

#include "vm/vm.h"

/* Pages from address 0 to the end of guest memory: as many bits has a map of them. */
uint64_t vm_dirty_pages(const struct vm *vm);
/* Words of such a map. */
uint64_t vm_dirty_words(const struct vm *vm);

/* Who wants to know: the log itself can be read once, and each reader has what it did not take yet. */
struct dirty_reader {
	struct dirty_reader *next;
	uint64_t *pages; /* a bit for each; NULL: it has not begun */
};

/*
 * Begins to log for `r`, which is all zero or has begun; 0 also then. What was written earlier is not known, and may be in
 * the next look. -ENOMEM, -errno of KVM.
 */
int must_check vm_dirty_begin(struct vm *vm, struct dirty_reader *r);
/* Does nothing unless it was begun. With the last reader the log ends. */
void vm_dirty_end(struct vm *vm, struct dirty_reader *r);

/*
 * Adds the pages that were written since vm_dirty_begin() or this reader's last look to `into`, and forgets them for it.
 * Each store that came before is in it. -errno of KVM: all pages count as written, for all readers.
 */
int must_check vm_dirty_take(struct vm *vm, struct dirty_reader *r, uint64_t *into);
/* Undoes a look: the next one has these pages, too. */
void vm_dirty_put_back(struct vm *vm, struct dirty_reader *r, const uint64_t *pages);

#endif
