/* SPDX-License-Identifier: MIT */
/*
 * Tiny guests in shadow mode, under the audit, without an optimisation and with all of them: the outcome is the
 * architecture's or one sentence, never the VMM's end.
 */
#ifndef TESTS_GUEST_SHADOW_RUN_H
#define TESTS_GUEST_SHADOW_RUN_H

#include <stddef.h>

#include "run_gnomon.h"

/* What guests run under. Emulated machines take minutes for it, and no option knows the second stage: they have fewer. */
extern const char *const shadow_opts[];
size_t nr_shadow_opts(void);

/* One run; *r tells its end. */
void shadow_run(struct run *r, const char *opt, const char *behaviour, const char *cpus);

/* The guest checks what it sees by itself and ends with 0. */
void shadow_good(const char *behaviour, const char *cpus);

/* The guest is killed with a sentence that holds `words`, not by its time limit. */
void shadow_killed(const char *behaviour, const char *cpus, const char *words);

/* The guest is right about KVM's own walk, too: so it is the shadow that is judged, not the guest. */
void good_in_both_modes(const char *behaviour, const char *cpus);

/* As good_in_both_modes on pvm only: the emulated CPU of tools/npt-host has error codes and vectors of its own. */
void good_and_nested_on_pvm(const char *behaviour);

#endif
