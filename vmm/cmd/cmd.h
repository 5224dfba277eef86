/* SPDX-License-Identifier: MIT */
/* Subcommands: each parses its own options, speaks to its user and returns the exit status. */
#ifndef GNOMON_CMD_CMD_H
#define GNOMON_CMD_CMD_H

int cmd_host(int argc, char **argv);
int cmd_run(int argc, char **argv);
int cmd_bench(int argc, char **argv);
int cmd_compare(int argc, char **argv);
int cmd_model(int argc, char **argv);
int cmd_ctl(int argc, char **argv);
int cmd_balloon(int argc, char **argv);
int cmd_top(int argc, char **argv);
int cmd_walk(int argc, char **argv);
int cmd_tables(int argc, char **argv);
int cmd_fingerprint(int argc, char **argv);
int cmd_dedup(int argc, char **argv);
int cmd_diff(int argc, char **argv);
int cmd_enclave(int argc, char **argv);
int cmd_snapshot(int argc, char **argv);

#endif
