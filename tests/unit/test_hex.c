/* SPDX-License-Identifier: MIT */
/* Bytes as hex digits and back: exactly as many as are wanted, and nothing else but white space. */
#include <criterion/criterion.h>
#include <string.h>

#include "base/hex.h"

Test(hex, there_and_back)
{
	unsigned char all[256], back[256];
	char text[HEX_TEXT(256)];

	for (int i = 0; i < 256; i++)
		all[i] = i;
	hex_write(text, all, sizeof(all));
	cr_expect_eq(strlen(text), 512u);
	cr_expect_eq(strncmp(text, "000102030405060708090a0b0c0d0e0f10", 34), 0);
	cr_expect(hex_read(text, strlen(text), back, sizeof(back)));
	cr_expect_arr_eq(back, all, sizeof(all));
}

Test(hex, white_space_and_case)
{
	static const char text[] = "\n D eAd\tbe\r\n\v\fEF ";
	unsigned char bytes[4];

	cr_expect(hex_read(text, strlen(text), bytes, sizeof(bytes)));
	cr_expect_arr_eq(bytes, "\xde\xad\xbe\xef", 4);
}

Test(hex, refuses)
{
	static const char *const wrong[] = {"",         "0",        "1234567",     "123456789", "1234567x",
	                                    "0x123456", "-1234567", "1234567\x80", "12345g78",  "12:34:56:78"};
	unsigned char bytes[4] = "same";

	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
		cr_expect_not(hex_read(wrong[i], strlen(wrong[i]), bytes, sizeof(bytes)), "%s", wrong[i]);
	cr_expect_not(hex_read("12345678", 9, bytes, sizeof(bytes)), "a NUL");
	cr_expect_arr_eq(bytes, "same", 4);
}
