/* SPDX-License-Identifier: MIT */
/* One access for real: tables, invalidation, the access, and what is left behind. */
#include <gnomon/abi.h>
#include <gnomon/x86.h>

#include "oracle.h"

#define VA_INDEX(va, level) ((va) >> (3 + 9 * (level)) & 511)
#define INTERRUPT_GATE      0x8e00
#define BREAKPOINT_GATE     0xee00 /* DPL 3 */
#define TSS_BYTES           104
#define TSS_RSP0            4 /* byte offset, APM2 12.2.5 */
#define INT3                0xcc
#define ASTRAY              3 /* exit status */
#define RET                 0xc3
#define MARKER(number)      ((number) << 8 | 0x5a) /* in memory before the access */
#define OTHER_MARKER        0x0123456789abcdef     /* in memory that the access should not reach */

void access_kernel(int kind, uint64_t address, uint64_t value);
void access_user(uint64_t code, uint64_t address, uint64_t value);
void read_unaligned(void);

extern char access_kernel_read[], access_kernel_write[], vectors[], user_read[], user_write[], user_fetch[];
extern char trap_stack[];
extern uint64_t gdt[];
extern volatile uint64_t trapped_vector, trapped_error, trapped_rip, trapped_rcx;

uint64_t table_of[LEVELS], test_page, old_page;
int maxphyaddr;
bool gbpages;

static uint64_t pml4[512] __attribute__((aligned(4096))), user_tables[3][512] __attribute__((aligned(4096)));
static uint64_t test_tables[3][512] __attribute__((aligned(4096)));
static uint8_t page[2 << 20] __attribute__((aligned(2 << 20))), page_before[2 << 20] __attribute__((aligned(2 << 20)));
static uint64_t idt[66] __attribute__((aligned(16)));
static uint8_t tss[TSS_BYTES] __attribute__((aligned(16)));
static volatile uint64_t *test_entry[LEVELS], *next_entry;
static uint64_t cr0, cr4, efer;

struct __attribute__((packed)) table_pointer {
	uint16_t limit;
	uint64_t base;
};

static uint64_t address_of(const volatile void *p)
{
	return (uint64_t)p;
}

static void load_cr3(void)
{
	__asm__ volatile("mov %0, %%cr3" : : "r"(pml4) : "memory");
}

static void fill_page(uint8_t *large)
{
	uint8_t *p = large + (TEST_VA & 0x1ff000);

	p[TEST_USER_CODE] = INT3;
	p[TEST_KERNEL_CODE] = RET;
	*(uint64_t *)(void *)(p + TEST_DATA) = OTHER_MARKER;
	*(uint64_t *)(void *)(p + 4096 + TEST_DATA) = OTHER_MARKER;
}

/* The kernel stays where the boot tables have it; CPL 3 gets one page of code. */
static void make_tables(void)
{
	uint64_t boot, from = address_of(user_read);

	__asm__ volatile("mov %%cr3, %0" : "=r"(boot));
	pml4[0] = *(uint64_t *)boot;
	pml4[VA_INDEX(USER_VA, 4)] = address_of(user_tables[0]) | PTE_P | PTE_W | PTE_U;
	user_tables[0][0] = address_of(user_tables[1]) | PTE_P | PTE_W | PTE_U;
	user_tables[1][0] = address_of(user_tables[2]) | PTE_P | PTE_W | PTE_U;
	user_tables[2][0] = from | PTE_P | PTE_U;

	test_page = address_of(page);
	old_page = address_of(page_before);
	for (int level = 4; level >= 1; level--) {
		uint64_t *table = level == 4 ? pml4 : test_tables[3 - level];

		test_entry[level] = &table[VA_INDEX(TEST_VA, level)];
		table_of[level] = address_of(table);
	}
	next_entry = test_entry[1] + 1;
	fill_page(page);
	fill_page(page_before);
}

static void read_cpuid(void)
{
	uint32_t a = 0x80000001, b, c = 0, d;

	__asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
	gbpages = d >> 26 & 1;
	a = 0x80000008, c = 0;
	__asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
	maxphyaddr = a & 0xff;
}

void observe_init(bool stac)
{
	const uint64_t base = address_of(tss);
	struct table_pointer pointer;
	uint32_t low, high;

	make_tables();
	for (uint64_t i = 0; i < sizeof(idt) / sizeof(*idt) / 2; i++) {
		uint64_t stub = address_of(vectors) + 16 * i;

		idt[2 * i] = (stub & 0xffff) | GNOMON_BOOT_CS << 16 | (stub & 0xffff0000) << 32 |
		             (uint64_t)(i == VEC_BP ? BREAKPOINT_GATE : INTERRUPT_GATE) << 32;
	}
	__builtin_memcpy(tss + TSS_RSP0, &(uint64_t){address_of(trap_stack)}, sizeof(uint64_t));
	tss[TSS_BYTES - 2] = TSS_BYTES; /* the I/O map lies beyond the limit */
	gdt[TSS / 8] = (TSS_BYTES - 1) | (base & 0xffffff) << 16 | 0x89ull << 40 | (base >> 24 & 0xff) << 56;
	pointer = (struct table_pointer){TSS + 15, address_of(gdt)};
	__asm__ volatile("lgdt %0" : : "m"(pointer));
	pointer = (struct table_pointer){sizeof(idt) - 1, address_of(idt)};
	__asm__ volatile("lidt %0" : : "m"(pointer));
	__asm__ volatile("ltr %w0" : : "r"(TSS));
	load_cr3();
	__asm__ volatile("mov %%cr0, %0" : "=r"(cr0));
	__asm__ volatile("mov %%cr4, %0" : "=r"(cr4));
	__asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(MSR_EFER));
	efer = (uint64_t)high << 32 | low;
	read_cpuid();
	if (stac) /* at CPL 0 AC means SMAP and never #AC, which would end the run */
		read_unaligned();
}

void observe_mode(const struct mode *m)
{
	uint64_t cr0_new = (cr0 & ~(uint64_t)CR0_WP) | (m->wp ? CR0_WP : 0);
	uint64_t cr4_new =
	    (cr4 & ~(uint64_t)(CR4_SMEP | CR4_SMAP)) | (m->smep ? CR4_SMEP : 0) | (m->smap ? CR4_SMAP : 0);
	uint64_t efer_new = (efer & ~(uint64_t)EFER_NXE) | (m->nxe ? EFER_NXE : 0);

	if (cr0_new != cr0)
		__asm__ volatile("mov %0, %%cr0" : : "r"(cr0_new) : "memory");
	if (cr4_new != cr4)
		__asm__ volatile("mov %0, %%cr4" : : "r"(cr4_new) : "memory");
	if (efer_new != efer)
		__asm__ volatile("wrmsr"
		                 :
		                 : "c"(MSR_EFER), "a"((uint32_t)efer_new), "d"((uint32_t)(efer_new >> 32))
		                 : "memory");
	cr0 = cr0_new;
	cr4 = cr4_new;
	efer = efer_new;
}

void observe_set(const uint64_t *entry, const bool *neighbour_user)
{
	for (int level = 4; level >= 1; level--)
		if (*test_entry[level] != entry[level])
			*test_entry[level] = entry[level];
	if (neighbour_user && *next_entry != neighbour_entry(*neighbour_user))
		*next_entry = neighbour_entry(*neighbour_user);
}

void observe_link(int level, bool linked)
{
	test_entry[level][1] = linked ? table_of[level - 1] | PTE_P | PTE_W | PTE_U | PTE_A : 0;
}

void observe_read(uint64_t *ret_entry)
{
	for (int level = 4; level >= 1; level--)
		ret_entry[level] = *test_entry[level];
}

void observe_invalidate(const struct access *a, bool reload)
{
	if (reload) {
		load_cr3();
		return;
	}
	__asm__ volatile("invlpg (%0)" : : "r"(a->address) : "memory");
}

/* Returns where RIP must be if the access faults. */
static uint64_t make_access(const struct access *a, uint64_t value)
{
	static char *const user_code[] = {user_read, user_write, user_fetch};

	if (a->user) {
		uint64_t code = USER_VA + (user_code[a->kind] - user_read);

		access_user(code, a->address, value);
		return a->kind == FETCH ? a->address : code;
	}
	if (a->mode.ac)
		__asm__ volatile("stac" : : : "memory", "cc");
	access_kernel(a->kind, a->address, value);
	if (a->mode.ac)
		__asm__ volatile("clac" : : : "memory", "cc");
	return a->kind == FETCH ? a->address : address_of(a->kind == READ ? access_kernel_read : access_kernel_write);
}

static const char *odd(const struct access *a, uint64_t rip, uint64_t expected, uint64_t now)
{
	if (trapped_vector == VEC_PF)
		return trapped_rip != rip ? "RIP is not that of the access"
		       : now != expected  ? "the faulting access wrote"
		                          : 0;
	if (trapped_vector != (a->user ? VEC_BP : NO_VECTOR))
		return "an exception other than #PF";
	if (now != (a->kind == WRITE ? ~expected : expected))
		return "memory does not hold what was written";
	return a->kind == READ && trapped_rcx != expected ? "the read returned something else" : 0;
}

void observe(const struct access *a, uint64_t number, int leaf, const uint64_t *entry, struct result *ret_result)
{
	const uint64_t marker = MARKER(number), offset = (TEST_VA & 0x1ff000) + TEST_DATA + (a->neighbour ? 4096 : 0);
	const bool old = leaf < 3 && (entry[leaf] & PTE_ADDR & ~0x1fffffull) == old_page;
	volatile uint64_t *data = (uint64_t *)((old ? old_page : test_page) + offset);
	struct result r = {0};
	uint64_t rip;

	*data = marker;
	rip = make_access(a, ~marker);
	r.fault = trapped_vector == VEC_PF;
	observe_read(r.entry);
	if (a->neighbour && leaf == 1)
		r.entry[1] = *next_entry;
	if (r.fault) {
		r.error = trapped_error;
		__asm__ volatile("mov %%cr2, %0" : "=r"(r.cr2));
	}
	r.odd = odd(a, rip, marker, *data);
	*data = OTHER_MARKER;
	*ret_result = r;
}

void trapped_astray(uint64_t vector, uint64_t error, uint64_t rip)
{
	print("oracle: exception ");
	print_number(vector);
	print(", error code ");
	print_hex(error);
	print(", outside an access, at ");
	print_hex(rip);
	print("\n");
	end(ASTRAY);
}
