/* SPDX-License-Identifier: MIT */
#include "client/watch.h"

#include <errno.h>

static void add_all(json_t *sums, const json_t *stats)
{
	size_t i;
	json_t *s;

	json_array_foreach (stats, i, s) {
		const char *name = json_string_value(json_object_get(s, "name"));
		const json_t *value = json_object_get(s, "value");

		/* A server may also count in lists. */
		if (name && json_is_integer(value))
			json_object_set_new(
			    sums, name,
			    json_integer(json_integer_value(json_object_get(sums, name)) + json_integer_value(value)));
	}
}

static int ask(struct connection *c, json_t *args, json_t **ret_sums)
{
	json_t *reply, *result, *sums;
	size_t i;
	int r = connection_ask(c, "query-stats", args, &reply);

	if (r < 0)
		return r;
	sums = json_object();
	json_array_foreach (reply, i, result)
		add_all(sums, json_object_get(result, "stats"));
	json_decref(reply);
	*ret_sums = sums;
	return 0;
}

int watch_stats(struct connection *c, const char *target, const char *provider, json_t **ret_stats)
{
	return ask(c, json_pack("{s:s, s:[{s:s}]}", "target", target, "providers", "provider", provider), ret_stats);
}

int watch_number(struct connection *c, const char *name, uint64_t *ret_value)
{
	json_t *sums;
	int r = ask(
	    c, json_pack("{s:s, s:[{s:s, s:[s]}]}", "target", "vm", "providers", "provider", "gnomon", "names", name),
	    &sums);

	if (r < 0)
		return r;
	*ret_value = (uint64_t)json_integer_value(json_object_get(sums, name));
	json_decref(sums);
	return 0;
}
