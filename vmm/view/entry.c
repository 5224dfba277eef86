/* SPDX-License-Identifier: MIT */
#include "view/entry.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/address.h"
#include "pgtable/dump.h"

json_t *view_hex(uint64_t value)
{
	char text[20];

	snprintf(text, sizeof(text), "0x%llx", (unsigned long long)value);
	return json_string(text);
}

json_t *view_flags(const struct pt_format *fmt, pte_t e, int level)
{
	struct pt_flag flag[PT_FLAGS_MAX];
	const int nr = pt_entry_flags(fmt, e, level, flag);
	char text[4 * PT_FLAGS_MAX] = "";

	for (int i = 0; i < nr; i++)
		strncat(strcat(text, i ? " " : ""), flag[i].set ? flag[i].name : "--", strlen(flag[i].name));
	return json_string(text);
}

json_t *view_reference(const char *table, const struct pt_format *fmt, int row, const struct pt_step *s)
{
	const bool leaf = fmt->is_leaf(s->entry, s->level);
	json_t *r =
	    json_pack("{s:s, s:i, s:o, s:o, s:o, s:b}", "table", table, "level", s->level, "at", view_hex(s->at),
	              "entry", view_hex(pte_raw(s->entry)), "flags", view_flags(fmt, s->entry, s->level), "leaf", leaf);

	json_object_set_new(r, "row", json_integer(row));
	if (fmt->is_present(s->entry, s->level))
		json_object_set_new(r, "to", view_hex(fmt->address(s->entry, s->level)));
	if (leaf)
		json_object_set_new(r, "page", json_integer((json_int_t)pt_span(fmt, s->level)));
	if (leaf && fmt->attrs & PT_OWNER_MASK)
		json_object_set_new(
		    r, "owner", json_integer((fmt->get_attrs(s->entry, s->level) & PT_OWNER_MASK) >> PT_OWNER_SHIFT));
	return r;
}

int view_parse_address(const char *name, const char *text, uint64_t *ret_address, struct control_error *err)
{
	return address_parse(text, ret_address) < 0
	           ? control_fail(err, EINVAL, "Parameter '%s' is " ADDRESS_EXPECTED, name)
	           : 0;
}
