/* SPDX-License-Identifier: MIT */
/* The CPUs: their areas, their wake-up, and their start when there is work for them for the first time. */
#include "kernel.h"

static bool started[NR_CPUS] = {true};

static void cpu_init(struct cpu *cpu, int id)
{
	cpu->id = id;
	cpu->pml4 = gpa_init(BOOT_PML4_PHYS);
	cpu->tss.ist[0] = (uint64_t)(cpu->df_stack + DF_STACK_BYTES);
	cpu->tss.iomap_base = TSS_BYTES; /* beyond the limit: programs may use no port */
	started[id] = true;
}

/* Makes CPU `id`, which was started, trap soon. */
void cpu_interrupt(int id)
{
	out32(GNOMON_PORT_IPI, GNOMON_IPI(id, VECTOR_WAKE));
}

/* There is work for CPU `id`. A CPU that runs a program will find it by itself. */
void cpu_wake(int id)
{
	struct cpu *cpu = (struct cpu *)CPU_AREA((uint64_t)id);
	static struct gnomon_cpu_start start;

	if (!started[id]) {
		cpu_init(cpu, id);
		start = (struct gnomon_cpu_start){
		    .version = GNOMON_ABI_VERSION,
		    .cpu = id,
		    .rip = CPU_ENTRY,
		    .rsp = CPU_STACK_TOP((uint64_t)id),
		    .cr3 = gpa_raw(cpu->pml4),
		    .rdi = (uint64_t)cpu,
		};
		out32(GNOMON_PORT_CPU_START, gpa_raw(kernel_gpa(&start)));
	} else if (!cpu->current && cpu != this_cpu()) {
		cpu_interrupt(id);
	}
}
