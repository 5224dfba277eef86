/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "bench/workload/sharing_guests.h"

#define LINE 512

static const char *const what_names[SHARING_NR_WHAT] = {
    [SHARING_SNAPSHOT] = "snapshot", [SHARING_DEDUP] = "dedup", [SHARING_LAZY] = "lazy"};

const char *const sharing_value_names[SHARING_NR_WHAT][SHARING_VALUES + 1] = {
    [SHARING_SNAPSHOT] = {"full-us", "full-pause-us", "full-bytes", "full-exits", "full-events", "since-us",
                          "since-pause-us", "since-bytes", "since-exits", "since-events", "first-us", "swept-us",
                          "exits", "events", "lazy-first-us", "lazy-swept-us", "lazy-exits", "lazy-events", NULL},
    [SHARING_DEDUP] = {"alone-kib", "together-kib", "us", "exits", "events", NULL},
    [SHARING_LAZY] = {"alone-kib", "together-kib", "us", "exits", "events", NULL},
};

/* The line that stands for these values. */
static void write_line(enum sharing_what what, const uint64_t *value, char ret_line[LINE])
{
	size_t len = (size_t)snprintf(ret_line, LINE, "sharing %s", what_names[what]);

	for (int i = 0; sharing_value_names[what][i]; i++)
		len += (size_t)snprintf(ret_line + len, LINE - len, " %s=%" PRIu64, sharing_value_names[what][i],
		                        value[i]);
	snprintf(ret_line + len, LINE - len, "\n");
}

void sharing_guests_print(enum sharing_what what, const uint64_t *value)
{
	char line[LINE];

	write_line(what, value, line);
	/* Not stdio: the parent's unwritten text is in this process's buffer, too. */
	dprintf(STDOUT_FILENO, "%s", line);
}

/* Nothing counted is a result; no time and no memory are none. */
static bool may_be_zero(const char *name)
{
	return strstr(name, "exits") || strstr(name, "events");
}

int sharing_guests_parse(const char *text, size_t len, enum sharing_what what, double ret_value[SHARING_VALUES])
{
	char line[LINE], again[LINE];
	uint64_t value[SHARING_VALUES] = {0};
	const char *at = line;

	if (len >= sizeof(line) || memchr(text, 0, len))
		return -EBADMSG;
	memcpy(line, text, len);
	line[len] = 0;
	for (int i = 0; sharing_value_names[what][i]; i++) {
		at = strchr(at, '=');
		if (!at || sscanf(++at, "%" SCNu64, &value[i]) != 1 ||
		    (!value[i] && !may_be_zero(sharing_value_names[what][i])))
			return -EBADMSG;
	}
	/* What it was read from is what would be printed from it. */
	write_line(what, value, again);
	if (strcmp(line, again) != 0)
		return -EBADMSG;
	for (int i = 0; sharing_value_names[what][i]; i++)
		ret_value[i] = (double)value[i];
	return 0;
}
