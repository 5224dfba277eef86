/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>
#include <sys/io.h>

#include "bench/walks.h"

#define PORT_BYTES 4 /* one 32-bit port */

void walks_counter_read(struct walk_counts *ret_counts)
{
	uint32_t word[sizeof(*ret_counts) / sizeof(uint32_t)];

	outl(0, WALK_PORT);
	for (size_t i = 0; i < sizeof(word) / sizeof(*word); i++)
		word[i] = inl(WALK_PORT);
	memcpy(ret_counts, word, sizeof(*ret_counts));
}

int walks_counter_open(const struct host_info *host, const char **ret_why)
{
	struct walk_counts counts;

	if (host->emulator != HOST_EMULATOR_BOCHS) {
		*ret_why = host->emulator == HOST_EMULATOR_QEMU
		               ? "QEMU's page walker does not report what it reads"
		               : "a CPU does not report what its page walker reads: run it in tools/ept-host";
		return -ENODEV;
	}
	if (ioperm(WALK_PORT, PORT_BYTES, 1) < 0) {
		*ret_why = "the counter is read through an I/O port, and that needs root";
		return -ENODEV;
	}
	walks_counter_read(&counts);
	if (counts.magic == WALK_MAGIC && counts.size == sizeof(counts))
		return 0;
	*ret_why = counts.magic == WALK_MAGIC ? "the counter in this machine is of another version"
	                                      : "this Bochs has no counter: run it in tools/ept-host";
	return -ENODEV;
}
