/* SPDX-License-Identifier: MIT */
/* The parts of `gnomon snapshot`; argv[0] is "gnomon snapshot PART", argv[1] on are its arguments. */
#ifndef GNOMON_CMD_SNAPSHOT_H
#define GNOMON_CMD_SNAPSHOT_H

int snapshot_save_command(int argc, char **argv);
int snapshot_verify_command(int argc, char **argv);
int snapshot_merge_command(int argc, char **argv);
int snapshot_diff_command(int argc, char **argv);

#endif
