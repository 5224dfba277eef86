/* SPDX-License-Identifier: MIT */
/*
 * Enclaves as a guest sees them, version 1: calls, their results, why an enclave was left, and what a report holds.
 * Append-only: a number once given keeps its meaning. docs/enclave.md has the lifecycle as a picture.
 */
#ifndef GNOMON_ENCLAVE_H
#define GNOMON_ENCLAVE_H

#include <stdint.h>

#define GNOMON_ENCLAVE_VERSION 1
#define GNOMON_ENCLAVE_MAX     64 /* identifiers are 1 to this; the kernel chooses */

#define GNOMON_ENCLAVE_MEASUREMENT 32 /* bytes: BLAKE2b-256 */
#define GNOMON_ENCLAVE_NONCE       32
#define GNOMON_ENCLAVE_USER_DATA   64
#define GNOMON_ENCLAVE_SIGNATURE   64 /* Ed25519 */
#define GNOMON_ENCLAVE_ARGS        4

/* Rights of a page. W and X exclude each other. */
#define GNOMON_ENCLAVE_R 1u
#define GNOMON_ENCLAVE_W 2u
#define GNOMON_ENCLAVE_X 4u

/* Addresses an enclave can have: the lower half, without the first 64 KiB and without the last page. */
#define GNOMON_ENCLAVE_LOWEST  0x0000000000010000
#define GNOMON_ENCLAVE_HIGHEST 0x00007ffffffff000 /* the first that it cannot have */

/* Pages that one ADD can have. */
#define GNOMON_ENCLAVE_ADD_MAX 128

/* The largest marshalling buffer, the memory that an enclave and its guest both see. */
#define GNOMON_ENCLAVE_BUFFER_MAX (1u << 20)

enum gnomon_enclave_call {
	/* the kernel's */
	GNOMON_ENCLAVE_CREATE,
	GNOMON_ENCLAVE_ADD,
	GNOMON_ENCLAVE_EXTEND,
	GNOMON_ENCLAVE_INIT,
	GNOMON_ENCLAVE_ENTER,
	GNOMON_ENCLAVE_RESUME,
	GNOMON_ENCLAVE_REMOVE,
	GNOMON_ENCLAVE_DESTROY,
	/* the enclave's own */
	GNOMON_ENCLAVE_EXIT,
	GNOMON_ENCLAVE_CALL_OUT,
	GNOMON_ENCLAVE_REPORT,
	/* nobody's: an interrupt or a fault, the asynchronous exit */
	GNOMON_ENCLAVE_AEX,
	/* the enclave's own */
	GNOMON_ENCLAVE_KEY,
	GNOMON_ENCLAVE_NR_CALLS
};

enum gnomon_enclave_status {
	GNOMON_ENCLAVE_OK,
	GNOMON_ENCLAVE_BAD_CALL,        /* no such call */
	GNOMON_ENCLAVE_BAD_ID,          /* not 1 to GNOMON_ENCLAVE_MAX */
	GNOMON_ENCLAVE_ABSENT,          /* there is no enclave of this id */
	GNOMON_ENCLAVE_EXISTS,          /* there is one already */
	GNOMON_ENCLAVE_SEALED,          /* INIT has been: it can no longer be built */
	GNOMON_ENCLAVE_NOT_SEALED,      /* INIT has not been: it cannot run yet */
	GNOMON_ENCLAVE_BUSY,            /* it runs, or waits for its RESUME */
	GNOMON_ENCLAVE_NOT_LEFT,        /* RESUME of one that was neither interrupted nor called out */
	GNOMON_ENCLAVE_NOT_RUNNING,     /* a call that only a running enclave can make */
	GNOMON_ENCLAVE_BAD_RANGE,       /* base or size of an enclave */
	GNOMON_ENCLAVE_BAD_ENTRY,       /* not in the enclave; no executable page there; not the declared one */
	GNOMON_ENCLAVE_BAD_STACK,       /* not in the enclave, or not a multiple of 16 */
	GNOMON_ENCLAVE_BAD_BUFFER,      /* the marshalling buffer's address or size */
	GNOMON_ENCLAVE_BAD_FLAGS,       /* bits that have no meaning yet */
	GNOMON_ENCLAVE_BAD_ADDRESS,     /* a page's: not aligned, or outside the enclave */
	GNOMON_ENCLAVE_BAD_RIGHTS,      /* not R, RW or RX */
	GNOMON_ENCLAVE_PAGE_EXISTS,     /* a page was added at this address already */
	GNOMON_ENCLAVE_NO_PAGE,         /* none was */
	GNOMON_ENCLAVE_MEASURED,        /* the page was measured already */
	GNOMON_ENCLAVE_BAD_MEASUREMENT, /* it is not the expected one */
	GNOMON_ENCLAVE_BAD_TICKET,      /* not what the last exit gave: forged, stale, or another enclave's */
	GNOMON_ENCLAVE_NO_MEMORY,       /* the secure memory is full, or the host has none */
	GNOMON_ENCLAVE_BAD_PAGE, /* not memory that the guest can give: none, given already, or less than a host page */
	GNOMON_ENCLAVE_OFF,      /* this VM has no secure memory (gnomon run --enclave-memory) */
	GNOMON_ENCLAVE_BAD_COUNT, /* more than GNOMON_ENCLAVE_ADD_MAX pages in one ADD; too many walks to count */
	GNOMON_ENCLAVE_NR_STATUS
};

/* Why ENTER or RESUME came back. */
enum gnomon_enclave_reason {
	GNOMON_ENCLAVE_EXITED,      /* value: what it returned */
	GNOMON_ENCLAVE_CALLED_OUT,  /* value: the number of the call; args: its own */
	GNOMON_ENCLAVE_INTERRUPTED, /* for the kernel; nothing is told */
	GNOMON_ENCLAVE_FAULTED,     /* value: the vector; address: of a page fault, of its page */
};

struct gnomon_enclave_create {
	uint64_t base, size; /* whole pages of the program's address space */
	uint64_t entry;      /* where ENTER begins */
	uint64_t stack;      /* RSP there: 16-byte aligned, above `base` */
	uint64_t buffer;     /* address of the marshalling buffer, outside the enclave; 0: none */
	uint64_t buffer_size;
	uint64_t flags; /* 0 */
};
_Static_assert(sizeof(struct gnomon_enclave_create) == 56, "ABI");

struct gnomon_enclave_left {
	uint32_t reason; /* enum gnomon_enclave_reason */
	uint32_t zero;
	uint64_t value;
	uint64_t address;
	uint64_t args[GNOMON_ENCLAVE_ARGS];
	uint64_t ticket; /* RESUME wants it; 0 after an EXIT */
};
_Static_assert(sizeof(struct gnomon_enclave_left) == 64, "ABI");

/*
 * What a guest kernel writes the address of to GNOMON_PORT_ENCLAVE. It lies on a multiple of its size. The VMM reads it
 * once, and writes `status` and, after ENTER and RESUME, `left` when the call is done. A request that lies outside
 * memory, or names another version, kills the guest.
 *
 *   CREATE   id, create; gpa: `buffer_size` bytes of RAM in a row that become the marshalling buffer, zeroed, until DESTROY.
 *            No page table may lie there: where Gnomon walks the tables itself (shadow mode) it kills the guest for it
 *   ADD      id, va, rights; gpa: the page, whose content goes into the enclave. The guest loses it. It comes back zeroed at
 *            REMOVE or DESTROY. A guest that accesses it meanwhile is killed. args[0]: so many pages, in a row from va and
 *            from gpa; 0: one. All are added or none: after an error the guest has them with their content. With
 *            GNOMON_ENCLAVE_MEASURE in flags each is measured, as EXTEND does
 *   EXTEND   id, va
 *   INIT     id; expected, if flags has GNOMON_ENCLAVE_EXPECT
 *   ENTER    id, va: the entry; args
 *   RESUME   id, ticket; args[0]: the answer to a call out
 *   REMOVE   id, va
 *   DESTROY  id
 */
struct gnomon_enclave_request {
	uint32_t version; /* GNOMON_ENCLAVE_VERSION */
	uint32_t call;    /* enum gnomon_enclave_call, up to DESTROY */
	uint32_t id;
	uint32_t status; /* the answer: enum gnomon_enclave_status */
	uint64_t va;
	uint64_t rights;
	uint64_t gpa;
	uint64_t ticket;
	uint64_t args[GNOMON_ENCLAVE_ARGS];
	uint64_t flags;
	struct gnomon_enclave_create create;
	uint8_t expected[GNOMON_ENCLAVE_MEASUREMENT];
	struct gnomon_enclave_left left; /* the answer */
	uint64_t zero[2];
};
_Static_assert(sizeof(struct gnomon_enclave_request) == 256, "ABI");
#define GNOMON_ENCLAVE_EXPECT  1u /* INIT */
#define GNOMON_ENCLAVE_MEASURE 2u /* ADD */

/* Pages that one count of walks can go over. */
#define GNOMON_ENCLAVE_WALKS_MAX 4608

/*
 * For GNOMON_PORT_ENCLAVE_WALKS: counted over the tables of a sealed enclave as they stand, in the second of two sweeps
 * over its first pages, GNOMON_ENCLAVE_WALKS_MAX at most: else BAD_COUNT. Of a second stage the tables are made for the count. The rules for a request that
 * is no good are those above.
 */
struct gnomon_enclave_walks {
	uint32_t version; /* GNOMON_ENCLAVE_VERSION */
	uint32_t id;
	uint32_t every;  /* 0: each machine address of a walk is checked once; 1: each access is */
	uint32_t cache;  /* frames that a check cache has, 256 at most */
	uint32_t second; /* levels of the second stage: 4, or 0 for none */
	/* The answer: */
	uint32_t status;       /* enum gnomon_enclave_status */
	uint64_t pages;        /* walks, one to each */
	uint64_t sum;          /* of the entries that they read, with their checks */
	uint64_t walked;       /* among them those of stage 1 and of the second stage */
	uint64_t checks, hits; /* and how many of the checks the cache answered */
	uint32_t low, high;    /* the fewest and the most entries of one walk */
	uint64_t most; /* asked for, not answered: a sweep goes over so many pages from the base on; 0: over all */
	uint64_t zero[6];
};
_Static_assert(sizeof(struct gnomon_enclave_walks) == 128, "ABI");

/* All but the signature is signed, in this layout. Numbers are little-endian. */
struct gnomon_enclave_report {
	char magic[8]; /* GNOMON_ENCLAVE_REPORT_MAGIC */
	uint32_t version;
	uint32_t zero;
	uint64_t base, size, flags;
	uint8_t measurement[GNOMON_ENCLAVE_MEASUREMENT];
	uint8_t nonce[GNOMON_ENCLAVE_NONCE];
	uint8_t user_data[GNOMON_ENCLAVE_USER_DATA];
	uint8_t signature[GNOMON_ENCLAVE_SIGNATURE];
};
_Static_assert(sizeof(struct gnomon_enclave_report) == 232, "ABI");
#define GNOMON_ENCLAVE_REPORT_MAGIC "GNMNREPT"

/*
 * FS.base is the enclave's base, where code that a compiler gave a stack protector finds a guard (%fs:0x28). An enclave calls
 * with SYSCALL: the number of the call in RAX, which also has the status of one that comes back; RCX and
 * R11 are lost.
 *   EXIT      RDI value
 *   CALL_OUT  RDI number; RSI, RDX, R8, R9 arguments. RAX: the kernel's answer
 *   REPORT    RDI address of a struct gnomon_enclave_ask, in one page that the enclave can write
 *   KEY       RDI address of GNOMON_ENCLAVE_KEY_BYTES, likewise: a secret that only enclaves of this measurement get, and
 *             only in this run
 */
#define GNOMON_ENCLAVE_KEY_BYTES 32

struct gnomon_enclave_ask {
	uint8_t nonce[GNOMON_ENCLAVE_NONCE];
	uint8_t user_data[GNOMON_ENCLAVE_USER_DATA];
	struct gnomon_enclave_report report; /* what comes back */
};
_Static_assert(sizeof(struct gnomon_enclave_ask) == 328, "ABI");

#endif
