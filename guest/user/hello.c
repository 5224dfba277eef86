/* SPDX-License-Identifier: MIT */
#include "user.h"

int hello_main(int argc, char **argv)
{
	static const char text[] = "hello from gnomon guest\n";

	write(text, sizeof(text) - 1);
	return 0;
}
