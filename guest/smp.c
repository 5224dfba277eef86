/* SPDX-License-Identifier: MIT */
/* The CPUs: their areas, their start when there is first work for them, their wake-up, and the kernel's lock. */
#include "kernel.h"

uint8_t kernel_locked;
static bool started[NR_CPUS] = {true};

/* The boot CPU's area, complete at link time: kernel.ld puts it at CPU_AREA(0). */
static struct cpu boot_cpu __attribute__((section(".cpu0"), used)) = {
    .tss = {.rsp = {(uint64_t)&procs[0].kernel_stack},
            .ist = {CPU_AREA(0) + __builtin_offsetof(struct cpu, df_stack) + DF_STACK_BYTES},
            .iomap_base = TSS_BYTES},
    .current = &procs[0],
    .pml4 = {BOOT_PML4_PHYS},
};

static void cpu_init(struct cpu *cpu, int id)
{
	cpu->id = id;
	cpu->pml4 = gpa_init(BOOT_PML4_PHYS);
	cpu->tss.ist[0] = (uint64_t)(cpu->df_stack + DF_STACK_BYTES);
	cpu->tss.iomap_base = TSS_BYTES; /* beyond the limit: programs may use no port */
	started[id] = true;
}

/* How many CPUs the machine has, as far as the kernel can use them. */
int cpu_count(void)
{
	static int count;

	if (!count)
		count = fdt_count(device_tree, FDT_NAME("cpus"), FDT_PREFIX("cpu@"));
	return count < 1 ? 1 : count > NR_CPUS ? NR_CPUS : count;
}

/* There is work for CPU `id`. One that runs a program will find it by itself. */
void cpu_wake(int id)
{
	struct cpu *cpu = (struct cpu *)CPU_AREA((uint64_t)id);
	static struct gnomon_cpu_start start;

	if (!started[id]) {
		cpu_init(cpu, id);
		start = (struct gnomon_cpu_start){
		    .version = GNOMON_ABI_VERSION,
		    .cpu = id,
		    .rip = (uint64_t)cpu_entry,
		    .rsp = CPU_STACK_TOP((uint64_t)id),
		    .cr3 = gpa_raw(cpu->pml4),
		    .rdi = (uint64_t)cpu,
		};
		out32(GNOMON_PORT_CPU_START, gpa_raw(kernel_gpa(&start)));
	} else if (!cpu->current && cpu != this_cpu()) {
		out32(GNOMON_PORT_IPI, GNOMON_IPI(id, VECTOR_WAKE));
	}
}
