/* SPDX-License-Identifier: MIT */
/* Arguments, descriptor tables, the other vCPUs, and what a trap costs. All but the last at CPL 0. */
#include <gnomon/abi.h>
#include <gnomon/x86.h>

#include "../../../guest/fdt.h"
#include "bare.h"
#include "machine.h"
#include "slice.h"

#define VECTORS         32
#define INTERRUPT_GATE  0x8e00ull
#define BREAKPOINT_GATE 0xee00ull /* DPL 3 */
#define TSS_RSP0        4         /* byte offsets, APM2 12.2.5 */
#define TSS_IO_MAP      102

struct __attribute__((packed)) table_pointer {
	uint16_t limit;
	uint64_t base;
};

extern uint8_t areas[SLICE_CPUS][AREA_BYTES];
extern char pml4[], start_other[], crashed[], breakpoint[]; /* entry.S */

static struct slice_mailbox *const mailbox = (struct slice_mailbox *)SLICE_MAILBOX;
static uint64_t idt[VECTORS][2];

static void load(struct table_pointer gdt)
{
	const struct table_pointer idt_pointer = {sizeof(idt) - 1, (uint64_t)idt};

	__asm__ volatile("lgdt %0\n\tlidt %1\n\tltr %w2" : : "m"(gdt), "m"(idt_pointer), "r"(TSS));
}

void area_init(struct area *area)
{
	const uint64_t base = (uint64_t)area->tss, stack = (uint64_t)area + AREA_BYTES;

	area->gdt[1] = 0x00af9b000000ffff; /* GNOMON_BOOT_CS, GNOMON_BOOT_DS, USER_CS, USER_DS, TSS */
	area->gdt[2] = 0x00cf93000000ffff;
	area->gdt[3] = 0x00affb000000ffff;
	area->gdt[4] = 0x00cff3000000ffff;
	area->gdt[5] = (sizeof(area->tss) - 1) | (base & 0xffffff) << 16 | 0x89ull << 40 | (base >> 24 & 0xff) << 56;
	__builtin_memcpy(area->tss + TSS_RSP0, &stack, sizeof(stack));
	area->tss[TSS_IO_MAP] = 104; /* the map allows all, for a host may lose IOPL in IRETQ (kvm_pvm) */
	area->tss[sizeof(area->tss) - 1] = 0xff;
	load((struct table_pointer){sizeof(area->gdt) - 1, (uint64_t)area->gdt});
}

static void make_idt(void)
{
	for (int i = 0; i < VECTORS; i++) {
		const uint64_t handler = (uint64_t)(i == VEC_BP ? breakpoint : crashed);

		idt[i][0] = (handler & 0xffff) | GNOMON_BOOT_CS << 16 | (handler & 0xffff0000) << 32 |
		            (i == VEC_BP ? BREAKPOINT_GATE : INTERRUPT_GATE) << 32;
	}
}

static void start_cpu(uint64_t cpu)
{
	static struct gnomon_cpu_start request;
	struct area *area = (struct area *)areas[cpu];

	area->cpu = cpu;
	request = (struct gnomon_cpu_start){.version = GNOMON_ABI_VERSION,
	                                    .cpu = cpu,
	                                    .rip = (uint64_t)start_other,
	                                    .rsp = (uint64_t)area + AREA_BYTES,
	                                    .cr3 = (uint64_t)pml4,
	                                    .rdi = (uint64_t)area};
	__asm__ volatile("outl %0, %w1" : : "a"((uint32_t)(uint64_t)&request), "d"(GNOMON_PORT_CPU_START) : "memory");
}

void boot(const struct fdt *fdt)
{
	uint32_t len;
	const char *args = fdt_property(fdt, FDT_NAME("chosen"), FDT_NAME("bootargs"), &len);
	uint64_t cpus = 0;

	if (args && take_word(&args, "cpus"))
		cpus = take_number(&args);
	if (cpus < 1 || cpus > SLICE_CPUS || *args) {
		print("usage: slice cpus N\n");
		end(SLICE_BAD_ARGS);
	}
	make_idt();
	area_init((struct area *)areas[0]);
	mailbox->cpus = cpus;
	mailbox->floor_ticks = time_floor();
	for (uint64_t cpu = 1; cpu < cpus; cpu++)
		start_cpu(cpu);
}

uint64_t time_floor(void)
{
	uint64_t sorted[SLICE_FLOORS];

	for (int i = 0; i < SLICE_FLOORS; i++) {
		const uint64_t begin = __builtin_ia32_rdtsc();
		uint64_t ticks;
		int at = i;

		__asm__ volatile("out %%al, %w0" : : "d"(GNOMON_PORT_NOP), "a"(0) : "memory");
		ticks = __builtin_ia32_rdtsc() - begin;
		for (; at > 0 && sorted[at - 1] > ticks; at--)
			sorted[at] = sorted[at - 1];
		sorted[at] = ticks;
	}
	return sorted[SLICE_FLOORS / 2];
}
