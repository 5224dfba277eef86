/* SPDX-License-Identifier: MIT */
/* Gnomon's own files: the guests and the helper program that come with it, in a build directory or installed. */
#ifndef GNOMON_CMD_FILES_H
#define GNOMON_CMD_FILES_H

#include <limits.h>

#include "base/log.h"

#define FILES_KERNEL   "guest/kernel.elf"
#define FILES_COST     "guest/cost.elf"
#define FILES_SHORTEST "shortest-kvm"

/*
 * Where `built`, a path in the build directory, is: beside this program, else by its last part in libexec/gnomon of
 * the prefix that this program is installed in, wherever that was moved. When it is in neither the path is the
 * latter. -errno: logged, ret_path untouched.
 */
int must_check own_file(const char *built, char ret_path[PATH_MAX]);

/*
 * What IMAGE on a command line means: the file of that name; without a slash and without such a file, the guest of
 * that name that comes with Gnomon, if there is one. -errno: logged, ret_path untouched.
 */
int must_check image_file(const char *image, char ret_path[PATH_MAX]);

#endif
