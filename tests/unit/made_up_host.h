/* SPDX-License-Identifier: MIT */
/* A made-up host: a folder stands for /sys, /proc and /dev. */
#ifndef TESTS_UNIT_MADE_UP_HOST_H
#define TESTS_UNIT_MADE_UP_HOST_H

#include "host/host.h"

extern char root[64], sys_root[80], proc_root[80], kvm_path[80];

/* For a suite's .init and .fini. */
void make_host(void);
void drop_host(void);

/* Creates root/name with its folders. */
void put(const char *name, const char *text);
void put_cpu(const char *flags);

struct host_info detect(void);
void expect_label(const char *label);

/* Index of the missing thing whose sentence has `word`, or -1. */
int find_missing(const struct host_info *info, const char *word);
void expect_mend(const struct host_info *info, const char *what, bool required, const char *mend);

#endif
