/* SPDX-License-Identifier: MIT */
/* crash HOW: goes wrong in the given way. */
#include "user.h"

static const struct {
	const char *name;
	int how;
} kernel_crashes[] = {
    {"panic", CRASH_PANIC}, {"triple", CRASH_TRIPLE}, {"loop", CRASH_LOOP},         {"unmapped", CRASH_UNMAPPED},
    {"gap", CRASH_GAP},     {"hlt", CRASH_HLT},       {"overflow", CRASH_OVERFLOW},
};

int crash_main(int argc, char **argv)
{
	const char *how = argc > 1 ? argv[1] : "";
	int *volatile nowhere = (int *)PAGE_BYTES;
	uint64_t n;

	for (unsigned i = 0; i < sizeof(kernel_crashes) / sizeof(*kernel_crashes); i++) {
		if (same(how, kernel_crashes[i].name)) {
			sys(SYS_CRASH, kernel_crashes[i].how, 0, 0);
			print("crash: this CPU survived '%s'\n", how);
			return 0;
		}
	}
	if (same(how, "exit") && argc == 3 && parse_number(argv[2], &n))
		return n;
	if (same(how, "fault"))
		*nowhere = 1;
	if (same(how, "spin"))
		for (;;)
			__asm__ volatile("pause");
	print("usage: crash exit N | fault | spin |");
	for (unsigned i = 0; i < sizeof(kernel_crashes) / sizeof(*kernel_crashes); i++)
		print(" %s", kernel_crashes[i].name);
	print("\n");
	return 2;
}
