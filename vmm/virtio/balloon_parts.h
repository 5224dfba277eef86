/* SPDX-License-Identifier: MIT */
/* Shared by balloon.c, balloon_pages.c and balloon_serve.c. Nobody else includes it. */
#ifndef GNOMON_VIRTIO_BALLOON_PARTS_H
#define GNOMON_VIRTIO_BALLOON_PARTS_H

#include "virtio/balloon.h"

/* balloon_pages.c: which pages are in the balloon */

/*
 * Sorts b->pfns[0, n) and checks each page: RAM, none twice, in the balloon if `in_balloon` and not in it otherwise.
 * Pages that go in must also be allowed by ops. NULL, or the sentence.
 */
const char *balloon_check(struct balloon *b, uint32_t n, bool in_balloon);

/* Returns the longest run of consecutive pages in the sorted b->pfns[0, n) from *i on, and moves *i behind it. */
struct balloon_run balloon_next_run(const struct balloon *b, uint32_t n, uint32_t *i);

/* NULL when [at, at + size) may be reported free: pages of RAM, none in the balloon, allowed by ops. */
const char *balloon_check_range(struct balloon *b, gpa_t at, uint64_t size);

void balloon_mark(struct balloon *b, struct balloon_run run, bool in_balloon);

/* Gives the first run of pages in the balloon, from the lowest address on. False: the balloon is empty. */
bool balloon_first_run(const struct balloon *b, struct balloon_run *ret_run);

#endif
