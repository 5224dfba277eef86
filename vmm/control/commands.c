/* SPDX-License-Identifier: MIT */
/* The commands but for statistics: what each takes, what it asks of the VM, what it answers. */
#include <errno.h>
#include <stdlib.h>

#include "control/dedup.h"
#include "control/message.h"
#include "control/qmp.h"
#include "control/stats.h"

static json_t *query_version(const struct qmp *q, json_t *args, struct control_error *err)
{
	return message_version();
}

static json_t *query_commands(const struct qmp *q, json_t *args, struct control_error *err)
{
	json_t *list = json_pack("[{s:s}]", "name", "qmp_capabilities");

	for (const struct qmp_command *c = qmp_commands; c->name; c++)
		json_array_append_new(list, json_pack("{s:s}", "name", c->name));
	return list;
}

static json_t *query_name(const struct qmp *q, json_t *args, struct control_error *err)
{
	json_t *name = json_string(q->ops->name(q->vm));

	return name ? json_pack("{s:o}", "name", name) : json_object(); /* a file's name need not be UTF-8 */
}

static json_t *query_status(const struct qmp *q, json_t *args, struct control_error *err)
{
	const bool running = q->ops->running(q->vm);

	return json_pack("{s:s, s:b, s:b}", "status", running ? "running" : "paused", "singlestep", false, "running",
	                 running);
}

static json_t *stop(const struct qmp *q, json_t *args, struct control_error *err)
{
	if (q->ops->running(q->vm)) {
		if (q->ops->stop(q->vm, err) < 0)
			return NULL;
		q->broadcast(q->ctx, message_event("STOP", NULL));
	}
	return json_object();
}

static json_t *cont(const struct qmp *q, json_t *args, struct control_error *err)
{
	if (!q->ops->running(q->vm)) {
		q->ops->cont(q->vm);
		q->broadcast(q->ctx, message_event("RESUME", NULL));
	}
	return json_object();
}

static json_t *quit(const struct qmp *q, json_t *args, struct control_error *err)
{
	q->ops->quit(q->vm);
	return json_object();
}

static json_t *system_reset(const struct qmp *q, json_t *args, struct control_error *err)
{
	if (q->ops->reset(q->vm, err) < 0)
		return NULL;
	q->broadcast(
	    q->ctx, message_event("RESET", json_pack("{s:b, s:s}", "guest", false, "reason", "host-qmp-system-reset")));
	return json_object();
}

/* Sizes and addresses: integers that are not below 0. */
static int get_size(json_t *args, const char *name, uint64_t *ret_size, struct control_error *err)
{
	const json_int_t v = json_integer_value(json_object_get(args, name));

	if (v < 0)
		return control_fail(err, EINVAL, "Parameter '%s' expects a size", name);
	*ret_size = (uint64_t)v;
	return 0;
}

static json_t *balloon(const struct qmp *q, json_t *args, struct control_error *err)
{
	struct control_balloon now;
	uint64_t bytes = 0;

	/* QEMU looks for the device first. */
	if (q->ops->balloon_get(q->vm, &now, err) < 0)
		return NULL;
	if (get_size(args, "value", &bytes, err) < 0)
		return NULL;
	if (bytes == 0) {
		control_fail(err, EINVAL, "Parameter 'target' expects a size");
		return NULL;
	}
	return q->ops->balloon_set(q->vm, bytes, err) < 0 ? NULL : json_object();
}

static json_t *query_balloon(const struct qmp *q, json_t *args, struct control_error *err)
{
	struct control_balloon now;

	if (q->ops->balloon_get(q->vm, &now, err) < 0)
		return NULL;
	return json_pack("{s:I, s:I}", "actual", (json_int_t)now.actual, "target", (json_int_t)now.target);
}

static json_t *query_balloon_stats(const struct qmp *q, json_t *args, struct control_error *err)
{
	return q->ops->balloon_stats(q->vm, err);
}

static json_t *query_paging(const struct qmp *q, json_t *args, struct control_error *err)
{
	return q->ops->paging(q->vm, err);
}

static json_t *set_paging(const struct qmp *q, json_t *args, struct control_error *err)
{
	const char *mode = json_string_value(json_object_get(args, "mode"));
	bool changed = false;
	uint64_t us = 0;

	if (q->ops->set_paging(q->vm, mode, &changed, &us, err) < 0)
		return NULL;
	if (changed)
		q->broadcast(q->ctx,
		             message_event("PAGING_CHANGE", json_pack("{s:s, s:s, s:I}", "mode", mode, "reason", "set-paging",
		                                                      "us", (json_int_t)us)));
	return json_pack("{s:s, s:b, s:I}", "mode", mode, "changed", changed, "us", (json_int_t)us);
}

static const char *get_text(json_t *args, const char *name, const char *otherwise)
{
	const char *text = json_string_value(json_object_get(args, name));

	return text ? text : otherwise;
}

static json_t *dump_tables(const struct qmp *q, json_t *args, struct control_error *err)
{
	return q->ops->dump_tables(q->vm, get_text(args, "stage", "guest"), err);
}

static json_t *walk(const struct qmp *q, json_t *args, struct control_error *err)
{
	const struct control_walk wanted = {.address = get_text(args, "address", ""),
	                                    .access = get_text(args, "access", "r"),
	                                    .privilege = get_text(args, "privilege", NULL),
	                                    .cpu = json_integer_value(json_object_get(args, "cpu"))};

	return q->ops->walk(q->vm, &wanted, err);
}

static json_t *query_tables(const struct qmp *q, json_t *args, struct control_error *err)
{
	const json_t *cpu = json_object_get(args, "cpu");
	const struct control_tables wanted = {.stage = get_text(args, "stage", "guest"),
	                                      .address = get_text(args, "address", NULL),
	                                      .cpu = cpu ? json_integer_value(cpu) : -1};

	if (cpu && wanted.cpu < 0) {
		control_fail(err, EINVAL, "Parameter 'cpu' expects the number of a vCPU");
		return NULL;
	}
	return q->ops->tables(q->vm, &wanted, err);
}

static json_t *slice(const struct qmp *q, json_t *args, struct control_error *err,
                     int (*act)(void *vm, uint64_t gpa, uint64_t size, struct control_error *err))
{
	uint64_t gpa = 0, size = 0;

	if (get_size(args, "gpa", &gpa, err) < 0 || get_size(args, "size", &size, err) < 0)
		return NULL;
	if (size == 0 || (gpa | size) & 4095) {
		control_fail(err, EINVAL, "gpa and size must be multiples of 4096, and size more than 0");
		return NULL;
	}
	return act(q->vm, gpa, size, err) < 0 ? NULL : json_object();
}

static json_t *reclaim(const struct qmp *q, json_t *args, struct control_error *err)
{
	return slice(q, args, err, q->ops->reclaim);
}

static json_t *release(const struct qmp *q, json_t *args, struct control_error *err)
{
	return slice(q, args, err, q->ops->release);
}

static json_t *snapshot_save(const struct qmp *q, json_t *args, struct control_error *err)
{
	const struct control_save wanted = {
	    .file = json_string_value(json_object_get(args, "file")),
	    .since = json_string_value(json_object_get(args, "since")),
	    .compress = json_is_true(json_object_get(args, "compress")),
	    .track = json_is_true(json_object_get(args, "track")),
	};
	uint64_t us;

	return q->ops->snapshot_save(q->vm, &wanted, &us, err) < 0 ? NULL
	                                                           : json_pack("{s:I}", "pause-us", (json_int_t)us);
}

static json_t *query_snapshot(const struct qmp *q, json_t *args, struct control_error *err)
{
	struct control_snapshot *s = calloc(1, sizeof(*s));
	json_t *reply = NULL;

	if (s) {
		q->ops->snapshot(q->vm, s);
		reply = message_snapshot(s);
	}
	free(s);
	return reply;
}

static json_t *query_enclaves(const struct qmp *q, json_t *args, struct control_error *err)
{
	return q->ops->enclaves(q->vm, err);
}

static struct control_fingerprint which_fingerprint(json_t *args)
{
	const char *algorithm = json_string_value(json_object_get(args, "algorithm"));

	return (struct control_fingerprint){.algorithm = algorithm ? algorithm : "blake2b",
	                                    .key = json_string_value(json_object_get(args, "key"))};
}

static json_t *fingerprint(const struct qmp *q, json_t *args, struct control_error *err)
{
	const struct control_fingerprint which = which_fingerprint(args);

	return q->ops->fingerprint(q->vm, &which, json_is_true(json_object_get(args, "stop")), err);
}

#define LEVEL_MAX  4
#define HASHES_MAX 4096 /* in a reply */

static json_t *fingerprint_hashes(const struct qmp *q, json_t *args, struct control_error *err)
{
	const struct control_fingerprint which = which_fingerprint(args);
	uint64_t version = 0, level = 0, first = 0, count = 1;

	if (get_size(args, "version", &version, err) < 0 || get_size(args, "level", &level, err) < 0 ||
	    get_size(args, "first", &first, err) < 0)
		return NULL;
	if (json_object_get(args, "count") && get_size(args, "count", &count, err) < 0)
		return NULL;
	if (level > LEVEL_MAX || count == 0 || count > HASHES_MAX || first >= 1ull << 9 * (LEVEL_MAX - level) ||
	    count > (1ull << 9 * (LEVEL_MAX - level)) - first) {
		control_fail(err, EINVAL, "level must be 0 to %d, count 1 to %d, and each of the nodes exist",
		             LEVEL_MAX, HASHES_MAX);
		return NULL;
	}
	return q->ops->fingerprint_hashes(
	    q->vm, &which,
	    &(struct control_hashes){.version = version, .level = (int)level, .first = first, .count = (unsigned)count},
	    err);
}

static const struct arg_schema balloon_args[] = {
    {.name = "value", .type = ARG_INTEGER, .required = true},
    {0},
};
static const struct arg_schema slice_args[] = {
    {.name = "gpa", .type = ARG_INTEGER, .required = true},
    {.name = "size", .type = ARG_INTEGER, .required = true},
    {0},
};
static const char *const modes[] = {"nested", "shadow", NULL};
static const struct arg_schema paging_args[] = {
    {.name = "mode", .type = ARG_ENUM, .required = true, .values = modes},
    {0},
};
static const char *const stages[] = {"guest", "stage2", "shadow", NULL};
static const char *const tables_stages[] = {"guest", "stage2", "shadow", "enclave", NULL};
static const struct arg_schema dump_args[] = {
    {.name = "stage", .type = ARG_ENUM, .values = stages},
    {0},
};
static const struct arg_schema tables_args[] = {
    {.name = "stage", .type = ARG_ENUM, .values = tables_stages},
    {.name = "address", .type = ARG_STRING},
    {.name = "cpu", .type = ARG_INTEGER},
    {0},
};
static const char *const accesses[] = {"r", "w", "x", NULL};
static const char *const privileges[] = {"user", "supervisor", NULL};
static const struct arg_schema walk_args[] = {
    {.name = "address", .type = ARG_STRING, .required = true},
    {.name = "access", .type = ARG_ENUM, .values = accesses},
    {.name = "privilege", .type = ARG_ENUM, .values = privileges},
    {.name = "cpu", .type = ARG_INTEGER},
    {0},
};
static const char *const algorithms[] = {"blake2b", "xxh3", NULL};
static const struct arg_schema fingerprint_args[] = {
    {.name = "algorithm", .type = ARG_ENUM, .values = algorithms},
    {.name = "key", .type = ARG_STRING},
    {.name = "stop", .type = ARG_BOOLEAN},
    {0},
};
static const struct arg_schema hashes_args[] = {
    {.name = "version", .type = ARG_INTEGER, .required = true},
    {.name = "level", .type = ARG_INTEGER, .required = true},
    {.name = "first", .type = ARG_INTEGER},
    {.name = "count", .type = ARG_INTEGER},
    {.name = "algorithm", .type = ARG_ENUM, .values = algorithms},
    {.name = "key", .type = ARG_STRING},
    {0},
};

static const struct arg_schema snapshot_args[] = {
    {.name = "file", .type = ARG_STRING, .required = true},
    {.name = "compress", .type = ARG_BOOLEAN},
    {.name = "since", .type = ARG_STRING},
    {.name = "track", .type = ARG_BOOLEAN},
    {0},
};

const struct qmp_command qmp_commands[] = {
    {"query-version", NULL, query_version, "version of Gnomon"},
    {"query-commands", NULL, query_commands, "list the commands"},
    {"query-name", NULL, query_name, "name of the guest: the name of its image file"},
    {"query-status", NULL, query_status, "whether the guest runs"},
    {"stop", NULL, stop, "pause the guest; the reply comes when no vCPU executes guest code any more"},
    {"cont", NULL, cont, "let the guest go on"},
    {"quit", NULL, quit, "end the run, with status 0"},
    {"system_reset", NULL, system_reset, "load the image again and start from its entry"},
    {"balloon", balloon_args, balloon, "ask the guest to have `value` bytes of RAM"},
    {"query-balloon", NULL, query_balloon, "bytes of RAM that the guest has and is asked to have"},
    {"query-balloon-stats", NULL, query_balloon_stats, "the guest's own view of its memory"},
    {"query-stats", stats_query_args, stats_query, "counters and gauges of KVM and Gnomon"},
    {"query-stats-schemas", stats_schemas_args, stats_schemas,
     "names, units and meanings of the values in query-stats"},
    {"query-paging", NULL, query_paging, "how guest memory is translated, since when and why"},
    {"set-paging", paging_args, set_paging, "change the paging mode while the guest runs"},
    {"reclaim", slice_args, reclaim, "take a slice of guest memory now, without asking the guest"},
    {"release", slice_args, release, "give back a slice that reclaim took, zeroed"},
    {"dump-tables", dump_args, dump_tables, "page tables of one stage: guest, stage2 or shadow"},
    {"query-tables", tables_args, query_tables, "the same as trees, entry by entry; of enclaves, sizes"},
    {"walk", walk_args, walk, "every reference of one translation, and how it ends"},
    {"snapshot-save", snapshot_args, snapshot_save, "save the whole machine to a file while the guest runs"},
    {"query-snapshot", NULL, query_snapshot, "how far the snapshot is, or how the last one ended"},
    {"query-enclaves", NULL, query_enclaves, "the guest's enclaves, and the public key of their reports"},
    {"fingerprint", fingerprint_args, fingerprint,
     "bring a fingerprint of guest memory up to date, for a tenth of a second"},
    {"fingerprint-hashes", hashes_args, fingerprint_hashes, "some hashes of such a fingerprint"},
    {"dedup-store", dedup_store_args, dedup_store, "take the file that came along for dedup-give and dedup-take"},
    {"dedup-places", dedup_places_args, dedup_places,
     "which pages of a range cost the host memory, and where they lie"},
    {"dedup-give", dedup_ranges_args, dedup_give, "copy ranges of guest memory into that file"},
    {"dedup-take", dedup_ranges_args, dedup_take,
     "put what is equal in that file, once sealed, in the place of ranges"},
    {"dedup-advise", dedup_ranges_args, dedup_advise, "tell the host's KSM that ranges have equal ones elsewhere"},
    {0},
};
