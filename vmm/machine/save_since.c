/* SPDX-License-Identifier: MIT */
/* Which pages were written since another snapshot, so that a file can build on it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bitmap.h"
#include "machine/save.h"
#include "snapshot/chain.h"
#include "vm/rest.h"

/* The file that is written lies in the directory of this one: a chain of files can be moved as a whole. */
static int check_place(const struct save *s, const char *since, const struct outfile_place *place,
                       struct control_error *err)
{
	const struct outfile_place *out = &s->out.place;
	struct stat there, here;

	if (place->descriptor >= 0 || place->proc || !place->exists)
		return control_fail(err, ENOENT, "%s: There is no such file", since);
	if (fstat(place->dir, &there) < 0 || fstat(out->dir, &here) < 0 || !outfile_is_one(&there, &here))
		return control_fail(err, EXDEV, "%s must lie in the directory of the file that builds on it", since);
	if (!snapshot_is_base_name(place->name))
		return control_fail(err, EINVAL, "Nothing can build on a file whose name has control characters");
	return 0;
}

int save_since_check(struct save *s, const char *since, struct control_error *err)
{
	const struct outfile_place *out = &s->out.place;
	char why[SNAPSHOT_WHY_MAX];
	struct outfile_place place;
	int r;

	*s->since.base = 0;
	if (!since)
		return 0;
	if (!s->since.known)
		return control_fail(err, EINVAL,
		                    "Which pages were written since %s is not known: save it with \"track\"", since);
	r = outfile_find(since, &place);
	if (r < 0)
		return control_fail(err, -r, "%s: %s", since, strerror(-r));
	r = check_place(s, since, &place, err);
	if (r == 0) {
		r = snapshot_chain_check(out->dir, place.name, s->since.root, out->exists ? &out->st : NULL, why);
		if (r < 0)
			r = control_fail(err, -r, "Nothing can build on %s: %s", since, why);
	}
	if (r == 0)
		snprintf(s->since.base, sizeof(s->since.base), "%s", place.name);
	outfile_leave(&place);
	return r;
}

int save_since_take(struct save *s, char *ret_why)
{
	const uint64_t size = vm_dirty_words(s->vm) * sizeof(*s->since.taken);
	struct save_since *since = &s->since;
	int r;

	if (!s->track && !*since->base)
		return 0;
	if (!since->taken)
		since->taken = malloc(size);
	if (!since->taken) {
		snprintf(ret_why, VM_WHY_MAX, "The host has no memory for a map of pages");
		return -ENOMEM;
	}
	memset(since->taken, 0, size);
	if (since->log.pages) {
		/* Without KVM's log all pages count as written, and are saved. */
		(void)!vm_dirty_take(s->vm, &since->log, since->taken);
	} else {
		r = vm_dirty_begin(s->vm, &since->log);
		if (r < 0) {
			snprintf(ret_why, VM_WHY_MAX, "The host does not log which pages are written (%s)",
			         strerror(-r));
			return r;
		}
	}
	since->pending = true;
	return 0;
}

void save_since_end(struct save *s, bool saved)
{
	struct save_since *since = &s->since;

	if (!since->pending)
		return;
	since->pending = false;
	if (saved && s->track) {
		memcpy(since->root, s->progress->root, sizeof(since->root));
		since->known = true;
	} else if (!saved && since->known) {
		vm_dirty_put_back(s->vm, &since->log, since->taken);
	} else {
		vm_dirty_end(s->vm, &since->log);
		since->known = false;
	}
}

bool save_since_has(const struct save_since *since, uint64_t gfn)
{
	return bitmap_has(since->taken, gfn);
}
