/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include "bench/line_parts.h"
#include "bench/workload/auto.h"

const char *const auto_phase_name[AUTO_NR_PHASES] = {
    [AUTO_INIT] = "init", [AUTO_STEADY] = "steady", [AUTO_AGAIN] = "again"};
const char *const auto_paging_name[AUTO_NR_PAGINGS] = {
    [AUTO_NESTED] = "nested", [AUTO_SHADOW] = "shadow", [AUTO_AUTO] = "auto"};
const char *const auto_backing[AUTO_NR_BACKINGS] = {"4k", "thp"};

/* `word` and a number, `least` or more, for each phase: "phases init=N steady=N again=N" */
static bool take_phases(struct line_cursor *c, const char *word, uint64_t least, uint64_t *ret)
{
	bool ok = line_skip(c, word);

	for (int i = 0; i < AUTO_NR_PHASES; i++)
		ok = ok && line_skip(c, " ") && line_skip(c, auto_phase_name[i]) && line_skip(c, "=") &&
		     line_number(c, &ret[i]) && ret[i] >= least && ret[i] != UINT64_MAX;
	return ok && line_skip(c, "\n");
}

/* "change to=MODE ago=N" */
static bool take_change(struct line_cursor *c, struct auto_change *change)
{
	if (!line_skip(c, "change to="))
		return false;
	change->shadow = line_skip(c, "shadow");
	return (change->shadow || line_skip(c, "nested")) && line_skip(c, " ago=") && line_number(c, &change->ago) &&
	       line_skip(c, "\n");
}

int auto_output_parse(const char *text, size_t len, struct auto_sample *ret_sample)
{
	struct line_cursor c = {text, text + len};
	struct auto_sample s = {0};

	if (!take_phases(&c, "phases", 1, s.tsc) || !take_phases(&c, "cpu", 1, s.cpu_ns))
		return -EBADMSG;
	s.counted = !line_skip(&c, "uncounted\n");
	if (s.counted &&
	    (!take_phases(&c, "exits", 0, s.exits) || !take_phases(&c, "shadow-events", 0, s.shadow_events)))
		return -EBADMSG;
	for (; c.p != c.end; s.nr_changes++)
		if (s.nr_changes == AUTO_MAX_CHANGES || !take_change(&c, &s.change[s.nr_changes]))
			return -EBADMSG;
	*ret_sample = s;
	return 0;
}
