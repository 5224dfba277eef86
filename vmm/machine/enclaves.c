/* SPDX-License-Identifier: MIT */
/* query-enclaves. */
#include <errno.h>

#include "base/hex.h"
#include "machine/machine.h"
#include "platform/enclave.h"

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

json_t *machine_enclaves(void *machine, struct control_error *err)
{
	struct platform_enclaves *all = ((struct machine *)machine)->vm->enclaves;
	char key[HEX_TEXT(PLATFORM_ENCLAVES_KEY)];
	json_t *list;
	int r;

	if (!all) {
		control_fail(err, ENODEV, "This VM has no secure memory (gnomon run --enclave-memory)");
		return NULL;
	}
	list = json_array();
	r = platform_enclaves_look(all, add, list);
	if (r < 0) {
		json_decref(list);
		machine_enclaves_unknown(r, err);
		return NULL;
	}
	hex_write(key, platform_enclaves_key(all), PLATFORM_ENCLAVES_KEY);
	return json_pack("{s:s, s:b, s:o}", "key", key, "locked", platform_enclaves_locked(all), "enclaves", list);
}
