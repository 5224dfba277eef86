/* SPDX-License-Identifier: MIT */
/* Which rule of the architecture ends a walk, and that rule in a sentence (APM2 5.3-5.6; SDM vol. 3 4.5-4.7). */
#ifndef GNOMON_WALK_RULE_H
#define GNOMON_WALK_RULE_H

#include <stddef.h>

#include "walk/guest_walk.h"

enum walk_rule_kind {
	RULE_KEPT, /* none is broken */
	RULE_CANONICAL,
	RULE_OUTSIDE, /* no rule of the architecture: there is no memory for the table */
	RULE_PRESENT,
	RULE_RESERVED,
	RULE_USER,
	RULE_WRITE,
	RULE_EXECUTE,
	RULE_SMEP,
	RULE_SMAP,
	RULE_NR
};

struct walk_rule {
	enum walk_rule_kind kind;
	int level; /* of the entry that breaks it, the first one on the way; 0: it takes all of them, or none */
	int bit;   /* RULE_RESERVED: the highest one that must be zero */
};

/* By kind, a word for programs: "smap". */
extern const char *const walk_rule_name[RULE_NR];

/* Of a walk that guest_walk() made with this mode and access. If an access breaks several, the one that is told first. */
struct walk_rule walk_broken_rule(const struct walk_mode *mode, struct walk_access a, const struct walk *w);

#define WALK_SENTENCE 192

/* The same as a sentence. */
void walk_rule_sentence(const struct walk_mode *mode, struct walk_access a, const struct walk *w,
                        char ret_text[WALK_SENTENCE]);

#endif
