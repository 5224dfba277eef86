/* SPDX-License-Identifier: MIT */
/* What the machine has. The kernel reads it when it first needs it. */
#include "kernel.h"

const struct fdt *device_tree;

/* How many CPUs the machine has, as far as the kernel can use them. */
int cpu_count(void)
{
	static int count;

	if (!count)
		count = fdt_count(device_tree, FDT_NAME("cpus"), FDT_PREFIX("cpu@"));
	return count < 1 ? 1 : count > NR_CPUS ? NR_CPUS : count;
}

const uint64_t *memory_ranges(uint32_t *ret_nr)
{
	uint32_t len = 0;
	const uint64_t *reg = fdt_property(device_tree, FDT_NAME("memory@0"), FDT_NAME("reg"), &len);

	*ret_nr = reg ? len / (2 * sizeof(*reg)) : 0;
	return reg;
}
