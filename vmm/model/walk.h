/* SPDX-License-Identifier: MIT */
/*
 * How many memory references the page walk of one TLB miss makes, exactly, with no
 * page-walk cache and no large page unless the levels say so. A leaf above level 1 shortens a walk: 4-level tables
 * are walked in 4 references to a 4 KiB leaf, in 3 to a 2 MiB one. Levels are 1 to 5.
 *
 *   1-D   native, or tables that a hypervisor composed: each level once
 *   2-D   each of the guest's Lg entries and the final address is a guest physical address with a walk of
 *         Lh references of its own: (Lg + 1) * Lh + Lg = (Lg + 1)(Lh + 1) - 1
 *   3-D   as 2-D, and an enclave stage of depth Le (0: none) checks machine addresses
 */
#ifndef GNOMON_MODEL_WALK_H
#define GNOMON_MODEL_WALK_H

#define WALK_MAX_LEVELS 5

/* Tables read on the way to a leaf that lies under `levels` of them. */
unsigned walk_refs_1d(int levels);

/* Intel SDM 3C 29.3, AMD APM 2 15.25. */
unsigned walk_refs_2d(int guest_levels, int host_levels);

/* The enclave stage checks the result of each of the Lg + 1 host walks once: 2-D + (Lg + 1) * Le. */
unsigned walk_refs_3d_once(int guest_levels, int host_levels, int enclave_levels);

/* The enclave stage checks every access, the data's included, as Arm's granule protection does:
 * (Lg + 1)(Lh + 1)(1 + Le) - 1. */
unsigned walk_refs_3d_every(int guest_levels, int host_levels, int enclave_levels);

#endif
