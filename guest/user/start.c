/* SPDX-License-Identifier: MIT */
/*
 * From the argument line to a program's main. All programs are one piece of code, as in busybox. The kernel need not
 * search for one, and each of its instructions can be expensive.
 */
#include "fdt.h"
#include "user.h"

#define MAX_WORDS 32
#define MAX_LINE  1024

static const struct {
	const char *name;
	int (*main)(int argc, char **argv);
} programs[] = {
    {"hello", hello_main},       {"args", args_main},       {"chase", chase_main}, {"crash", crash_main},
    {"selftest", selftest_main}, {"idle", idle_main},       {"hold", hold_main},   {"fill", fill_main},
    {"phases", phases_main},     {"enclave", enclave_main}, {"fork", fork_main},   {"share", share_main},
    {"sweep", sweep_main},
};

/* Words are separated by single blanks; there are no quotes. -1: too long. */
static int split(const char *args, char *line, char **argv)
{
	int n = 0;

	for (unsigned i = 0; i < MAX_LINE; i++) {
		line[i] = args[i];
		if (line[i] && (i == 0 || args[i - 1] == ' ')) {
			if (n == MAX_WORDS)
				return -1;
			argv[n++] = &line[i];
		}
		if (!line[i])
			return n;
		if (line[i] == ' ')
			line[i] = 0;
	}
	return -1;
}

/* A spawned process gets its argument line, the first one the whole device tree. */
static const char *argument_line(const void *given)
{
	const struct fdt *fdt = given;
	const char *args = given;
	uint32_t len;

	if (fdt_u32(fdt->magic) == FDT_MAGIC)
		args = fdt_property(fdt, FDT_NAME("chosen"), FDT_NAME("bootargs"), &len);
	return args ? args : "";
}

noreturn void start(const void *given);

void start(const void *given)
{
	char line[MAX_LINE], *argv[MAX_WORDS + 1];
	int argc = split(argument_line(given), line, argv);

	if (argc < 0) {
		print("guest: more than %d arguments or %d characters\n", (int64_t)MAX_WORDS, (int64_t)MAX_LINE);
		exit(STATUS_NO_PROGRAM);
	}
	argv[argc] = NULL;
	for (unsigned i = 0; argc && i < sizeof(programs) / sizeof(*programs); i++)
		if (same(argv[0], programs[i].name))
			exit(programs[i].main(argc, argv));
	print("guest: there is no program '%s'; there are:", argc ? argv[0] : "");
	for (unsigned i = 0; i < sizeof(programs) / sizeof(*programs); i++)
		print(" %s", programs[i].name);
	print("\n");
	exit(STATUS_NO_PROGRAM);
}
