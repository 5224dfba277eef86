/* SPDX-License-Identifier: MIT */
/*
 * Guest memory that goes to an enclave and comes back.
 *
 *   lend       the steps of reclaim (vm/reclaim.h) for pages in a row. When no CPU reaches them any more their content is
 *              copied; then the host has them back. All go, or none
 *   give back  the steps of release: the guest finds zeroes
 *   share      shared memory takes the place of pages that stay the guest's: a marshalling buffer. It reads as that memory
 *   unshare    private memory again, zeroed
 *
 * Each takes both locks. From a vCPU's thread only outside the guest and the handlers of exits: an errand (vm/vcpu.h).
 *
 *   -EINVAL    not whole pages of RAM, or less than a page of the host
 *   -EALREADY  it is not in the guest's hands, or with give back and unshare in no enclave's
 *   -EPERM     it is an enclave's
 *   -ENOMEM    see vm_reclaim()
 *   -EBUSY     another change takes too long
 */
#ifndef GNOMON_VM_LEND_H
#define GNOMON_VM_LEND_H

#include "vm/vm.h"

/* `to` is the enclave's identifier; ret_content has room for `size` bytes. CPUs are kept out while these are copied. */
int must_check vm_lend(struct vm *vm, gpa_t gpa, uint64_t size, unsigned to, void *ret_content);
/* `content`: what the pages shall have, NULL: zeroes. All come back, or none. Others wait for the locks meanwhile. */
int must_check vm_give_back(struct vm *vm, gpa_t gpa, uint64_t size, const void *content);

/* The pages read as [offset, offset + size) of `fd` from now on. */
int must_check vm_share(struct vm *vm, gpa_t gpa, uint64_t size, unsigned with, int fd, uint64_t offset);
int must_check vm_unshare(struct vm *vm, gpa_t gpa, uint64_t size);

/* The enclave that has some of the range; 0: none. Any thread, with no lock of the VM held. */
unsigned vm_lent_to(struct vm *vm, gpa_t gpa, uint64_t size);

#endif
