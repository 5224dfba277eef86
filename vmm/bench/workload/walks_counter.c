/* SPDX-License-Identifier: MIT */
#include "bench/workload/walks_counter.h"

#include <string.h>
#include <sys/io.h>

#define PORT_BYTES 4 /* one 32-bit port */

void walks_counter_read(struct walk_counts *ret_counts)
{
	uint32_t word[sizeof(*ret_counts) / sizeof(uint32_t)];

	outl(0, WALK_PORT);
	for (size_t i = 0; i < sizeof(word) / sizeof(*word); i++)
		word[i] = inl(WALK_PORT);
	memcpy(ret_counts, word, sizeof(*ret_counts));
}

const char *walks_counter_open(const struct host_info *host)
{
	struct walk_counts counts;

	if (host->emulator == HOST_EMULATOR_QEMU)
		return "QEMU's page walker does not report what it reads";
	if (host->emulator != HOST_EMULATOR_BOCHS)
		return "a CPU does not report what its page walker reads: run it in tools/ept-host, with Bochs 2.7";
	if (ioperm(WALK_PORT, PORT_BYTES, 1) < 0)
		return "the counter is read through an I/O port, and that needs root";
	walks_counter_read(&counts);
	if (counts.magic != WALK_MAGIC)
		return "this Bochs has no walk counter: only tools/ept-host has one, and only with Bochs 2.7";
	return counts.size == sizeof(counts) ? NULL : "the counter in this machine is of another version";
}
