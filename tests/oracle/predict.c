/* SPDX-License-Identifier: MIT */
/* What the AMD64 manual says of one access. Written from APM2 5.3-5.6 and 8.4.2 alone, to be a second opinion. */
#include <gnomon/x86.h>

#include "oracle.h"

/* 5.3.2-5.3.5: bits that raise #PF with RSVD in a present entry. */
static bool must_be_zero(const struct test_case *c, int level)
{
	uint64_t e = c->entry[level];

	if ((e & PTE_NX) && !c->mode.nxe)
		return true; /* 5.6.1 */
	if (e & PTE_ADDR & (~0ull << maxphyaddr))
		return true;
	if (level == 4)
		return e & PTE_PS;
	return level == 2 && (e & PTE_PS) && (e & 0x1fe000); /* bits 20:13 */
}

/* 5.6: rights are those that the entries of all levels grant together. */
static bool permitted(const struct test_case *c)
{
	uint64_t all = ~0ull, any = 0;
	bool writable, user_page, no_execute;

	for (int level = 4; level >= c->leaf; level--) {
		all &= c->entry[level];
		any |= c->entry[level];
	}
	writable = all & PTE_W;
	user_page = all & PTE_U;
	no_execute = any & PTE_NX;
	if (c->kind == FETCH && no_execute)
		return false;
	if (c->user)
		return user_page && (writable || c->kind != WRITE);
	if (user_page && c->kind == FETCH && c->mode.smep)
		return false; /* 5.6.5 */
	if (user_page && c->kind != FETCH && c->mode.smap && !c->mode.ac)
		return false; /* 5.6.6 */
	return writable || c->kind != WRITE || !c->mode.wp;
}

void predict(const struct test_case *c, struct result *ret_result)
{
	struct result r = {0};
	bool present = true, reserved = false;

	for (int level = 4; level >= 1; level--)
		r.entry[level] = c->entry[level];
	for (int level = 4; level >= c->leaf && present && !reserved; level--) {
		present = c->entry[level] & PTE_P;
		reserved = present && must_be_zero(c, level);
	}
	r.fault = !present || reserved || !permitted(c);
	if (r.fault) { /* 8.4.2 */
		r.error = (present ? PFEC_P : 0) | (reserved ? PFEC_RSVD : 0) | (c->kind == WRITE ? PFEC_W : 0) |
			  (c->user ? PFEC_U : 0);
		if (c->kind == FETCH && (c->mode.nxe || c->mode.smep))
			r.error |= PFEC_I;
		r.cr2 = c->kind == FETCH ? TEST_VA + (c->user ? 0 : 64) : TEST_DATA;
	} else { /* 5.4.2 */
		for (int level = 4; level >= c->leaf; level--)
			r.entry[level] |= PTE_A;
		r.entry[c->leaf] |= c->kind == WRITE ? PTE_D : 0;
	}
	*ret_result = r;
}
