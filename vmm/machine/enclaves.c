/* SPDX-License-Identifier: MIT */
/* query-enclaves, and query-tables of the enclaves' stage: sizes, levels and counts; nobody here has more. */
#include <errno.h>

#include "base/hex.h"
#include "machine/machine.h"
#include "platform/enclave.h"
#include "view/entry.h"

static json_t *exits(const struct enclave_summary *s)
{
	return json_pack("{s:I, s:I, s:I, s:I}", "exited", (json_int_t)s->exits[GNOMON_ENCLAVE_EXITED], "called-out",
	                 (json_int_t)s->exits[GNOMON_ENCLAVE_CALLED_OUT], "interrupted",
	                 (json_int_t)s->exits[GNOMON_ENCLAVE_INTERRUPTED], "faulted",
	                 (json_int_t)s->exits[GNOMON_ENCLAVE_FAULTED]);
}

static void add(void *list, const struct enclave_summary *s)
{
	char measurement[HEX_TEXT(GNOMON_ENCLAVE_MEASUREMENT)];
	json_t *e =
	    json_pack("{s:i, s:s, s:I, s:I, s:I, s:I, s:I, s:o}", "id", (int)s->id, "state", s->state, "base",
	              (json_int_t)s->create.base, "size", (json_int_t)s->create.size, "pages", (json_int_t)s->pages,
	              "tables", (json_int_t)s->tables, "entries", (json_int_t)s->entries, "exits", exits(s));

	if (s->sealed) {
		hex_write(measurement, s->measurement, sizeof(s->measurement));
		json_object_set_new(e, "measurement", json_string(measurement));
	}
	json_array_append_new(list, e);
}

void machine_enclaves_unknown(int r, struct control_error *err)
{
	control_fail(err, -r, "The monitor, which has the enclaves, %s",
	             r == -ETIMEDOUT ? "does not answer" : "is gone");
}

static json_t *no_memory(struct control_error *err)
{
	control_fail(err, ENODEV, "This VM has no secure memory (gnomon run --enclave-memory)");
	return NULL;
}

/* Releases what was made until then. */
static json_t *no_answer(int r, json_t *list, struct control_error *err)
{
	json_decref(list);
	machine_enclaves_unknown(r, err);
	return NULL;
}

json_t *machine_enclaves(void *machine, struct control_error *err)
{
	struct platform_enclaves *all = ((struct machine *)machine)->vm->enclaves;
	char key[HEX_TEXT(PLATFORM_ENCLAVES_KEY)];
	json_t *list;
	int r;

	if (!all)
		return no_memory(err);
	list = json_array();
	r = platform_enclaves_look(all, add, list);
	if (r < 0)
		return no_answer(r, list, err);
	hex_write(key, platform_enclaves_key(all), PLATFORM_ENCLAVES_KEY);
	return json_pack("{s:s, s:b, s:o}", "key", key, "locked", platform_enclaves_locked(all), "enclaves", list);
}

struct sizes {
	const char *address; /* only those that have it; NULL: all */
	uint64_t at, owned;  /* owned: frames, of all */
	json_t *list;
};

static void add_sizes(void *ctx, const struct enclave_summary *s)
{
	struct sizes *sizes = ctx;

	sizes->owned += s->pages + s->tables;
	if (sizes->address && sizes->at - s->create.base >= s->create.size)
		return;
	json_array_append_new(sizes->list,
	                      json_pack("{s:i, s:s, s:o, s:I, s:I, s:I}", "id", (int)s->id, "state", s->state, "base",
	                                view_hex(s->create.base), "size", (json_int_t)s->create.size, "pages",
	                                (json_int_t)s->pages, "tables", (json_int_t)s->tables));
}

json_t *machine_enclave_tables(struct machine *m, const struct control_tables *wanted, struct control_error *err)
{
	struct platform_enclaves *all = m->vm->enclaves;
	struct sizes sizes = {.address = wanted->address};
	struct platform_third_stage stage;
	int r;

	if (wanted->address && view_parse_address("address", wanted->address, &sizes.at, err) < 0)
		return NULL;
	if (!all)
		return no_memory(err);
	sizes.list = json_array();
	r = platform_enclaves_look(all, add_sizes, &sizes);
	if (r == 0)
		r = platform_enclaves_third_stage(all, &stage);
	if (r < 0)
		return no_answer(r, sizes.list, err);
	return json_pack("{s:s, s:s, s:[], s:b, s:{s:i, s:I, s:I, s:I, s:I}, s:o}", "stage", "enclave", "mode",
	                 m->vm->paging->name, "trees", "cut", 0, "third-stage", "levels", stage.levels, "memory",
	                 (json_int_t)stage.memory, "bytes", (json_int_t)stage.bytes, "frames",
	                 (json_int_t)(stage.memory / PAGE_SIZE), "owned", (json_int_t)sizes.owned, "enclaves",
	                 sizes.list);
}
