/* SPDX-License-Identifier: MIT */
/*
 * Reports. What is protected here: a report of a running enclave is accepted, and one with any bit changed, of another
 * key, another enclave, another nonce or another length is not, with the reason.
 */
#include <string.h>

#include "enclave/report.h"
#include "enclave_world.h"

static struct enclave_key key;
static struct gnomon_enclave_report report;
static struct enclave_expected expected;
static struct enclave_info info;
static uint8_t nonce[GNOMON_ENCLAVE_NONCE] = "a nonce";
static const uint8_t data[GNOMON_ENCLAVE_USER_DATA] = "what the enclave says";

static void begin(void)
{
	ew_begin(4);
	enclave_key_make(&key);
	ew_bring_to(3, ENCLAVE_RUNNING);
	ew_ok(enclave_report(ew.all, 3, &key, nonce, data, &report));
	cr_assert(enclave_look(ew.all, 3, &info));
	expected = (struct enclave_expected){key.public, info.measurement, nonce};
}

TestSuite(enclave_report, .init = begin, .fini = ew_end);

static const char *refusal(void)
{
	return enclave_report_refusal(&report, sizeof(report), &expected);
}

Test(enclave_report, genuine)
{
	cr_expect_null(refusal());
	cr_expect_arr_eq(report.user_data, data, sizeof(data));
	cr_expect_eq(report.base, EW_BASE);
	expected.measurement = NULL;
	expected.nonce = NULL;
	cr_expect_null(refusal());
}

Test(enclave_report, any_bit_changed)
{
	for (size_t bit = 0; bit < 8 * sizeof(report); bit++) {
		uint8_t *byte = (uint8_t *)&report + bit / 8;

		*byte ^= 1 << bit % 8;
		cr_expect_not_null(refusal(), "bit %zu", bit);
		*byte ^= 1 << bit % 8;
	}
	cr_expect_null(refusal());
}

Test(enclave_report, not_what_was_expected)
{
	struct enclave_key other;
	uint8_t wrong[32] = {0};

	enclave_key_make(&other);
	expected.public_key = other.public;
	cr_expect_str_eq(refusal(), "it is not signed with this key");
	expected.public_key = wrong;
	cr_expect_str_eq(refusal(), "it is not signed with this key");
	expected.public_key = key.public;
	expected.measurement = wrong;
	cr_expect_str_eq(refusal(), "it is of an enclave with another measurement");
	expected.measurement = info.measurement;
	expected.nonce = wrong;
	cr_expect_str_eq(refusal(), "it answers another nonce");
	expected.nonce = nonce;
	for (size_t size = 0; size < 2 * sizeof(report); size++)
		cr_expect_eq(!enclave_report_refusal(&report, size, &expected), size == sizeof(report));
}

/* The derived key is the measurement's and the monitor's. */
Test(enclave_report, derived_key)
{
	uint8_t first[GNOMON_ENCLAVE_KEY_BYTES], again[GNOMON_ENCLAVE_KEY_BYTES], other[GNOMON_ENCLAVE_KEY_BYTES];
	struct enclave_key another;

	ew_ok(enclave_derive_key(ew.all, 3, &key, first));
	ew_ok(enclave_derive_key(ew.all, 3, &key, again));
	cr_expect_arr_eq(first, again, sizeof(first));
	enclave_key_make(&another);
	ew_ok(enclave_derive_key(ew.all, 3, &another, other));
	cr_expect_arr_neq(first, other, sizeof(first));
	/* Another measurement: an enclave of one page more. */
	ew_bring_to(4, ENCLAVE_BUILDING);
	ew_ok(enclave_add(ew.all, 4, EW_BASE + 3 * PAGE_SIZE, GNOMON_ENCLAVE_R, ew_page(3)));
	ew_ok(enclave_init(ew.all, 4, NULL));
	cr_assert(enclave_look(ew.all, 4, &info));
	ew_ok(enclave_enter(ew.all, 4, info.create.entry, (const uint64_t[GNOMON_ENCLAVE_ARGS]){0}));
	ew_ok(enclave_derive_key(ew.all, 4, &key, other));
	cr_expect_arr_neq(first, other, sizeof(first));
}

Test(enclave_report, only_of_a_running_enclave)
{
	struct gnomon_enclave_left left;
	uint8_t derived[GNOMON_ENCLAVE_KEY_BYTES];

	ew_expect(enclave_report(ew.all, 4, &key, nonce, data, &report), GNOMON_ENCLAVE_NOT_RUNNING);
	ew_expect(enclave_derive_key(ew.all, 4, &key, derived), GNOMON_ENCLAVE_NOT_RUNNING);
	ew_expect(enclave_report(ew.all, 0, &key, nonce, data, &report), GNOMON_ENCLAVE_BAD_ID);
	ew_ok(enclave_interrupted(ew.all, 3, &left));
	ew_expect(enclave_report(ew.all, 3, &key, nonce, data, &report), GNOMON_ENCLAVE_NOT_RUNNING);
}
