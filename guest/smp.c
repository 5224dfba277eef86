/* SPDX-License-Identifier: MIT */
/* The CPUs: their areas, their start when there is first work for them, their wake-up, and the kernel's lock. */
#include "kernel.h"

uint32_t kernel_locked, lock_waiters;
bool device_waits;
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

/* Has CPU `id`, which was started, trap soon. */
void cpu_interrupt(int id)
{
	out32(GNOMON_PORT_IPI, GNOMON_IPI(id, VECTOR_WAKE));
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
		cpu_interrupt(id);
	}
}

/*
 * Takes the lock when it is not free at once. After a few attempts the CPU sleeps: with more virtual CPUs than
 * host CPUs, those that spin would keep the one that holds the lock from running.
 */
void lock_wait(void)
{
	struct cpu *cpu = this_cpu();

	for (int i = 0; i < 16; i++) {
		__builtin_ia32_pause();
		if (!__atomic_exchange_n(&kernel_locked, 1, __ATOMIC_SEQ_CST))
			return;
	}
	__atomic_fetch_or(&lock_waiters, 1u << cpu->id, __ATOMIC_SEQ_CST);
	cpu->in_lock_wait = true;
	/* Either this attempt sees the lock free or the holder sees the bit, and its IPI ends the HLT. */
	while (__atomic_exchange_n(&kernel_locked, 1, __ATOMIC_SEQ_CST))
		__asm__ volatile("sti; hlt; cli" : : : "memory");
	cpu->in_lock_wait = false;
	if (cpu->id == 0 && device_waits) {
		device_waits = false;
		balloon_interrupt();
	}
	balloon_preempt(); /* a wake-up for that ended the HLT as well */
	__atomic_fetch_and(&lock_waiters, ~(1u << cpu->id), __ATOMIC_SEQ_CST);
}

/* Wakes one CPU that waits for the lock. It stays noted until it has the lock: if another is faster, that one wakes it
 * again. */
void lock_wake(void)
{
	static uint32_t last;
	uint32_t waiters = __atomic_load_n(&lock_waiters, __ATOMIC_SEQ_CST);
	uint32_t id = __atomic_load_n(&last, __ATOMIC_RELAXED);

	if (!waiters)
		return;
	do {
		id = (id + 1) % NR_CPUS; /* in turn, so that each gets its chance */
	} while (!(waiters >> id & 1));
	__atomic_store_n(&last, id, __ATOMIC_RELAXED);
	cpu_interrupt(id);
}
