/* SPDX-License-Identifier: MIT */
#include "stub/stub_layout.h"

#include <gnomon/x86.h>
#include <string.h>

#include "base/log.h"
#include "stub/stub.h"

/* Pages of the stub's memory, in this order; the vCPUs' pairs follow. */
enum { PAGE_PDPT, PAGE_PD, PAGE_PT, PAGE_POOL_PD, PAGE_TEXT, PAGE_IDT, PAGE_GDT, PAGE_CPUS };

#define DESC_CODE0 0x00209b0000000000ull /* 64-bit code, DPL 0, APM2 4.8.1 */
#define DESC_DATA0 0x0000930000000000ull
#define DESC_CODE3 0x0020fb0000000000ull
#define DESC_DATA3 0x0000f30000000000ull
#define DESC_TSS   0x0000890000000067ull /* available 64-bit TSS, limit 0x67, APM2 4.8.3 */

#define GATE_INTERRUPT 0x8e00ull
#define GATE_DPL3      0x6000ull

static uint64_t *page(const struct stub_layout *s, unsigned n)
{
	return (uint64_t *)(void *)(s->host + n * PAGE_SIZE);
}

static uint64_t page_maddr(const struct stub_layout *s, unsigned n)
{
	return maddr_raw(s->base) + n * PAGE_SIZE;
}

unsigned stub_pages(int cpus)
{
	return PAGE_CPUS + 2 * cpus;
}

maddr_t stub_page_of(maddr_t base, uint64_t va)
{
	return maddr_add(base, (PAGE_TEXT + (va - STUB_TEXT) / PAGE_SIZE) * PAGE_SIZE);
}

/* Reserved slot -> PDPT; its first GiB is the stub, the second the window on the pool. All supervisor. */
static void build_tables(const struct stub_layout *s)
{
	const uint64_t table = PTE_P | PTE_W | PTE_A, data = table | PTE_D | PTE_NX;
	const unsigned window = (STUB_POOL - STUB_BASE) >> 30;

	page(s, PAGE_PDPT)[0] = page_maddr(s, PAGE_PD) | table;
	page(s, PAGE_PDPT)[window] = page_maddr(s, PAGE_POOL_PD) | table;
	page(s, PAGE_PD)[0] = page_maddr(s, PAGE_PT) | table;
	page(s, PAGE_PT)[0] = page_maddr(s, PAGE_TEXT) | PTE_P | PTE_A;
	page(s, PAGE_PT)[1] = page_maddr(s, PAGE_IDT) | PTE_P | PTE_A | PTE_NX;
	page(s, PAGE_PT)[2] = page_maddr(s, PAGE_GDT) | data;
	for (int i = 0; i < 2 * s->cpus; i++)
		page(s, PAGE_PT)[3 + i] = page_maddr(s, PAGE_CPUS + i) | data;
	for (uint64_t i = 0; i < s->pool_size / PAGE_2M; i++)
		page(s, PAGE_POOL_PD)[i] = (maddr_raw(s->pool) + i * PAGE_2M) | data | PTE_PS;
}

static void build_idt(const struct stub_layout *s)
{
	for (unsigned v = 0; v < STUB_VECTORS; v++) {
		const uint64_t at = STUB_TEXT + 16 * v;
		const uint64_t type = GATE_INTERRUPT | (v == VEC_BP ? GATE_DPL3 : 0);

		page(s, PAGE_IDT)[2 * v] =
		    (at & 0xffff) | (uint64_t)STUB_CS << 16 | type << 32 | (at >> 16 & 0xffff) << 48;
		page(s, PAGE_IDT)[2 * v + 1] = at >> 32;
	}
}

static void build_gdt(const struct stub_layout *s)
{
	uint64_t *gdt = page(s, PAGE_GDT);

	gdt[STUB_CS / 8] = DESC_CODE0;
	gdt[STUB_SS / 8] = DESC_DATA0;
	gdt[STUB_USER_SS / 8] = DESC_DATA3;
	gdt[STUB_USER_CS / 8] = DESC_CODE3;
	for (int i = 0; i < s->cpus; i++) {
		const uint64_t tss = STUB_CPU((uint64_t)i);

		gdt[STUB_TR(i) / 8] = DESC_TSS | (tss & 0xffffff) << 16 | (tss >> 24 & 0xff) << 56;
		gdt[STUB_TR(i) / 8 + 1] = tss >> 32;
	}
}

static void build_tss(const struct stub_layout *s, int cpu)
{
	uint8_t *tss = (uint8_t *)page(s, PAGE_CPUS + 2 * cpu);
	const uint64_t stack_top = STUB_CPU((uint64_t)cpu) + 2 * PAGE_SIZE;
	const uint16_t no_io_map = 0x68; /* beyond the limit: every port is denied */

	memcpy(tss + 4, &stack_top, sizeof(stack_top)); /* RSP0, APM2 12.2.5 */
	memcpy(tss + 0x66, &no_io_map, sizeof(no_io_map));
}

void stub_build(const struct stub_layout *s)
{
	BUG_ON(stub_text_end - stub_text > (long)PAGE_SIZE || s->pool_size > PAGE_1G || s->pool_size % PAGE_2M ||
	       3 + 2 * s->cpus > 512);
	memcpy(page(s, PAGE_TEXT), stub_text, stub_text_end - stub_text);
	build_tables(s);
	build_idt(s);
	build_gdt(s);
	for (int i = 0; i < s->cpus; i++)
		build_tss(s, i);
}

maddr_t stub_pdpt(const struct stub_layout *s)
{
	return maddr_init(page_maddr(s, PAGE_PDPT));
}

struct stub_frame *stub_frame(const struct stub_layout *s, int cpu)
{
	uint8_t *top = (uint8_t *)page(s, PAGE_CPUS + 2 * cpu + 2);

	return (struct stub_frame *)(void *)(top - sizeof(struct stub_frame));
}

struct stub_mailbox *stub_mailbox(const struct stub_layout *s, int cpu)
{
	return (struct stub_mailbox *)(void *)((uint8_t *)page(s, PAGE_CPUS + 2 * cpu) + STUB_MAILBOX);
}

uint64_t stub_iret_rsp(int cpu)
{
	return STUB_CPU((uint64_t)cpu) + 2 * PAGE_SIZE - 5 * sizeof(uint64_t);
}
