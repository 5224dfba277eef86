/* SPDX-License-Identifier: MIT */
/* What this host is, as far as tests expect something else of it. */
#ifndef TESTS_HOST_KIND_H
#define TESTS_HOST_KIND_H

#include <stdbool.h>

/* KVM is kvm_pvm. It runs guest CPL 0 by emulating each instruction, so that its emulator's gaps show. */
bool on_pvm(void);

/* KVM is Intel's. */
bool on_intel(void);

/* This machine's CPU, or what plays it, says that it is Intel's. */
bool cpu_is_intel(void);

/* This runs in an emulated machine (docs/hosts.md): QEMU's TCG, or Bochs. */
bool on_tcg(void);
bool on_bochs(void);

#endif
