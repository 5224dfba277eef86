/* SPDX-License-Identifier: MIT */
/* The paging mode that leaves the second stage to KVM (vm/paging.h). Needs nothing of struct paging_config. */
#ifndef GNOMON_PAGING_NESTED_H
#define GNOMON_PAGING_NESTED_H

#include "vm/paging.h"

extern const struct paging_ops paging_nested;

#endif
