/* SPDX-License-Identifier: MIT */
/* What the files of this folder share; not for others. */
#ifndef GNOMON_ENCLAVE_INTERNAL_H
#define GNOMON_ENCLAVE_INTERNAL_H

#include "enclave/enclave.h"

#define ENCLAVE_HASH GNOMON_ENCLAVE_MEASUREMENT

/* Pages of an enclave whose hash can be due: those of one ADD. It bounds what INIT has to make up for. */
#define ENCLAVE_DUE_MAX GNOMON_ENCLAVE_ADD_MAX

/* Page n of an enclave is the page at base + n * PAGE_SIZE, in frame n of its run. */
struct enclave_page {
	bool added, measured, due;
	pt_attrs_t rights;
	uint8_t leaf[ENCLAVE_HASH]; /* of the measurement, if `measured`, and not `due` */
};

struct enclave {
	unsigned id;
	enum enclave_state state;
	struct gnomon_enclave_create create;
	struct enclaves *all;

	maddr_t memory; /* its run: nr_pages frames, then nr_tables */
	uint64_t nr_pages, nr_tables;
	struct enclave_page *page;
	uint64_t nr_added;
	/* A ring of page numbers, oldest first; those of pages that are no longer `due` are passed over. */
	uint64_t due[ENCLAVE_DUE_MAX], first_due, nr_due;

	struct pt view;         /* stage 1, from INIT on */
	struct pt_table *table; /* table n is frame nr_pages + n */
	struct pt_table *free_table;
	uint64_t tables_used;

	uint8_t measurement[ENCLAVE_HASH];
	struct enclave_context context;
	uint64_t ticket; /* of the exit that waits for its RESUME; 0: none */
	uint64_t entries, exits[GNOMON_ENCLAVE_FAULTED + 1];
};

struct enclaves {
	struct enclaves_config config;
	struct enclave_fixed *fixed;
	struct enclave_stage stage;
	struct enclave *enclave[GNOMON_ENCLAVE_MAX + 1]; /* by identifier; NULL: none */
};

/* The enclave that the call is for, in *ret_enclave, if its state allows the call. CREATE: NULL. */
enum gnomon_enclave_status enclave_find(const struct enclaves *all, unsigned id, enum gnomon_enclave_call call,
                                        struct enclave **ret_enclave);

static inline void *enclave_memory(const struct enclaves *all, maddr_t at)
{
	return all->config.memory + maddr_raw(at);
}

/* `va`: in the enclave. */
static inline struct enclave_page *enclave_page_at(const struct enclave *e, uint64_t va)
{
	return &e->page[(va - e->create.base) / PAGE_SIZE];
}

static inline maddr_t enclave_frame_of(const struct enclave *e, uint64_t va)
{
	return maddr_add(e->memory, (va - e->create.base) & PAGE_MASK);
}

/* Where its marshalling buffer lies. */
static inline maddr_t enclave_buffer(const struct enclave *e)
{
	return maddr_add(e->all->config.buffers, (uint64_t)e->id * GNOMON_ENCLAVE_BUFFER_MAX);
}

/* Bytes of its run. */
static inline uint64_t enclave_run_size(const struct enclave *e)
{
	return (e->nr_pages + e->nr_tables) * PAGE_SIZE;
}

/* ---- memory.c ---- */

/*
 * The lowest place where `size` bytes belong to no enclave; on a boundary of 2 MiB, if they fill that much and there is
 * such a place. False: there is none.
 */
bool enclave_find_run(const struct enclaves *all, uint64_t size, maddr_t *ret_at);

/* A frame goes back: nobody owns it any more, and nothing is left in it. */
void enclave_free_frame(struct enclaves *all, maddr_t at);

/* All that an enclave has goes back likewise, at once. */
void enclave_free_run(struct enclave *e);

/* ---- measure.c ---- */

/* The leaf of an added page: address and rights; with `content` its content, too. */
void enclave_measure_page(uint64_t va, pt_attrs_t rights, const void *content, uint8_t ret_leaf[ENCLAVE_HASH]);
/* The page's content is to be hashed by INIT at the latest. Until then nothing can change it but its removal. */
void enclave_measure_later(struct enclave *e, uint64_t va);
/* Hashes the page that is due longest. False: none is. */
bool enclave_measure_due(struct enclave *e);
/* The measurement of what was added, in the order of addresses. Nothing is due. */
void enclave_measure(const struct enclave *e, uint8_t ret_measurement[ENCLAVE_HASH]);

/* ---- view.c ---- */

/* Tables that the view can need. */
uint64_t enclave_view_tables(const struct enclaves *all, const struct gnomon_enclave_create *create);
/* Builds it from the added pages, each of which the third stage must allow. -ENOMEM: nothing is left. */
int must_check enclave_view_build(struct enclave *e);
void enclave_view_destroy(struct enclave *e);
/* The same, without its frames: enclave_free_run() follows. */
void enclave_view_forget(struct enclave *e);
/* Takes a page out. The enclave does not run, and flushes when it goes on. */
void enclave_view_remove(struct enclave *e, uint64_t va);

#endif
