/* SPDX-License-Identifier: MIT */
/*
 * A snapshot's file looked at as a machine that stands still: its guest's tables, and what the file has of its memory.
 * Pages are read and checked when they are needed. What a snapshot does not have: shadow tables, the second stage's
 * tables, and enclaves.
 */
#ifndef GNOMON_VIEW_FILE_H
#define GNOMON_VIEW_FILE_H

#include "control/ops.h"
#include "snapshot/reader.h"
#include "view/below.h"
#include "walk/guest_walk.h"

#define VIEW_FILE_PAGES 256 /* that are kept */

struct view_file {
	const char *path;
	struct snapshot s;
	uint8_t (*page)[PAGE_SIZE];    /* VIEW_FILE_PAGES; page `gfn` is kept at the remainder */
	uint64_t gfn[VIEW_FILE_PAGES]; /* UINT64_MAX: none */
	int error;                     /* -errno of a page that could not be read: what was found is worth nothing */
	char why[SNAPSHOT_WHY_MAX];
};

/* Whether `path` is something else than a socket, and there. */
bool view_is_file(const char *path);

/* -errno, logged: it cannot be read, or is no snapshot. `path` outlives the struct. */
int must_check view_file_open(struct view_file *f, const char *path);
void view_file_close(struct view_file *f);

/* The guest's memory, as the source of its tables. Look at `error` afterwards. */
struct walk_memory view_file_memory(struct view_file *f);

/*
 * What a page is there: "stored", "zero", "absent" (the guest does not have it), "outside" (no RAM). For struct
 * view_below.
 */
const char *view_file_piece(void *file, uint64_t gpa, uint64_t *ret_end);

/* As the commands `walk` and `query-tables`. NULL with *err. */
json_t *view_file_walk(struct view_file *f, const struct control_walk *wanted, struct control_error *err);
json_t *view_file_tables(struct view_file *f, const struct control_tables *wanted, struct control_error *err);

/* Opens `path`, and gives what `look` makes of it. -errno, logged. */
int must_check view_file_ask(const char *path,
                             json_t *(*look)(struct view_file *f, const void *wanted, struct control_error *err),
                             const void *wanted, json_t **ret_reply);

/* A line for each run of pages that the first vCPU's tables map (pgtable/dump.h). -errno with *err. */
int must_check view_file_dump(struct view_file *f, void (*emit)(void *ctx, const char *line), void *ctx, bool *ret_cut,
                              struct control_error *err);

#endif
