/* SPDX-License-Identifier: MIT */
/* Names that a user chooses from: one of them, or a list with commas between them. Pure. */
#ifndef GNOMON_BASE_NAMES_H
#define GNOMON_BASE_NAMES_H

#include <stddef.h>

#include "base/log.h"

/* Name number i, NULL behind the last. There are at most 32. */
typedef const char *names_of(size_t i);

/*
 * Bit i of *ret_set is set when the list has name i. A name may stand there twice. -EINVAL: a word is none of the
 * names; an empty word never is. *ret_set is untouched then, and nothing is logged.
 */
int must_check names_parse(const char *list, names_of *name, unsigned *ret_set);

/* All names with ", " between them, for a message. What does not fit is cut off. */
void names_join(names_of *name, char *ret_text, size_t size);

#endif
