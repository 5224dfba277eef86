/* SPDX-License-Identifier: MIT */
/*
 * A file that a command writes at its end. What was there before stays until the new one is complete, and a file that
 * cannot be written is found before the work begins.
 *
 * A regular file is written beside, under a name of its own, and renamed: owner, rights, ACL, other extended attributes
 * and symbolic links to it stay. Written in place are what is no regular file (a FIFO, a terminal), a descriptor of this
 * process (/dev/stdout, /dev/fd/3), a file with several hard links, one whose directory takes no other, and one with
 * attributes that another cannot be given: its space is reserved first. A file that stdout or stderr already goes to is
 * that descriptor, whatever its name: the text comes behind.
 */
#ifndef GNOMON_BASE_OUTFILE_H
#define GNOMON_BASE_OUTFILE_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/log.h"

/*
 * A signal that ends the process waits while a regular file is looked at or written: what is made meanwhile goes, and no
 * file is half old, half new. SIGKILL does not wait.
 */

/* Whether `path` can be written as far as that is known; leaves nothing there. -errno, logged after `option`'s name. */
int must_check outfile_check(const char *option, const char *path);

/* The same, and whether its file system has room for so many bytes (not 0) beside what is there now. */
int must_check outfile_check_room(const char *option, const char *path, size_t room);

/*
 * Makes `text` the content of `path`. A FIFO or another reader is waited for, no longer than a second without progress
 * and not once `give_up_fd` is readable (-1: none). -errno, logged.
 */
int must_check outfile_write(const char *option, const char *path, const char *text, size_t len, int give_up_fd);

/* What `-` means to many commands, as a path; with /proc or without. */
#define OUTFILE_STDIN  "/proc/self/fd/0"
#define OUTFILE_STDOUT "/proc/self/fd/1"

/*
 * Whether both paths lead to one file, there or not, or to one stream: what is written last would be all that is left, or
 * both would be mixed. A descriptor is the file that it was opened for. Devices and sockets are never the same, but for
 * one descriptor named twice.
 */
bool outfile_same(const char *a, const char *b);

/* Whether `path` leads to a name in the directory `dir`, there or not: ret_name. */
bool outfile_lies_in(const char *path, const char *dir, char ret_name[NAME_MAX + 1]);

#endif
