/* SPDX-License-Identifier: MIT */
/*
 * `walk` against the guest's own accesses: what both sides know.
 *
 *   harness (drive.c)                              guest (guest.c)
 *     SCENE, a seed and a mode           -------->   random tables below 8 slots of CR3's table; control registers
 *     PREPARE, an address and an access  -------->   RFLAGS.AC, if asked for; waits at CPL 0
 *     `walk` at the socket
 *     TOUCH                              -------->   makes the access, tells vector, error code, CR2, page frame
 *     compares
 *
 * Each page of the arena holds its own frame number, as data and in code. The mailbox lies in guest memory; the harness
 * reaches it through the VMM's process (tests/stress/slice/drive.h).
 */
#ifndef TESTS_STRESS_WALKED_H
#define TESTS_STRESS_WALKED_H

#include <stdint.h>

#define WALKED_MAILBOX 0x1500000
#define WALKED_TABLES  0x1800000 /* frames: 8 of level 3, 8 of level 2, 16 of level 1 */
#define WALKED_ARENA   0x2000000
#define WALKED_BYTES   0x1000000 /* of the arena */
#define WALKED_NOWHERE 0x8000000 /* no memory is there */

/* Indices that are used, 8 of each level; those of level 2 lead into the arena through a page of 1 GiB, too. */
#define WALKED_SLOTS  8
#define WALKED_SLOT_4 4
#define WALKED_SLOT_2 16

/* What is accessed in a page, and the frame's number there. */
#define WALKED_DATA        64
#define WALKED_KERNEL_CODE 16
#define WALKED_USER_CODE   32

enum walked_what { WALKED_SCENE = 1, WALKED_PREPARE, WALKED_TOUCH };

/* Of a scene */
#define WALKED_WP   1
#define WALKED_NXE  2
#define WALKED_SMEP 4
#define WALKED_SMAP 8

struct walked_mailbox {
	/* Written by the harness, `turn` last. */
	uint64_t turn, what;
	uint64_t seed, mode;                /* SCENE */
	uint64_t address, access, user, ac; /* access: 0 read, 1 write, 2 fetch; ac: 1 by STAC, 2 by POPF */
	/* Written by the guest, `done` last. */
	_Alignas(64) uint64_t done;
	uint64_t vector, error, cr2; /* vector 255: none */
	uint64_t frame, landed;      /* of the page; whether a write is found there */
};

/* Below `below`, by a generator of xorshift kind (G. Marsaglia 2003); *dice is not 0. */
static inline uint64_t walked_draw(uint64_t *dice, uint64_t below)
{
	*dice ^= *dice << 13;
	*dice ^= *dice >> 7;
	*dice ^= *dice << 17;
	return (*dice >> 11) % below;
}

#endif
