/* SPDX-License-Identifier: MIT */
#include "control/stats.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const char *const targets[] = {[STATS_VM] = "vm", [STATS_VCPU] = "vcpu", [STATS_TARGETS] = NULL};
static const char *const providers[] = {[STATS_KVM] = "kvm", [STATS_GNOMON] = "gnomon", [STATS_PROVIDERS] = NULL};

static const struct arg_schema request_args[] = {
    {.name = "provider", .type = ARG_ENUM, .required = true, .values = providers},
    {.name = "names", .type = ARG_STRINGS},
    {0},
};
const struct arg_schema stats_query_args[] = {
    {.name = "target", .type = ARG_ENUM, .required = true, .values = targets},
    {.name = "vcpus", .type = ARG_STRINGS},
    {.name = "providers", .type = ARG_OBJECTS, .members = request_args},
    {0},
};
const struct arg_schema stats_schemas_args[] = {
    {.name = "provider", .type = ARG_ENUM, .values = providers},
    {0},
};

static bool contains(const json_t *strings, const char *s)
{
	for (size_t i = 0; i < json_array_size(strings); i++)
		if (strcmp(json_string_value(json_array_get(strings, i)), s) == 0)
			return true;
	return false;
}

/* Values as they are collected. */
struct values {
	json_t *list;
	const json_t *names; /* wanted; NULL: all */
};

static void add_value(void *arg, const struct control_stat *stat)
{
	struct values *v = arg;

	if (!v->names || contains(v->names, stat->name))
		json_array_append_new(v->list,
		                      json_pack("{s:s, s:I}", "name", stat->name, "value", (json_int_t)stat->value));
}

/* One element of the answer, unless it has no values. */
static void add_result(const struct qmp *q, json_t *results, enum stats_target target, enum stats_provider provider,
                       int vcpu, const char *path, const json_t *names)
{
	struct values v = {.list = json_array(), .names = names};
	json_t *result;

	q->ops->stats(q->vm, target, provider, vcpu, add_value, &v);
	if (json_array_size(v.list) == 0) {
		json_decref(v.list);
		return;
	}
	result = json_pack("{s:s, s:o}", "provider", providers[provider], "stats", v.list);
	if (path)
		json_object_set_new(result, "qom-path", json_string(path));
	json_array_append_new(results, result);
}

static void add_provider(const struct qmp *q, json_t *results, enum stats_target target, enum stats_provider provider,
                         const json_t *vcpus, const json_t *names)
{
	if (target == STATS_VM) {
		add_result(q, results, target, provider, -1, NULL, names);
		return;
	}
	for (int i = 0; i < q->ops->nr_vcpus(q->vm); i++) {
		char path[32];

		snprintf(path, sizeof(path), "/machine/cpu[%d]", i);
		if (!vcpus || contains(vcpus, path))
			add_result(q, results, target, provider, i, path, names);
	}
}

/* Whether the request wants this provider, and which names of it (NULL: all). */
static bool wanted(const json_t *requests, enum stats_provider provider, const json_t **ret_names)
{
	*ret_names = NULL;
	if (!requests)
		return true;
	for (size_t i = 0; i < json_array_size(requests); i++) {
		const json_t *r = json_array_get(requests, i);

		if (strcmp(json_string_value(json_object_get(r, "provider")), providers[provider]) == 0) {
			*ret_names = json_object_get(r, "names");
			return true;
		}
	}
	return false;
}

json_t *stats_query(const struct qmp *q, json_t *args, struct control_error *err)
{
	const bool vm = strcmp(json_string_value(json_object_get(args, "target")), targets[STATS_VM]) == 0;
	const json_t *vcpus = json_object_get(args, "vcpus");
	json_t *results;

	if (vm && vcpus) {
		control_fail(err, EINVAL, "Parameter 'vcpus' is unexpected");
		return NULL;
	}
	results = json_array();
	for (int p = 0; p < STATS_PROVIDERS; p++) {
		const json_t *names;

		if (wanted(json_object_get(args, "providers"), p, &names))
			add_provider(q, results, vm ? STATS_VM : STATS_VCPU, p, vcpus, names);
	}
	return results;
}

static void add_schema(void *list, const struct control_stat *stat)
{
	json_t *s = json_pack("{s:s, s:s}", "name", stat->name, "type", stat->type);

	if (stat->unit)
		json_object_set_new(s, "unit", json_string(stat->unit));
	if (stat->unit && stat->exponent) {
		json_object_set_new(s, "base", json_integer(stat->base));
		json_object_set_new(s, "exponent", json_integer(stat->exponent));
	}
	json_object_set_new(s, "description", json_string(stat->what));
	json_array_append_new(list, s);
}

json_t *stats_schemas(const struct qmp *q, json_t *args, struct control_error *err)
{
	const char *only = json_string_value(json_object_get(args, "provider"));
	json_t *results = json_array();

	for (int p = 0; p < STATS_PROVIDERS; p++) {
		if (only && strcmp(only, providers[p]) != 0)
			continue;
		for (int t = 0; t < STATS_TARGETS; t++) {
			json_t *stats = json_array();

			q->ops->stats(q->vm, t, p, 0, add_schema, stats);
			json_array_append_new(results, json_pack("{s:s, s:s, s:o}", "provider", providers[p], "target",
			                                         targets[t], "stats", stats));
		}
	}
	return results;
}
