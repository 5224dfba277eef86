/* SPDX-License-Identifier: MIT */
#include "control/dedup.h"

#include <errno.h>
#include <unistd.h>

#define PAGE       4096
#define PLACES_MAX (256ull << 20) /* of dedup-places: a reply has a limit */

static const struct arg_schema range_members[] = {
    {.name = "gpa", .type = ARG_INTEGER, .required = true},
    {.name = "size", .type = ARG_INTEGER, .required = true},
    {.name = "offset", .type = ARG_INTEGER},
    {0},
};
const struct arg_schema dedup_store_args[] = {
    {.name = "users", .type = ARG_BOOLEAN},
    {0},
};
const struct arg_schema dedup_places_args[] = {
    {.name = "gpa", .type = ARG_INTEGER, .required = true},
    {.name = "size", .type = ARG_INTEGER, .required = true},
    {0},
};
const struct arg_schema dedup_ranges_args[] = {
    {.name = "ranges", .type = ARG_OBJECTS, .required = true, .members = range_members},
    {0},
};

json_t *dedup_store(const struct qmp *q, json_t *args, struct control_error *err)
{
	struct qmp_session *s = q->session;
	uint64_t size, unit;

	if (!s->has_fd) {
		control_fail(err, EBADF, "No file descriptor supplied via SCM_RIGHTS");
		return NULL;
	}
	s->has_fd = false;
	if (q->ops->dedup_store(q->vm, s->fd, json_is_true(json_object_get(args, "users")), &size, &unit, err) < 0) {
		close(s->fd);
		return NULL;
	}
	if (s->has_store)
		close(s->store);
	s->has_store = true;
	s->store = s->fd;
	return json_pack("{s:I, s:I}", "size", (json_int_t)size, "unit", (json_int_t)unit);
}

/* -EINVAL with *err. */
static int parse_range(const json_t *arg, bool needs_offset, struct control_range *ret, struct control_error *err)
{
	const json_t *at = json_object_get(arg, "offset");
	const json_int_t gpa = json_integer_value(json_object_get(arg, "gpa"));
	const json_int_t size = json_integer_value(json_object_get(arg, "size"));
	const json_int_t offset = json_integer_value(at);

	if (gpa < 0 || size <= 0 || offset < 0 || (gpa | size | offset) % PAGE || gpa > INT64_MAX - size ||
	    offset > INT64_MAX - size)
		return control_fail(err, EINVAL,
		                    "gpa, size and offset must be multiples of %d, size more than 0, and the range end",
		                    PAGE);
	if (needs_offset && !at)
		return control_fail(err, EINVAL, "Parameter 'offset' is missing");
	*ret = (struct control_range){
	    .gpa = (uint64_t)gpa, .size = (uint64_t)size, .offset = (uint64_t)offset, .zero = !at};
	return 0;
}

static json_t *work(const struct qmp *q, enum control_dedup what, const json_t *args, struct control_error *err)
{
	const json_t *list = json_object_get(args, "ranges"), *arg;
	struct control_range range[ARG_ELEMENTS];
	struct control_merged m = {0};
	bool needs_store = false;
	unsigned n = 0;
	size_t i;

	json_array_foreach (list, i, arg) {
		if (parse_range(arg, what == CONTROL_GIVE, &range[n], err) < 0)
			return NULL;
		needs_store |= what != CONTROL_ADVISE && !range[n].zero;
		n++;
	}
	if (needs_store && !q->session->has_store) {
		control_fail(err, EBADF, "There is no store: \"dedup-store\" first");
		return NULL;
	}
	if (q->ops->dedup(q->vm, what, needs_store ? q->session->store : -1, range, n, &m, err) < 0)
		return NULL;
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "bytes", (json_int_t)m.bytes, "given",
	                 (json_int_t)m.pages.given, "merged", (json_int_t)m.pages.merged, "freed",
	                 (json_int_t)m.pages.freed, "differ", (json_int_t)m.pages.differ, "absent",
	                 (json_int_t)m.pages.absent, "zero", (json_int_t)m.pages.zero, "full", (json_int_t)m.pages.full,
	                 "pause-us", (json_int_t)m.pause_us);
}

json_t *dedup_places(const struct qmp *q, json_t *args, struct control_error *err)
{
	struct control_range range;

	if (parse_range(args, false, &range, err) < 0)
		return NULL;
	if (range.size > PLACES_MAX) {
		control_fail(err, EINVAL, "size must be %llu at most", PLACES_MAX);
		return NULL;
	}
	return q->ops->dedup_places(q->vm, range.gpa, range.size, err);
}

json_t *dedup_give(const struct qmp *q, json_t *args, struct control_error *err)
{
	return work(q, CONTROL_GIVE, args, err);
}

json_t *dedup_take(const struct qmp *q, json_t *args, struct control_error *err)
{
	return work(q, CONTROL_TAKE, args, err);
}

json_t *dedup_advise(const struct qmp *q, json_t *args, struct control_error *err)
{
	return work(q, CONTROL_ADVISE, args, err);
}
