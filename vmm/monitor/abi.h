/* SPDX-License-Identifier: MIT */
/*
 * What goes between the VMM and the monitor, version 3: a slot of shared memory for each vCPU. One side writes at a
 * time; `turn` says which.
 *
 *   VMM      request -> turn = MONITOR ................. reads reply <- turn = VMM
 *   monitor              copies the request, checks the copy, does it, writes reply, turn = VMM
 *
 * The VMM may give a call up, and the turn is the monitor's still. The next request waits for it: nothing is written into
 * the slot before the turn has come back. A reply has the number of its request.
 *
 * Each side takes the other for hostile: it copies what it reads once, and looks at the copy alone. Nothing in a slot
 * is a pointer. The monitor's secrets (frames, registers, key) are never in a slot. `content` is not copied first: the
 * monitor reads it once, into the frames, and measures these.
 */
#ifndef GNOMON_MONITOR_ABI_H
#define GNOMON_MONITOR_ABI_H

#include <gnomon/enclave.h>
#include <stdatomic.h>
#include <stddef.h>

#define MONITOR_ABI_VERSION 3
#define MONITOR_PAGE        4096

enum monitor_op {
	/* The guest kernel's calls: as enum gnomon_enclave_call, up to DESTROY. */
	MONITOR_CREATE,
	MONITOR_ADD,
	MONITOR_EXTEND,
	MONITOR_INIT,
	MONITOR_ENTER,
	MONITOR_RESUME,
	MONITOR_REMOVE,
	MONITOR_DESTROY,
	/* The VMM's own. */
	MONITOR_MAY_ADD, /* what ADD would say */
	MONITOR_QUERY,   /* of the enclave with this identifier, with the walk of `va` in it */
	MONITOR_RESET,   /* destroys all enclaves */
	MONITOR_AUDIT,   /* checks all invariants */
	MONITOR_WALKS,   /* counts the references of walks in a sealed enclave (monitor/walks.h) */
	MONITOR_NR_OPS
};

/* Of MONITOR_WALKS: what args[] has. */
enum monitor_walks_arg {
	MONITOR_WALKS_READING, /* enum walk_reading */
	MONITOR_WALKS_CACHE,   /* frames, WALK_CACHE_MAX at most */
	MONITOR_WALKS_SECOND,  /* levels of the second stage: 4, or 0 for none */
	MONITOR_WALKS_MOST     /* pages of a sweep, from the base on; 0: all */
};

struct monitor_request {
	uint32_t version; /* MONITOR_ABI_VERSION */
	uint32_t op;
	uint32_t id;
	uint32_t sequence;                  /* another one than that of the slot's last request */
	uint64_t va;                        /* ADD, EXTEND, REMOVE, QUERY; ENTER: the entry */
	uint64_t rights;                    /* ADD */
	uint64_t pages;                     /* ADD: in the slot's content; 0: one */
	uint64_t flags;                     /* ADD: GNOMON_ENCLAVE_MEASURE; INIT: GNOMON_ENCLAVE_EXPECT */
	uint64_t ticket;                    /* RESUME */
	uint64_t args[GNOMON_ENCLAVE_ARGS]; /* ENTER; RESUME: args[0] is the result; WALKS */
	struct gnomon_enclave_create create;
	uint8_t expected[GNOMON_ENCLAVE_MEASUREMENT]; /* INIT */
};

/* What is told of an enclave: sizes, state, numbers; no content. */
struct monitor_query {
	uint32_t state; /* enum enclave_state */
	uint32_t zero;
	struct gnomon_enclave_create create;
	uint64_t pages, tables, entries;
	uint64_t exits[GNOMON_ENCLAVE_FAULTED + 1];
	uint8_t measurement[GNOMON_ENCLAVE_MEASUREMENT];
};

/* As struct walk_check_refs. */
struct monitor_walks {
	uint64_t pages, sum, walked, checks, hits;
	uint32_t low, high;
};

/* An entry that a walk reads: of stage 1, or, to check where that leads, of the third stage. */
struct monitor_step {
	uint64_t at, entry; /* `at`: a machine address, or one in the third stage's tree */
	uint8_t level, row; /* row: level of the stage-1 entry that it is, or is read for; 0: the data */
	uint8_t third;      /* 1: of the third stage */
	uint8_t zero[5];
};

/*
 * Of a sealed enclave, in the order of a CPU that checks each machine address once. It tells where frames lie and what
 * tables say, which the kernel knows but for the frames' numbers; no content.
 */
#define MONITOR_STEPS 24
struct monitor_walk {
	uint32_t nr, mapped;
	struct monitor_step step[MONITOR_STEPS];
};

struct monitor_reply {
	uint32_t status;                 /* enum gnomon_enclave_status */
	uint32_t failed;                 /* the host refused, or an audit found something: the run cannot go on */
	struct gnomon_enclave_left left; /* ENTER, RESUME */
	struct monitor_query query;
	uint64_t enclaves, pages, tables; /* RESET: that there were; AUDIT: that there are */
	uint64_t stage_bytes; /* of the third stage's tables. RESET: as there were; AUDIT, QUERY: as there are */
	struct monitor_walks walks;
	struct monitor_walk walk; /* QUERY */
	uint32_t sequence, op; /* the request's */
};

enum monitor_turn { MONITOR_TURN_VMM, MONITOR_TURN_MONITOR };

struct monitor_slot {
	_Atomic uint32_t turn; /* a futex, too */
	_Atomic uint32_t kick; /* the VMM wants its vCPU back: the enclave that runs is interrupted */
	struct monitor_request request;
	struct monitor_reply reply;
	_Alignas(MONITOR_PAGE) uint8_t content[GNOMON_ENCLAVE_ADD_MAX][MONITOR_PAGE]; /* ADD */
};

_Static_assert(sizeof(struct monitor_request) == 176, "ABI");
_Static_assert(sizeof(struct monitor_query) == 152, "ABI");
_Static_assert(offsetof(struct monitor_reply, walks) == 256, "ABI");
_Static_assert(sizeof(struct monitor_reply) == 896, "ABI");
_Static_assert(offsetof(struct monitor_slot, reply) == 184, "ABI");

#endif
