/* SPDX-License-Identifier: MIT */
/*
 * From a guest physical address to memory. The guest walker comes here for each table it reads, so this is a walk of
 * its own, without the engine's iterator; pt_lookup is its oracle in the tests. Like that it reads each
 * entry once.
 */
#include <errno.h>
#include <string.h>

#include "pgtable/ept.h"
#include "stage2/stage2.h"

/*
 * The leaf for `gpa`; an absent entry when there is none. Anything, when tables were freed meanwhile: the page may hold
 * entries of another level by now, and a frame's address pass for a table's.
 */
static pte_t walk(const struct stage2 *s2, uint64_t gpa, int *ret_level)
{
	const uint64_t *entry = s2->pt.root->entry;

	*ret_level = EPT_LEVELS;
	for (int level = EPT_LEVELS; entry; level--) {
		const pte_t e = pte_init(__atomic_load_n(&entry[ept_index(gpa, level)], __ATOMIC_ACQUIRE));

		if (!ept_is_present(e, level) || ept_is_leaf(e, level)) {
			*ret_level = level;
			return e;
		}
		entry = stage2_table_entries(&s2->tables, ept_address(e, level));
	}
	return pte_init(0);
}

/* As walk(), but of tables that were not freed. `gpa` is below 2^48. */
static pte_t find(const struct stage2 *s2, uint64_t gpa, int *ret_level)
{
	uint64_t reuses;
	pte_t e;

	do {
		reuses = atomic_load_explicit(&s2->tables.reuses, memory_order_acquire);
		e = walk(s2, gpa, ret_level);
	} while (atomic_load_explicit(&s2->tables.reuses, memory_order_relaxed) != reuses);
	return e;
}

bool stage2_lookup(const struct stage2 *s2, gpa_t gpa, struct stage2_mapping *ret_mapping)
{
	int level;
	pte_t e;

	if (gpa_raw(gpa) >> ept_shift(EPT_LEVELS + 1))
		return false;
	e = find(s2, gpa_raw(gpa), &level);
	if (!ept_is_present(e, level))
		return false;
	*ret_mapping = (struct stage2_mapping){
	    .maddr = maddr_init(ept_address(e, level) + (gpa_raw(gpa) & (ept_span(level) - 1))),
	    .level = level,
	    .attrs = ept_get_attrs(e, level),
	};
	return true;
}

/* Bytes from `gpa` to the end of the page that maps it. */
static uint64_t rest(gpa_t gpa, const struct stage2_mapping *m)
{
	const uint64_t span = ept_span(m->level);

	return span - (gpa_raw(gpa) & (span - 1));
}

void *stage2_ptr(const struct stage2 *s2, gpa_t gpa, uint64_t len)
{
	struct stage2_mapping first, next;
	uint64_t found;

	if (!stage2_lookup(s2, gpa, &first))
		return NULL;
	/* No sum wraps: from 2^48 up nothing is mapped. */
	for (found = rest(gpa, &first); found < len; found += rest(gpa_add(gpa, found), &next))
		if (!stage2_lookup(s2, gpa_add(gpa, found), &next) ||
		    maddr_raw(next.maddr) != maddr_raw(first.maddr) + found)
			return NULL;
	return guest_mem_ptr(s2->mem, first.maddr, len);
}

int stage2_range_state(const struct stage2 *s2, gpa_t gpa, uint64_t size, bool *ret_mapped)
{
	const uint64_t first = gpa_raw(gpa);
	bool mapped = false;

	if (page_offset(first) || page_offset(size) || !stage2_is_ram(s2, gpa, size))
		return -EINVAL;
	for (uint64_t at = first, span; at < first + size; at = (at & ~(span - 1)) + span) {
		int level;
		const pte_t e = find(s2, at, &level);

		if (at != first && ept_is_present(e, level) != mapped)
			return -EALREADY;
		mapped = ept_is_present(e, level);
		span = ept_span(level);
	}
	*ret_mapped = mapped;
	return 0;
}

int stage2_read(const struct stage2 *s2, gpa_t gpa, void *to, uint64_t len)
{
	struct stage2_mapping m;

	for (uint64_t at = 0; at < len; at += rest(gpa_add(gpa, at), &m))
		if (!stage2_lookup(s2, gpa_add(gpa, at), &m))
			return -EFAULT;
	for (uint64_t at = 0, n; at < len; at += n) {
		const uint64_t page = PAGE_SIZE - page_offset(gpa_raw(gpa) + at);
		const void *from;

		n = len - at < page ? len - at : page;
		from = stage2_ptr(s2, gpa_add(gpa, at), n);
		if (!from)
			return -EFAULT; /* unmapped since: the caller does not hold the lock */
		memcpy((uint8_t *)to + at, from, n);
	}
	return 0;
}
