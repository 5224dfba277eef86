/* SPDX-License-Identifier: MIT */
#include "bench/workload/op_line.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "bench/line_parts.h"
#include "shadow/shadow.h"

int op_output_parse(const char *text, size_t len, const struct op_request *q, struct op_ticks *ret_ticks)
{
	struct line_cursor c = {text, text + len};
	uint64_t ops, floors, blocks, tsc, floor_tsc;

	if (!line_skip(&c, "cost row="))
		return -EBADMSG;
	if (!line_skip(&c, q->row))
		return -EINVAL;
	if (!line_field(&c, " ops=", &ops) || !line_field(&c, " blocks=", &blocks) || !line_field(&c, " tsc=", &tsc) ||
	    !line_field(&c, " floors=", &floors) || !line_field(&c, " floor_tsc=", &floor_tsc) ||
	    !line_skip(&c, "\n") || c.p != c.end)
		return -EBADMSG;
	if (ops != q->ops || blocks != q->blocks)
		return -EINVAL;
	if (floors == 0 || floors > INT64_MAX || tsc == 0 || tsc > INT64_MAX || floor_tsc == 0 || floor_tsc > INT64_MAX)
		return -ERANGE;
	*ret_ticks = (struct op_ticks){.op = (double)tsc * blocks / ops, .floor = (double)floor_tsc / floors};
	return 0;
}

static bool is_among(const char *name, const char *const *names)
{
	for (int i = 0; i < OP_MAX_WITHOUT && names[i]; i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return false;
}

/* Appends with `separator` unless it is the first. */
static void append(char to[OP_MAX_OPTIONS], const char *separator, const char *word)
{
	const size_t len = strlen(to);

	const int n = snprintf(to + len, OP_MAX_OPTIONS - len, "%s%s", len ? separator : "", word);

	BUG_ON(n >= (int)(OP_MAX_OPTIONS - len)); /* their names are ours */
}

void op_options(const char *const *without, const char *with, char ret_list[OP_MAX_OPTIONS],
                char ret_words[OP_MAX_OPTIONS])
{
	char left_out[OP_MAX_OPTIONS] = "";

	*ret_list = 0;
	for (int i = 0; i < SHADOW_OPTS_ON; i++) {
		const char *name = shadow_opt_desc[i].name;
		const bool out = is_among(name, without);

		append(out ? left_out : ret_list, out ? ", " : ",", name);
	}
	if (with)
		append(ret_list, ",", with);
	if (!*ret_list)
		strcpy(ret_list, "none");
	snprintf(ret_words, OP_MAX_OPTIONS, *left_out ? "all but %s" : "all", left_out);
	if (with)
		append(ret_words, " and ", with);
}

bool op_has_option(const char *name)
{
	for (int i = 0; i < SHADOW_OPTS; i++)
		if (strcmp(shadow_opt_desc[i].name, name) == 0)
			return true;
	return false;
}
