/* SPDX-License-Identifier: MIT */
/* Lists of names: each word is a whole name, and a list that is wrong anywhere gives nothing. */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "base/names.h"

static const char *name(size_t i)
{
	static const char *const names[] = {"one", "three", "two", NULL};

	return names[i];
}

Test(names, lists)
{
	unsigned set = 77;

	cr_assert_eq(names_parse("one", name, &set), 0);
	cr_expect_eq(set, 1u);
	cr_assert_eq(names_parse("two,three", name, &set), 0);
	cr_expect_eq(set, 6u);
	cr_assert_eq(names_parse("two,two", name, &set), 0);
	cr_expect_eq(set, 4u);
}

Test(names, wrong)
{
	static const char *const wrong[] = {"",     ",",        "on",      "ones",     "one,",
	                                    ",one", "one,,two", "one two", "one,four", "ONE"};
	unsigned set = 77;

	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
		cr_expect_eq(names_parse(wrong[i], name, &set), -EINVAL, "'%s'", wrong[i]);
	cr_expect_eq(set, 77u, "untouched on failure");
}

Test(names, joined)
{
	char text[32], little[8];

	names_join(name, text, sizeof(text));
	cr_expect_str_eq(text, "one, three, two");
	names_join(name, little, sizeof(little));
	cr_expect_str_eq(little, "one, th");
}
