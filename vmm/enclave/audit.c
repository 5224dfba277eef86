/* SPDX-License-Identifier: MIT */
/*
 * The invariants of the third stage, each from both sides:
 *
 *   every frame that has an owner is a page or a table of that enclave, in its run      stage  -> enclave
 *   every page and every table of an enclave is a frame that it owns                    enclave -> stage
 *   every leaf of a view is an added page at the address and with the rights that the third stage has,
 *   a page of the buffer, or a fixed one; every added page of a sealed enclave is there  view <-> stage
 *   no two runs overlap
 */
#include <errno.h>

#include "enclave/internal.h"

static int wrong(const char **ret_what, const char *what)
{
	*ret_what = what;
	return -EBADMSG;
}

static uint64_t frame_number(const struct enclave *e, uint64_t at)
{
	return (at - maddr_raw(e->memory)) / PAGE_SIZE;
}

/* Whether the enclave says of its frame what the third stage says. */
static bool knows_frame(const struct enclave *e, uint64_t at, pt_attrs_t rights, uint64_t may_appear)
{
	const uint64_t n = frame_number(e, at);

	if (at < maddr_raw(e->memory) || n >= e->nr_pages + e->nr_tables)
		return false;
	if (n >= e->nr_pages)
		return n - e->nr_pages < e->tables_used && !rights && !may_appear;
	return e->page[n].added && e->page[n].rights == rights && may_appear == e->create.base + n * PAGE_SIZE;
}

static int audit_stage(struct enclaves *all, uint64_t *ret_frames, const char **ret_what)
{
	struct pt *pt = &all->stage.pt;
	struct pt_violation v;
	struct pt_iter it;
	uint64_t frames = 0;

	if (pt_audit(pt, &v) < 0)
		return wrong(ret_what, v.what);
	pt_for_each (&it, pt, 0, UINT64_MAX, 1) {
		const struct enclave *e;
		pt_attrs_t attrs;

		if (!pt->fmt->is_leaf(it.old, it.level))
			continue;
		attrs = pt->fmt->get_attrs(it.old, it.level);
		e = all->enclave[(attrs & PT_OWNER_MASK) >> PT_OWNER_SHIFT];
		if (!e)
			return wrong(ret_what, "a frame belongs to no enclave");
		if (!knows_frame(e, it.va, attrs & PT_RWX, pt->fmt->address(it.old, it.level)))
			return wrong(ret_what, "an enclave does not know of a frame of its own");
		frames++;
	}
	*ret_frames = frames;
	return 0;
}

static bool is_fixed(const struct enclaves *all, uint64_t va, uint64_t at, pt_attrs_t attrs)
{
	for (unsigned i = 0; i < all->config.nr_fixed; i++) {
		const struct enclave_fixed *f = &all->fixed[i];

		if (va - f->va < f->size && at == maddr_raw(f->maddr) + (va - f->va))
			return !((attrs ^ f->attrs) & ~PT_AD) && !(attrs & PT_U);
	}
	return false;
}

static bool is_buffer(const struct enclave *e, uint64_t va, uint64_t at, pt_attrs_t attrs)
{
	return e->create.buffer && va - e->create.buffer < e->create.buffer_size &&
	       at == maddr_raw(enclave_buffer(e)) + (va - e->create.buffer) && (attrs & ~PT_AD) == (PT_R | PT_W | PT_U);
}

static bool is_page(struct enclave *e, uint64_t va, uint64_t at, pt_attrs_t attrs)
{
	struct enclave_frame frame;

	return enclave_stage_lookup(&e->all->stage, maddr_init(at), &frame) && frame.owner == e->id && frame.rights &&
	       frame.may_appear == va && (attrs & ~PT_AD) == (frame.rights | PT_U);
}

static int audit_view(struct enclave *e, const char **ret_what)
{
	struct pt_violation v;
	struct pt_iter it;
	uint64_t pages = 0;

	if (pt_audit(&e->view, &v) < 0)
		return wrong(ret_what, v.what);
	pt_for_each (&it, &e->view, 0, UINT64_MAX, 1) {
		const uint64_t at = pt_x86_64.address(it.old, it.level);
		pt_attrs_t attrs;

		if (!pt_x86_64.is_leaf(it.old, it.level))
			continue;
		attrs = pt_x86_64.get_attrs(it.old, it.level);
		if (is_page(e, it.va, at, attrs))
			pages++;
		else if (!is_buffer(e, it.va, at, attrs) && !is_fixed(e->all, it.va, at, attrs))
			return wrong(ret_what, "a view shows what the third stage does not allow");
	}
	return pages == e->nr_added ? 0 : wrong(ret_what, "a view lacks a page of its enclave");
}

static int audit_enclave(struct enclave *e, const char **ret_what)
{
	uint64_t added = 0, due = 0;

	for (uint64_t n = 0; n < e->nr_pages; n++) {
		added += e->page[n].added;
		due += e->page[n].due;
		if ((e->page[n].due && !e->page[n].measured) || (e->page[n].measured && !e->page[n].added))
			return wrong(ret_what, "a page is measured that is not there");
	}
	if (due > e->nr_due || e->nr_due > ENCLAVE_DUE_MAX || (due && e->state != ENCLAVE_BUILDING))
		return wrong(ret_what, "the hash of a page is forgotten");
	if (added != e->nr_added)
		return wrong(ret_what, "an enclave counts its pages wrong");
	if ((e->state == ENCLAVE_BUILDING) != !e->view.root)
		return wrong(ret_what, "an enclave has a view before it is sealed, or none afterwards");
	if ((e->state == ENCLAVE_CALLED_OUT || e->state == ENCLAVE_INTERRUPTED) != (e->ticket != 0))
		return wrong(ret_what, "a ticket waits for no RESUME, or none does");
	return e->view.root ? audit_view(e, ret_what) : 0;
}

static int audit_runs(const struct enclaves *all, const char **ret_what)
{
	for (unsigned i = 1; i <= GNOMON_ENCLAVE_MAX; i++) {
		const struct enclave *a = all->enclave[i];
		const uint64_t end = a ? maddr_raw(a->memory) + enclave_run_size(a) : 0;

		if (a && (a->id != i || a->state == ENCLAVE_NONE || end > all->config.size))
			return wrong(ret_what, "an enclave is not what its place says");
		for (unsigned j = i + 1; a && j <= GNOMON_ENCLAVE_MAX; j++) {
			const struct enclave *b = all->enclave[j];

			if (b && maddr_raw(b->memory) < end &&
			    maddr_raw(a->memory) < maddr_raw(b->memory) + enclave_run_size(b))
				return wrong(ret_what, "two enclaves overlap in secure memory");
		}
	}
	return 0;
}

int enclave_audit(struct enclaves *all, const char **ret_what)
{
	uint64_t frames = 0, owned = 0;
	int r = audit_runs(all, ret_what);

	if (r == 0)
		r = audit_stage(all, &frames, ret_what);
	for (unsigned id = 1; r == 0 && id <= GNOMON_ENCLAVE_MAX; id++) {
		struct enclave *e = all->enclave[id];

		if (!e)
			continue;
		owned += e->nr_added + e->tables_used;
		r = audit_enclave(e, ret_what);
	}
	/* Each owned frame is known to its enclave, so equal numbers mean the same frames. */
	return r == 0 && frames != owned ? wrong(ret_what, "a page or a table of an enclave has no owner") : r;
}
