/* SPDX-License-Identifier: MIT */
/* Descriptor tables, control registers, and the other CPUs. */
#include <gnomon/abi.h>
#include <gnomon/x86.h>

#include "stress.h"

#define INTERRUPT_GATE  0x8e00
#define BREAKPOINT_GATE 0xee00 /* DPL 3 */
#define TSS_RSP0        4      /* byte offset, APM2 12.2.5 */

extern uint8_t areas[MAX_CPUS][AREA_BYTES];
extern char vectors[], start_other[];

unsigned cpus = 1;
uint64_t boot_cr3;
int maxphyaddr;

struct __attribute__((packed)) table_pointer {
	uint16_t limit;
	uint64_t base;
};

struct cpu *cpu_area(unsigned id)
{
	return (struct cpu *)areas[id];
}

void machine_init(void)
{
	uint32_t a = 0x80000008, b, c = 0, d;

	__asm__ volatile("mov %%cr3, %0" : "=r"(boot_cr3));
	__asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
	maxphyaddr = a & 0xff;
}

static void make_tables(struct cpu *cpu)
{
	const uint64_t base = (uint64_t)cpu->tss, trap_stack = (uint64_t)cpu + AREA_BYTES;

	/* GNOMON_BOOT_CS, GNOMON_BOOT_DS, USER_CS, USER_DS, TSS */
	cpu->gdt[1] = 0x00af9b000000ffff;
	cpu->gdt[2] = 0x00cf93000000ffff;
	cpu->gdt[3] = 0x00affb000000ffff;
	cpu->gdt[4] = 0x00cff3000000ffff;
	cpu->gdt[5] = (sizeof(cpu->tss) - 1) | (base & 0xffffff) << 16 | 0x89ull << 40 | (base >> 24 & 0xff) << 56;
	for (uint64_t i = 0; i < 32; i++) {
		uint64_t stub = (uint64_t)vectors + 16 * i;

		cpu->idt[2 * i] = (stub & 0xffff) | GNOMON_BOOT_CS << 16 | (stub & 0xffff0000) << 32 |
		                  (uint64_t)(i == VEC_BP ? BREAKPOINT_GATE : INTERRUPT_GATE) << 32;
	}
	__builtin_memcpy(cpu->tss + TSS_RSP0, &trap_stack, sizeof(trap_stack));
	cpu->tss[sizeof(cpu->tss) - 2] = sizeof(cpu->tss); /* the I/O map lies beyond the limit */
}

void cpu_init(struct cpu *cpu)
{
	struct table_pointer pointer = {sizeof(cpu->gdt) - 1, (uint64_t)cpu->gdt};
	uint32_t low, high;

	make_tables(cpu);
	__asm__ volatile("lgdt %0" : : "m"(pointer));
	pointer = (struct table_pointer){sizeof(cpu->idt) - 1, (uint64_t)cpu->idt};
	__asm__ volatile("lidt %0" : : "m"(pointer));
	__asm__ volatile("ltr %w0" : : "r"(TSS));
	__asm__ volatile("mov %%cr0, %0" : "=r"(cpu->cr0));
	__asm__ volatile("mov %%cr4, %0" : "=r"(cpu->cr4));
	__asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(MSR_EFER));
	cpu->efer = (uint64_t)high << 32 | low;
	cpu->mode = (struct mode){.wp = true, .nxe = true};
}

void cpu_start(unsigned id)
{
	static struct gnomon_cpu_start request;

	request = (struct gnomon_cpu_start){.version = GNOMON_ABI_VERSION,
	                                    .cpu = id,
	                                    .rip = (uint64_t)start_other,
	                                    .rsp = (uint64_t)areas[id] + AREA_BYTES - TRAP_BYTES,
	                                    .cr3 = boot_cr3,
	                                    .rdi = (uint64_t)areas[id]};
	__asm__ volatile("outl %0, %w1" : : "a"((uint32_t)(uint64_t)&request), "d"(GNOMON_PORT_CPU_START) : "memory");
}

/* Only what changes is written: each of these traps in shadow mode. */
void cpu_set_mode(struct cpu *cpu, const struct mode *m)
{
	uint64_t cr0 = (cpu->cr0 & ~(uint64_t)CR0_WP) | (m->wp ? CR0_WP : 0);
	uint64_t cr4 = (cpu->cr4 & ~(uint64_t)(CR4_SMEP | CR4_SMAP | CR4_PGE)) | (m->smep ? CR4_SMEP : 0) |
	               (m->smap ? CR4_SMAP : 0) | (m->pge ? CR4_PGE : 0);
	uint64_t efer = (cpu->efer & ~(uint64_t)EFER_NXE) | (m->nxe ? EFER_NXE : 0);

	if (cr0 != cpu->cr0)
		__asm__ volatile("mov %0, %%cr0" : : "r"(cr0) : "memory");
	if (cr4 != cpu->cr4)
		__asm__ volatile("mov %0, %%cr4" : : "r"(cr4) : "memory");
	if (efer != cpu->efer)
		__asm__ volatile("wrmsr"
		                 :
		                 : "c"(MSR_EFER), "a"((uint32_t)efer), "d"((uint32_t)(efer >> 32))
		                 : "memory");
	cpu->cr0 = cr0;
	cpu->cr4 = cr4;
	cpu->efer = efer;
	cpu->mode = *m;
}

void cpu_load_cr3(uint64_t cr3)
{
	__asm__ volatile("mov %0, %%cr3" : : "r"(cr3) : "memory");
}

void cpu_invlpg(uint64_t va)
{
	__asm__ volatile("invlpg (%0)" : : "r"(va) : "memory");
}

void cpu_flush(struct cpu *cpu)
{
	uint64_t cr3;

	if (cpu->mode.pge) { /* APM2 5.5.3: any change of PGE flushes all */
		__asm__ volatile("mov %0, %%cr4" : : "r"(cpu->cr4 & ~(uint64_t)CR4_PGE) : "memory");
		__asm__ volatile("mov %0, %%cr4" : : "r"(cpu->cr4) : "memory");
		return;
	}
	__asm__ volatile("mov %%cr3, %0\n\tmov %0, %%cr3" : "=r"(cr3) : : "memory");
}

/* A request is a page's number + 1, PAGES + 1 for all of them, or one of these; 0: done. */
#define REQUEST_ACCESS (PAGES + 2)
#define REQUEST_STORE  (PAGES + 3)

static void ask(struct cpu *other, uint64_t request)
{
	__atomic_store_n(&other->request, request, __ATOMIC_RELEASE);
}

/* Meanwhile the other one may ask, too: for a shootdown, before it does what it was asked for. */
static void wait_for(struct cpu *cpu, const struct cpu *other)
{
	while (__atomic_load_n(&other->request, __ATOMIC_ACQUIRE)) {
		cpu_poll(cpu);
		__asm__ volatile("pause");
	}
}

/* They do so side by side, as behind the interrupt that a kernel sends to all. */
void cpu_shoot_down(struct cpu *cpu, unsigned page)
{
	for (unsigned id = 0; id < cpus; id++)
		if (id != cpu->id)
			ask(cpu_area(id), page + 1);
	for (unsigned id = 0; id < cpus; id++)
		if (id != cpu->id)
			wait_for(cpu, cpu_area(id));
}

void cpu_ask(struct cpu *cpu, struct cpu *other, const struct access *access, uint64_t value)
{
	other->asked = *access;
	other->asked_value = value;
	ask(other, REQUEST_ACCESS);
	wait_for(cpu, other);
}

void cpu_ask_store(struct cpu *cpu, struct cpu *other, uint64_t address, uint64_t value)
{
	other->asked_address = address;
	other->asked_value = value;
	ask(other, REQUEST_STORE);
	wait_for(cpu, other);
}

void cpu_poll(struct cpu *cpu)
{
	uint64_t request = __atomic_load_n(&cpu->request, __ATOMIC_ACQUIRE);

	if (!request)
		return;
	if (request == REQUEST_ACCESS)
		access_paged(cpu, &cpu->asked, cpu->asked_value);
	else if (request == REQUEST_STORE)
		access_stores(cpu, cpu->asked_address, cpu->asked_value);
	else if (request - 1 == PAGES)
		cpu_flush(cpu);
	else
		cpu_invlpg(page_address(request - 1));
	__atomic_store_n(&cpu->request, 0, __ATOMIC_RELEASE);
}
