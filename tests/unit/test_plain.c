/* SPDX-License-Identifier: MIT */
/* Foreign text reaches terminals and JSON as plain text: no control character, no broken UTF-8, nothing else changed. */
#include <criterion/criterion.h>
#include <string.h>

#include "base/plain.h"

Test(plain, examples)
{
	static const struct {
		const char *text, *plain;
	} example[] = {
	    {"", ""},
	    {"/tmp/file name~", "/tmp/file name~"},
	    {"gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x90\xa7", "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x90\xa7"},
	    {"a\nb\tc\x1b[31m\x7f", "a?b?c?[31m?"},
	    {"/x\x9b"
	     "31m",
	     "/x?31m"},
	    {"/x\xc2\x9b"
	     "31m",
	     "/x??31m"},
	    {"\xe2\x80\xae"
	     "fdp\xe2\x81\xa9",
	     "???fdp???"},
	    {"\xe2\x80\xa8", "???"},                       /* the line separator */
	    {"\xc0\x80\xc1\xbf \xe0\x9f\xbf", "???? ???"}, /* longer than need be */
	    {"\xed\xa0\x80 \xf4\x90\x80\x80", "??? ????"}, /* a surrogate, beyond the last character */
	    {"\xff\xfe \x80 \xc3 \xe2\x82", "?? ? ? ??"},  /* no beginning, no end */
	    {"\xc2\xa0\xed\x9f\xbf\xee\x80\x80\xf4\x8f\xbf\xbf", "\xc2\xa0\xed\x9f\xbf\xee\x80\x80\xf4\x8f\xbf\xbf"},
	};

	for (size_t i = 0; i < sizeof(example) / sizeof(*example); i++) {
		char text[64];

		strcpy(text, example[i].text);
		plain_string(text);
		cr_expect_str_eq(text, example[i].plain, "example %zu", i);
	}
}

/* Bytes behind the end do not complete a character. */
Test(plain, stays_inside)
{
	char text[] = "a\xc3\xbc";

	plain_make(text, 2);
	cr_expect_str_eq(text, "a?\xbc");
}
