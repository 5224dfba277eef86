/* SPDX-License-Identifier: MIT */
/*
 * stdout and stderr of a command. Behind stdio's own streams stand two that remember which write failed first and why,
 * and do not hang: that is how output that was lost is found at the end, and named by its cause, whoever wrote it.
 *
 *   stdout   waits for its reader, but not once output_give_up_on()'s descriptor is readable
 *   stderr   waits for a second, then loses what it has: words to nobody must not hold up a machine
 */
#ifndef GNOMON_BASE_OUTPUT_H
#define GNOMON_BASE_OUTPUT_H

/* Before anything is written; after process_prepare(). */
void output_prepare(void);

/* What is said from here on waits for no reader once `fd` is readable; -1 ends that. */
void output_give_up_on(int fd);

/* The -errno of the first write to stdout that failed so far; 0. What stdio still holds is written first. */
int output_error(void);

/* The exit status of a command that lost output: 0 becomes 1, and any other says more than that. */
static inline int output_lost(int status)
{
	return status ? status : 1;
}

/*
 * The last step of every command: writes what stdio still holds and closes stdout. Returns the process's exit status,
 * output_lost(status) when something was lost; a line says why.
 */
int output_end(int status);

#endif
