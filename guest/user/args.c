/* SPDX-License-Identifier: MIT */
/* args [WORD...]: shows what arrived. */
#include "user.h"

int args_main(int argc, char **argv)
{
	for (int i = 0; i < argc; i++)
		print("argv[%d] = '%s'\n", (int64_t)i, argv[i]);
	return 0;
}
