/* SPDX-License-Identifier: MIT */
/*
 * Surroundings that gnomon is started in, for `struct run`, and every command that can be started in them. Commands
 * that want a running guest get one from vm_start().
 */
#ifndef TESTS_HOST_SURROUNDINGS_H
#define TESTS_HOST_SURROUNDINGS_H

#include "run_gnomon.h"

/* An empty directory for each test, gone after it with all that is in it; a path in it, in one of four
 * static buffers. */
extern char dir[64];
void dir_make(void);
void dir_remove(void);
const char *in_dir(const char *name);

/* Path of the guest kernel, in a static buffer of its own: run_start() asks for build_path(), too. */
const char *kernel_path(void);

/* A guest with a control socket, until vm_end(). */
extern char vm_socket[96];
void vm_start_idle(void);
void vm_quit(void);

/* One command: its arguments, with "SOCKET", "IMAGE" and "KERNEL" for what they stand for; and what its output has. */
struct command {
	const char *args[10];
	const char *words;
};
extern const struct command every_command[];
extern const int nr_commands;

/* The command's arguments, in a static buffer. */
const char *const *command_args(const struct command *c);

/* Ended with this status and one line on stderr that begins with "gnomon: " and holds `words`. */
void expect_line(const struct run *r, int status, const char *words);

/* The whole file as text, in a static buffer; fails the test if it is not there. */
const char *content(const char *path);

/* The file is JSON. */
void expect_whole(const char *path);

/* A sanitizer wants a large address space and /proc: skips the test in a build that has one. */
void need_no_sanitizer(void);

/* For `surroundings`. */
void stdout_to(const char *path, int flags);
void fill_pipe(int fd); /* until nothing fits, and as it was otherwise */
void without_signal_queue(void);

#endif
