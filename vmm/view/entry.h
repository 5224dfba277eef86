/* SPDX-License-Identifier: MIT */
/* Entries of page tables as JSON, for the commands that show them. */
#ifndef GNOMON_VIEW_ENTRY_H
#define GNOMON_VIEW_ENTRY_H

#include <jansson.h>

#include "base/log.h"
#include "control/error.h"
#include "pgtable/path.h"

/* An address or an entry: text, since 64 bits do not fit into every reader's numbers. */
json_t *view_hex(uint64_t value);

/* The flags of an entry (pgtable/dump.h), with blanks between: the name of one that is set, else dashes as long. */
json_t *view_flags(const struct pt_format *fmt, pte_t e, int level);

/* One reference of a walk, in the table that `table` names; `row` as in struct trace_ref. */
json_t *view_reference(const char *table, const struct pt_format *fmt, int row, const struct pt_step *s);

/* An address in an argument (base/address.h). -EINVAL with *err. */
int must_check view_parse_address(const char *name, const char *text, uint64_t *ret_address, struct control_error *err);

#endif
