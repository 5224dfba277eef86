/* SPDX-License-Identifier: MIT */
/*
 * How many others use a frame: other links for a page table, other entries for a page. Zero is the rule, and a frame
 * that was never shared has no count at all. Pages of counts appear in the kernel's address space where they are
 * needed, one for 4 MiB of memory, and stay.
 */
#ifndef GUEST_COUNT_H
#define GUEST_COUNT_H

#include "kernel.h"

extern uint64_t count_shared; /* the sum of all counts */
extern uint64_t count_here;   /* address of the page of counts that was used last, which is there */

static inline uint32_t *count_of(gpa_t frame)
{
	return (uint32_t *)COUNTS_BASE + gpa_raw(frame) / PAGE_SIZE;
}

/* Whether the frame's count is on the page that was used last. */
static inline bool count_is_here(gpa_t frame)
{
	return ((uint64_t)count_of(frame) & PAGE_MASK) == count_here;
}

/* Makes the count's page if it is missing, which changes this CPU's window. False: out of memory. */
bool count_room(gpa_t frame);

/* One user more. count_room() was right about the frame, or count_is_here() is. */
static inline void count_raise(gpa_t frame)
{
	++*count_of(frame);
	count_shared++;
}

/* Whether there is a page for the frame's count. Makes it the one that was used last. */
bool count_find(gpa_t frame);

static inline uint64_t count_others(gpa_t frame)
{
	return count_shared && (count_is_here(frame) || count_find(frame)) ? *count_of(frame) : 0;
}

/* One user less. False: there was no other, and the frame is the caller's to free. */
static inline bool count_drop(gpa_t frame)
{
	if (!count_others(frame))
		return false;
	--*count_of(frame);
	count_shared--;
	return true;
}

/* Pages that the counts take, with those of the tables that map them. */
uint64_t count_notes(void);

#endif
