/* SPDX-License-Identifier: MIT */
/*
 * Counts the references of a running guest's page walks: in its tables as they stand, or in those of its shadow, with
 * the leaf that KVM has below each of them (model/walk_live.h). It does not know what KVM splits for reasons of its
 * own: executable pages under nx_huge_pages, memory whose writes are logged.
 */
#ifndef GNOMON_PLATFORM_WALKS_H
#define GNOMON_PLATFORM_WALKS_H

#include "vm/vcpu.h"
#include "model/walk_live.h"

/*
 * Counts walks of the vCPU's CPL 3 to [first, first + bytes), with the tables in its CR3. No page counts where the
 * second stage is not known, paging is off, or the shadow has no such tables. Only from the vCPU's own thread, in an
 * exit.
 */
void vcpu_count_walks(struct vcpu *vcpu, gva_t first, uint64_t bytes, struct walk_refs *ret_refs);

#endif
