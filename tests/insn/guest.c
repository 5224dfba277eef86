/* SPDX-License-Identifier: MIT */
/* What the guest sets up before the program begins: descriptor tables, page tables, control registers. */
#include <gnomon/abi.h>
#include <gnomon/x86.h>

#include "../bare/bare.h"
#include "insn.h"

#define INTERRUPT_GATE  0x8e00
#define PROGRAM_GATE    0xee00 /* DPL 3: #BP and #OF, as Linux has them */
#define TSS_BYTES       104
#define TSS_RSP0        4 /* byte offset, APM2 12.2.5 */
#define RFLAGS_NT       (1 << 14)
#define ASTRAY          3 /* exit status */
#define TABLE           (PTE_P | PTE_W | PTE_U | PTE_A)
#define LEAF            (PTE_P | PTE_U | PTE_A | PTE_D)
#define VA_INDEX(va, n) ((uint64_t)(va) >> (9 * (n) + 3) & 511)

void guest_init(void) __attribute__((noreturn));
void guest_enter(uint64_t fsgsbase) __attribute__((noreturn));
uint64_t try_cr4(uint64_t value);
void trapped_astray(uint64_t vector, uint64_t error, uint64_t rip, uint64_t cr2) __attribute__((noreturn));

extern char vectors[], syscalled[], trap_stack[], image_end[];
extern uint64_t gdt[], root;

static uint64_t pml4[512] __attribute__((aligned(4096)));
static uint64_t low_pdpt[512] __attribute__((aligned(4096))), high_pdpt[512] __attribute__((aligned(4096)));
static uint64_t kernel_pd[512] __attribute__((aligned(4096))), test_pd[512] __attribute__((aligned(4096)));
static uint64_t high_pd[512] __attribute__((aligned(4096))), image_pt[512] __attribute__((aligned(4096)));
static uint64_t test_pt[512] __attribute__((aligned(4096))), code_pt[512] __attribute__((aligned(4096)));
static uint64_t idt[512] __attribute__((aligned(16)));
static uint8_t tss[TSS_BYTES] __attribute__((aligned(16)));

struct __attribute__((packed)) table_pointer {
	uint16_t limit;
	uint64_t base;
};

static uint64_t address_of(const volatile void *p)
{
	return (uint64_t)p;
}

static void wrmsr(uint32_t msr, uint64_t value)
{
	__asm__ volatile("wrmsr" : : "c"(msr), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)) : "memory");
}

static void load_descriptors(void)
{
	const uint64_t base = address_of(tss);
	struct table_pointer pointer;

	for (uint64_t i = 0; i < 256; i++) {
		uint64_t stub = address_of(vectors) + 16 * i;

		idt[2 * i] = (stub & 0xffff) | GNOMON_BOOT_CS << 16 | (stub & 0xffff0000) << 32 |
		             (uint64_t)(i == VEC_BP || i == VEC_OF ? PROGRAM_GATE : INTERRUPT_GATE) << 32;
	}
	__builtin_memcpy(tss + TSS_RSP0, &(uint64_t){address_of(trap_stack)}, sizeof(uint64_t));
	tss[TSS_BYTES - 2] = TSS_BYTES; /* the I/O map lies beyond the limit */
	gdt[TSS / 8] = (TSS_BYTES - 1) | (base & 0xffffff) << 16 | 0x89ull << 40 | (base >> 24 & 0xff) << 56;
	pointer = (struct table_pointer){TSS + 15, address_of(gdt)};
	__asm__ volatile("lgdt %0" : : "m"(pointer));
	pointer = (struct table_pointer){sizeof(idt) - 1, address_of(idt)};
	__asm__ volatile("lidt %0" : : "m"(pointer));
	__asm__ volatile("ltr %w0" : : "r"(TSS));
}

static uint64_t page_entry(uint8_t kind, uint64_t frame)
{
	switch (kind) {
	case PAGE_RW:
		return frame | LEAF | PTE_W | PTE_NX;
	case PAGE_RO:
		return frame | LEAF | PTE_NX;
	case PAGE_SUPERVISOR:
		return frame | PTE_P | PTE_W | PTE_A | PTE_D | PTE_NX;
	default:
		return 0;
	}
}

static void map_code(const struct block *b)
{
	const uint64_t code = BLOCK_PHYS + b->code_at;

	for (unsigned i = 0; i < b->code_pages; i++) {
		uint64_t va = CODE_VA + i / 2 * CODE_PAIR + i % 2 * 4096;

		code_pt[VA_INDEX(va, 1)] = (code + 4096 * i) | LEAF;
	}
	code_pt[VA_INDEX(LANDING_VA, 1)] = (BLOCK_PHYS + b->landing_at) | LEAF;
}

/* The first GiB as at boot, but that programs reach the image and the block; the windows; the tables under test. */
static void make_tables(const struct block *b)
{
	const uint64_t *boot, *boot_pdpt, *boot_pd;

	__asm__ volatile("mov %%cr3, %0" : "=r"(boot));
	boot_pdpt = (uint64_t *)(boot[0] & PTE_ADDR);
	boot_pd = (uint64_t *)(boot_pdpt[0] & PTE_ADDR);
	for (unsigned i = 0; i < 512; i++)
		kernel_pd[i] = boot_pd[i] | PTE_A | PTE_D;
	for (uint64_t i = 0; i < 512; i++)
		image_pt[i] = 4096 * i | PTE_P | PTE_W | PTE_A | PTE_D |
		              (4096 * i >= GNOMON_LOADER_END && 4096 * i < address_of(image_end) ? PTE_U : 0);
	kernel_pd[0] = address_of(image_pt) | TABLE;
	for (uint64_t at = BLOCK_PHYS; at < BLOCK_PHYS + b->size; at += 2 << 20)
		kernel_pd[at >> 21] |= PTE_U;
	pml4[0] = address_of(low_pdpt) | TABLE;
	low_pdpt[0] = address_of(kernel_pd) | TABLE;
	low_pdpt[VA_INDEX(WINDOW_LOW, 3)] = address_of(test_pd) | TABLE;
	test_pd[VA_INDEX(WINDOW_LOW, 2)] = address_of(test_pt) | TABLE;
	test_pd[VA_INDEX(CODE_VA, 2)] = address_of(code_pt) | TABLE;
	pml4[VA_INDEX(WINDOW_HIGH, 4)] = address_of(high_pdpt) | TABLE;
	high_pdpt[VA_INDEX(WINDOW_HIGH, 3)] = address_of(high_pd) | TABLE;
	high_pd[VA_INDEX(WINDOW_HIGH, 2)] = address_of(test_pt) | TABLE;
	for (unsigned i = 0; i < TEST_PAGES; i++)
		test_pt[i] = page_entry(page_kinds[i], TEST_PHYS + 4096 * i);
	map_code(b);
	pml4[VA_INDEX(LIVE_VA, 4)] = (TEST_PHYS + 4096 * PAGE_TABLE3) | TABLE;
	pml4[511] = boot[511];
	root = address_of(pml4);
	__asm__ volatile("mov %0, %%cr3" : : "r"(root) : "memory");
}

static void fill_pages(const struct block *b)
{
	__builtin_memcpy((void *)TEST_PHYS, (const char *)b + b->pages_at, TEST_PAGES * 4096);
}

/* As Linux runs its programs, as far as the CPU offers it. Returns whether RDFSBASE works. */
static bool set_control_registers(void)
{
	uint32_t a = 7, b, c = 0, d, low, high;
	uint64_t cr0, cr4;

	__asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
	__asm__ volatile("mov %%cr0, %0" : "=r"(cr0));
	__asm__ volatile("mov %%cr4, %0" : "=r"(cr4));
	cr0 |= CR0_MP | CR0_NE | CR0_AM;
	__asm__ volatile("mov %0, %%cr0" : : "r"(cr0) : "memory");
	cr4 = try_cr4(cr4 | CR4_OSFXSR | CR4_OSXMMEXCPT);
	cr4 = try_cr4(cr4 | (c >> 2 & 1 ? CR4_UMIP : 0));
	cr4 = try_cr4(cr4 | (b & 1 ? CR4_FSGSBASE : 0));
	__asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(MSR_EFER));
	wrmsr(MSR_EFER, ((uint64_t)high << 32 | low) | EFER_SCE);
	wrmsr(MSR_STAR, (uint64_t)GNOMON_BOOT_CS << 32);
	wrmsr(MSR_LSTAR, address_of(syscalled));
	wrmsr(MSR_SYSCALL_MASK, RFLAGS_TF | RFLAGS_IF | RFLAGS_DF | RFLAGS_NT | RFLAGS_AC);
	wrmsr(MSR_FS_BASE, FS_BASE);
	wrmsr(MSR_GS_BASE, GS_BASE);
	return cr4 & CR4_FSGSBASE;
}

void guest_init(void)
{
	const struct block *b = (const void *)BLOCK_PHYS;

	load_descriptors();
	fill_pages(b);
	make_tables(b);
	guest_enter(set_control_registers());
}

void trapped_astray(uint64_t vector, uint64_t error, uint64_t rip, uint64_t cr2)
{
	print("insn: exception ");
	print_number(vector);
	print(", error code ");
	print_hex(error);
	print(", outside a case, at ");
	print_hex(rip);
	print(", CR2 ");
	print_hex(cr2);
	print("\n");
	end(ASTRAY);
}
