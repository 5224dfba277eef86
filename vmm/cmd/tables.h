/* SPDX-License-Identifier: MIT */
/* Parts of `gnomon tables`: a reply to `query-tables` as structs, its sums, and what is shown of it. */
#ifndef GNOMON_CMD_TABLES_H
#define GNOMON_CMD_TABLES_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/log.h"

#define TABLES_LEVELS 5

/* As struct pt_node (pgtable/fold.h). */
struct table_node {
	int level;
	unsigned index, entries;
	uint64_t first, last, entry, to;
	bool leaf;
	const char *flags;   /* the reply's */
	const json_t *below; /* its bytes by what they lie on; NULL: that is not told */
};

struct table_tree {
	char title[320]; /* "vCPUs 0-2 5: root 0x1f8000, x86-64" */
	uint64_t root;
	struct table_node *node; /* what stands below a node follows it, at lower levels */
	size_t nr;
};

struct tables {
	json_t *reply;
	struct table_tree *tree;
	size_t nr;
	const json_t *memory; /* of a snapshot, in place of trees: ranges; NULL: there are trees */
	const json_t *third;  /* of enclaves, in place of trees: sizes of the third stage; NULL: there are trees */
	bool cut;             /* something was left out */
};

/* Takes the reply over. -EPROTO, logged: it is none; -ENOMEM, logged. tables_free() undoes it, also after an error. */
int must_check tables_load(json_t *reply, struct tables *ret_tables);
void tables_free(struct tables *t);

/* An address that is a member of `object`. False: it is none. */
bool tables_address(const json_t *object, const char *name, uint64_t *ret_value);

struct tables_sum {
	uint64_t pages[TABLES_LEVELS + 1]; /* by level */
	uint64_t bytes;                    /* that they map */
	uint64_t tables, places;           /* tables, and where they are linked, the root's included */
	uint64_t entries;                  /* present ones, in each place */
	uint64_t holes;                    /* between the first and the last page */
	uint64_t shared_tables;            /* linked at more than one place */
	uint64_t again;                    /* bytes that are mapped once more than before */
};

/* Of one tree. -ENOMEM, logged. */
int must_check tables_sum(const struct table_tree *t, struct tables_sum *ret_sum);

/* Bytes that a node maps: a leaf's pages. */
uint64_t table_node_bytes(const struct table_node *n);

/* "4 KiB", "2 MiB", "1 GiB": a page of this level. */
const char *table_page_name(int level);

/* Trees in columns, each with its sums. -ENOMEM, logged. */
int must_check tables_print(const struct tables *t, FILE *to);

/* "2m 2044 KiB, hole 4 KiB": bytes by a word for what they lie on. Just the word when `bytes` lie on one thing. */
void tables_put_below(const json_t *below, uint64_t bytes, FILE *to);

/* A line that sums that up of the pages of a tree; nothing where it is not told. */
void tables_put_below_sum(const struct table_tree *t, FILE *to);

/* What a snapshot has of memory: a line for each range, and the sums. */
void tables_put_memory(const json_t *memory, FILE *to);

/* Sizes of the third stage and a line for each enclave, from such a reply. */
void tables_put_enclaves(const json_t *reply, FILE *to);

/* A line for each node that maps a byte of the page frame, or whose table lies there. */
void tables_print_frame(const struct tables *t, uint64_t frame, FILE *to);

/* A page that unfolds. -ENOMEM, logged. */
int must_check tables_write_html(const struct tables *t, FILE *to);

/* The sums as lines, each ended by a newline. */
void tables_put_sum(const struct tables_sum *s, FILE *to);

/* Tables that are linked at more than one place, of one tree or of several, and where. -ENOMEM, logged. */
int must_check tables_put_shared(const struct tables *t, FILE *to);

#endif
