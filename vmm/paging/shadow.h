/* SPDX-License-Identifier: MIT */
/*
 * The paging mode in which Gnomon composes the CPU's tables itself (vm/paging.h, shadow/shadow.h). Needs libZydis and
 * KVM_CAP_SYNC_REGS.
 */
#ifndef GNOMON_PAGING_SHADOW_H
#define GNOMON_PAGING_SHADOW_H

#include "vm/paging.h"

extern const struct paging_ops paging_shadow;

#endif
