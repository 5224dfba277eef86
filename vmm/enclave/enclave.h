/* SPDX-License-Identifier: MIT */
/*
 * Enclaves: what a guest's programs keep from their own kernel, and from the VMM that runs it. This folder decides who
 * may do what when; it knows no KVM and no process. The monitor gives it secure memory and runs what it allows.
 *
 *             CREATE            INIT             ENTER
 *   (none) -----------> building -----> ready <---------> running <------.
 *      ^                 ADD EXTEND       |       EXIT     |    |  RESUME |
 *      |                    |             |       CALL_OUT |    | AEX     |
 *      `---- DESTROY -------+-------------+---- called out <    > interrupted
 *
 * Secure memory is an array of frames; a frame's machine address is its offset in it. An enclave has one run of frames:
 *
 *   | one frame for each page of [base, base + size), absent until ADD | stage-1 tables |
 *
 * so that one memslot holds all that it can ever reach. Each frame in use has an entry in the third stage (stage.h).
 * The enclave's stage-1 tables are built at INIT from the pages that were added, and from nothing else (view.c).
 *
 * Errors: an `enum gnomon_enclave_status`. If several apply, the first in this order wins: identifier, state, the
 * arguments in the order of their declaration, memory. A call that fails changes nothing.
 *
 * Locks: none; one thread has it. Flushes: no call changes the view of an enclave that runs. After a REMOVE whoever
 * runs it forgets what was taken from the view (monitor/enclave_vm.h) before it runs again.
 */
#ifndef GNOMON_ENCLAVE_ENCLAVE_H
#define GNOMON_ENCLAVE_ENCLAVE_H

#include <gnomon/addr.h>
#include <gnomon/enclave.h>

#include "enclave/stage.h"

struct enclaves; /* all of one VM */

enum enclave_state {
	ENCLAVE_NONE,
	ENCLAVE_BUILDING,
	ENCLAVE_READY,
	ENCLAVE_RUNNING,
	ENCLAVE_CALLED_OUT,
	ENCLAVE_INTERRUPTED,
	ENCLAVE_NR_STATES
};

/* What every view has besides the enclave and its buffer: the stub's pages, for the supervisor alone. */
struct enclave_fixed {
	uint64_t va, size;
	maddr_t maddr; /* beyond secure memory */
	pt_attrs_t attrs;
};

struct enclaves_config {
	uint8_t *memory; /* secure memory, zero; the caller's, and must outlive the enclaves */
	uint64_t size;   /* whole pages */
	int levels;      /* of the third stage: 1, 2 or 4 */
	maddr_t buffers; /* of the marshalling buffers, beyond `size`: enclave n's at n * GNOMON_ENCLAVE_BUFFER_MAX */
	const struct enclave_fixed *fixed; /* copied */
	unsigned nr_fixed;
	/* Tells that frames [at, at + size) are one enclave's from now on: the host may choose their pages. NULL is fine. */
	void (*claim)(void *ctx, maddr_t at, uint64_t size);
	/* Tells that frames [at, at + size) will be written now: the host may provide them at once. NULL is fine. */
	void (*populate)(void *ctx, maddr_t at, uint64_t size);
	/* Gives frames [at, at + size) to the host, which provides zeroes next time. False: it did not take them. NULL is fine. */
	bool (*discard)(void *ctx, maddr_t at, uint64_t size);
	void *ctx;
};

/* NULL, with errno: EINVAL, ENOMEM. */
struct enclaves *enclaves_create(const struct enclaves_config *config);
/* Erases the secure memory that was in use. NULL is fine. */
void enclaves_destroy(struct enclaves *all);

/* ---- the kernel's calls ---- */

enum gnomon_enclave_status enclave_create(struct enclaves *all, unsigned id,
                                          const struct gnomon_enclave_create *create);
/* Pages of one ADD, in a row. */
struct enclave_batch {
	uint64_t va, pages; /* 0: one page; GNOMON_ENCLAVE_ADD_MAX at most */
	uint64_t rights;
	uint64_t flags; /* GNOMON_ENCLAVE_MEASURE */
};

/*
 * `content`: so many pages. It is copied, and only the copy is measured: others may change it meanwhile. All pages are
 * added, or none. Their hashes may be due until INIT; enclaves_measure_due() makes them earlier.
 */
enum gnomon_enclave_status enclave_add_batch(struct enclaves *all, unsigned id, const struct enclave_batch *batch,
                                             const void *content);
/* One page, not measured. */
enum gnomon_enclave_status enclave_add(struct enclaves *all, unsigned id, uint64_t va, uint64_t rights,
                                       const void *content);
/* What enclave_add_batch() would say but for NO_MEMORY, before the pages are taken from the guest. */
enum gnomon_enclave_status enclave_may_add(const struct enclaves *all, unsigned id, const struct enclave_batch *batch);
/* The page's content becomes part of the measurement. Address and rights are from ADD on. */
enum gnomon_enclave_status enclave_extend(struct enclaves *all, unsigned id, uint64_t va);
/* For who has nothing else to do: hashes one page of any enclave. False: none is due. */
bool enclaves_measure_due(struct enclaves *all);
/* What enclave_init() would say of identifier and state. */
enum gnomon_enclave_status enclave_may_init(const struct enclaves *all, unsigned id);
/* `expected`: GNOMON_ENCLAVE_MEASUREMENT bytes, or NULL. After BAD_MEASUREMENT it can still be built on. */
enum gnomon_enclave_status enclave_init(struct enclaves *all, unsigned id, const uint8_t *expected);
/* Takes an INIT back: it can be built on. For who cannot run what was sealed; it never ran. */
void enclave_unseal(struct enclaves *all, unsigned id);
/* Begins a run at `entry`, which must be the declared one. enclave_context() has the registers. */
enum gnomon_enclave_status enclave_enter(struct enclaves *all, unsigned id, uint64_t entry,
                                         const uint64_t args[GNOMON_ENCLAVE_ARGS]);
/* Goes on. `result` is the answer to a call out; after an interrupt or fault it has no meaning. */
enum gnomon_enclave_status enclave_resume(struct enclaves *all, unsigned id, uint64_t ticket, uint64_t result);
/* Erases the page. An enclave that is left can lose pages; it faults when it needs them. */
enum gnomon_enclave_status enclave_remove(struct enclaves *all, unsigned id, uint64_t va);
enum gnomon_enclave_status enclave_destroy(struct enclaves *all, unsigned id);

/* ---- the running enclave's ---- */

/* By the number that instructions encode. Floating-point and vector registers stay in the enclave's own vCPU. */
struct enclave_context {
	uint64_t gpr[16];
	uint64_t rip, rflags;
	bool in_vcpu; /* an interrupt left everything in the vCPU, where it goes on; the fields above are old */
	bool begins;  /* an ENTER: segments, too, are to be as at the first one */
};

/* The registers of a running enclave: loaded before it goes on, stored when it was left. NULL: it does not run. */
struct enclave_context *enclave_context(struct enclaves *all, unsigned id);

/* The running enclave's own [va, va + size), in one page that it can write. NULL: it has no such page. */
void *enclave_writable(const struct enclaves *all, unsigned id, uint64_t va, uint64_t size);

/*
 * The enclave was left: EXIT(value), CALL_OUT(number, args) or AEX. *ret_left is all that the kernel learns. A fault's
 * address is told by its page. NOT_RUNNING: it does not run.
 */
enum gnomon_enclave_status enclave_exit(struct enclaves *all, unsigned id, uint64_t value,
                                        struct gnomon_enclave_left *ret_left);
enum gnomon_enclave_status enclave_call_out(struct enclaves *all, unsigned id, uint64_t number,
                                            const uint64_t args[GNOMON_ENCLAVE_ARGS],
                                            struct gnomon_enclave_left *ret_left);
enum gnomon_enclave_status enclave_interrupted(struct enclaves *all, unsigned id, struct gnomon_enclave_left *ret_left);
enum gnomon_enclave_status enclave_faulted(struct enclaves *all, unsigned id, unsigned vector, uint64_t address,
                                           struct gnomon_enclave_left *ret_left);

/* ---- looking ---- */

struct enclave_info {
	enum enclave_state state;
	struct gnomon_enclave_create create;
	uint64_t pages, tables; /* in secure memory */
	uint64_t entries;       /* ENTERs and RESUMEs */
	uint64_t exits[GNOMON_ENCLAVE_FAULTED + 1];
	uint8_t measurement[GNOMON_ENCLAVE_MEASUREMENT]; /* from INIT on */
	maddr_t memory;                                  /* its run of frames */
	uint64_t size;
	maddr_t root; /* of its stage-1 tables, from INIT on */
	maddr_t buffer;
};

/* False: none of this id. */
bool enclave_look(const struct enclaves *all, unsigned id, struct enclave_info *ret_info);
const char *enclave_state_name(enum enclave_state state);
const char *enclave_status_words(enum gnomon_enclave_status status);
struct enclave_stage *enclave_stage(struct enclaves *all);

/* What may happen in which state: the one table. OK, or why not. */
enum gnomon_enclave_status enclave_allows(enum enclave_state state, enum gnomon_enclave_call call);

/*
 * Checks that the third stage, the enclaves and their stage-1 tables say the same, and that nothing else is mapped
 * anywhere. 0, or -EBADMSG with a sentence.
 */
int must_check enclave_audit(struct enclaves *all, const char **ret_what);

#endif
