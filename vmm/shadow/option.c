/* SPDX-License-Identifier: MIT */
/* The optimisations by name. */
#include <errno.h>
#include <string.h>

#include "shadow/shadow.h"

const struct shadow_opt_desc shadow_opt_desc[SHADOW_OPTS] = {
    {SHADOW_OPT_ROOT_CACHE, 0, "root-cache",
     "keep the shadow over CR3 loads and INVLPG: it is in step with the tables"},
    {SHADOW_OPT_EMULATE_UPDATE, 0, "emulate-update",
     "after an emulated table write change just the entries concerned, through the stub"},
    {SHADOW_OPT_FLOOD, 0, "flood",
     "a table written again and again without being used is forgotten: it is data by now"},
    {SHADOW_OPT_PREFETCH, 0, "prefetch",
     "on a fault fill every entry of the guest's leaf table whose page was accessed"},
    {SHADOW_OPT_UNSYNC, SHADOW_OPT_EMULATE_UPDATE, "unsync",
     "let the guest write a leaf table freely, and bring its shadow up to date when the guest flushes"},
    {SHADOW_OPT_LARGE, 0, "large", "shadow a 2 MiB guest page by one 2 MiB entry where no table lies in it"},
    {SHADOW_OPT_PROMOTE, SHADOW_OPT_EMULATE_UPDATE, "promote",
     "shadow a full leaf table of contiguous, like 4 KiB pages by one 2 MiB entry"},
    {SHADOW_OPT_AD_FAST, 0, "ad-fast",
     "when only A or D of a linked leaf entry is missing, set it without a whole walk"},
    {SHADOW_OPT_LAZY, SHADOW_OPT_EMULATE_UPDATE, "lazy",
     "protect no table: compare all that CR3 leads to when the guest flushes (not part of all)"},
};

static unsigned named(const char *name, size_t len)
{
	unsigned found = 0;

	for (int i = 0; i < SHADOW_OPTS; i++) {
		const struct shadow_opt_desc *d = &shadow_opt_desc[i];

		if ((len == 3 && strncmp(name, "all", len) == 0 && d->opt & SHADOW_OPT_ALL) ||
		    (strlen(d->name) == len && strncmp(name, d->name, len) == 0))
			found |= d->opt | d->needs;
	}
	return found;
}

int shadow_opt_parse(const char *list, unsigned *ret_opts)
{
	unsigned opts = 0;

	if (!*list)
		return -EINVAL;
	if (strcmp(list, "none") == 0) {
		*ret_opts = 0;
		return 0;
	}
	while (*list) {
		const size_t len = strcspn(list, ",");
		const unsigned found = named(list, len);

		if (!found)
			return -EINVAL;
		opts |= found;
		list += len;
		list += *list == ',';
	}
	*ret_opts = opts;
	return 0;
}
