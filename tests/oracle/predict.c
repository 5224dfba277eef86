/* SPDX-License-Identifier: MIT */
/* What the AMD64 manual says of one access. Written from APM2 5.3-5.6 and 8.4.2 alone, to be a second opinion. */
#include <gnomon/x86.h>

#include "oracle.h"

/* 5.3.2-5.3.5: bits that raise #PF with RSVD in a present entry. */
static bool must_be_zero(const struct mode *m, int level, uint64_t e)
{
	if ((e & PTE_NX) && !m->nxe)
		return true; /* 5.6.1 */
	if (e & PTE_ADDR & (~0ull << maxphyaddr))
		return true;
	if (level == 1 || !(e & PTE_PS))
		return false; /* bit 7 is PAT at level 1 */
	if (level == 4 || (level == 3 && !gbpages))
		return true;
	/* Bits below a large page's frame; bit 12 is PAT. */
	return e & (level == 2 ? 0x1fe000 : 0x3fffe000);
}

/* 5.6: rights are those that the entries of all levels grant together. */
static bool permitted(const struct access *a, int leaf, const uint64_t *entry)
{
	uint64_t all = ~0ull, any = 0;
	bool writable, user_page, no_execute;

	for (int level = 4; level >= leaf; level--) {
		all &= entry[level];
		any |= entry[level];
	}
	writable = all & PTE_W;
	user_page = all & PTE_U;
	no_execute = any & PTE_NX;
	if (a->kind == FETCH && no_execute)
		return false;
	if (a->user)
		return user_page && (writable || a->kind != WRITE);
	if (user_page && a->kind == FETCH && a->mode.smep)
		return false; /* 5.6.5 */
	if (user_page && a->kind != FETCH && a->mode.smap && !a->mode.ac)
		return false; /* 5.6.6 */
	return writable || a->kind != WRITE || !a->mode.wp;
}

void predict(const struct access *a, int leaf, const uint64_t *entry, struct result *ret_result)
{
	struct result r = {0};
	bool present = true, reserved = false;

	for (int level = 4; level >= 1; level--)
		r.entry[level] = entry[level];
	for (int level = 4; level >= leaf && present && !reserved; level--) {
		present = entry[level] & PTE_P;
		reserved = present && must_be_zero(&a->mode, level, entry[level]);
	}
	r.fault = !present || reserved || !permitted(a, leaf, entry);
	if (r.fault) { /* 8.4.2 */
		r.error = (present ? PFEC_P : 0) | (reserved ? PFEC_RSVD : 0) | (a->kind == WRITE ? PFEC_W : 0) |
		          (a->user ? PFEC_U : 0);
		if (a->kind == FETCH && (a->mode.nxe || a->mode.smep))
			r.error |= PFEC_I;
		r.cr2 = a->address;
	} else { /* 5.4.2 */
		for (int level = 4; level >= leaf; level--)
			r.entry[level] |= PTE_A;
		r.entry[leaf] |= a->kind == WRITE ? PTE_D : 0;
	}
	*ret_result = r;
}
