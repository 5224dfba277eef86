/* SPDX-License-Identifier: MIT */
/*
 * The third stage: secure frame -> owner, rights, and the one address at which the frame may appear. It is one radix
 * tree for all enclaves (format_enclave.c), so that a frame cannot have two owners. No hardware walks it. Whoever
 * builds a view of an enclave asks it for each page; enclave_audit() asks again.
 *
 *   va  --stage 1 (view.c)-->  maddr  --stage 3-->  owner? rights? this va?
 *
 * Its depth is 1, 2 or 4 levels, chosen once: what a check costs in references and what the tree costs in memory are
 * those of a tree that exists.
 *
 *   levels   tables of                    a check reads
 *   1        one table for all frames     1
 *   2        512 entries under one table  2
 *   4        512 entries                  4
 *
 * Locks: none; one thread has it.
 */
#ifndef GNOMON_ENCLAVE_STAGE_H
#define GNOMON_ENCLAVE_STAGE_H

#include <gnomon/addr.h>

#include "base/log.h"
#include "pgtable/pt.h"

struct enclave_stage {
	struct pt pt;
	struct pt_format format; /* pt_enclave, of the chosen depth */
	struct pt_table *table;  /* all there are: table n has address n * PAGE_SIZE in an entry */
	unsigned nr_tables, used;
	struct pt_table *free;
	uint64_t frames;
};

struct enclave_frame {
	unsigned owner;      /* 1 and up */
	pt_attrs_t rights;   /* of PT_RWX; none for a frame that holds a table */
	uint64_t may_appear; /* at this address */
};

/* For `frames` frames from address 0. -EINVAL: `levels` is not 1, 2 or 4. -ENOMEM. enclave_stage_destroy() undoes it. */
int must_check enclave_stage_init(struct enclave_stage *s3, uint64_t frames, int levels);
/* A struct that is all zero is fine, too. */
void enclave_stage_destroy(struct enclave_stage *s3);

/* False: nobody owns it, or there is no such frame. *ret_frame is untouched then. */
bool enclave_stage_lookup(struct enclave_stage *s3, maddr_t at, struct enclave_frame *ret_frame);

/* A check as hardware would make it, with the entries of the tree that it reads. False: nobody owns the frame. */
bool enclave_stage_check(struct enclave_stage *s3, maddr_t at, unsigned *ret_reads);

/*
 * Gives `nr` frames in a row, which nobody owns, to their owner; each may appear one page after the one before. -EEXIST:
 * somebody owns one. -ENOMEM. Nothing is changed then.
 */
int must_check enclave_stage_assign(struct enclave_stage *s3, maddr_t at, uint64_t nr,
                                    const struct enclave_frame *first);

/*
 * Takes the frames in [at, at + size) from their owner, those that have one. The caller has taken them out of the owner's
 * view, and flushed.
 */
void enclave_stage_release(struct enclave_stage *s3, maddr_t at, uint64_t size);

/* Bytes of all its tables. */
uint64_t enclave_stage_bytes(const struct enclave_stage *s3);

#endif
