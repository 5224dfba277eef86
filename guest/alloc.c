/* SPDX-License-Identifier: MIT */
/*
 * Page frames. Memory is zero at boot (the boot contract), so a frame that was never
 * given out needs no clearing: 4 KiB frames come from the bottom of a range upwards,
 * 2 MiB frames from its top downwards. Freed frames are chained through their
 * first word, taken again first, and cleared then. 2 MiB frames that the balloon gave back are zero
 * but for that word, and wait in a list of their own: to clear them whole would take long where the kernel's instructions are emulated.
 */
#include "kernel.h"

#define NR_RANGES 2 /* RAM below and above the hole at 3 GiB */

static struct range {
	uint64_t next, end;
} ranges[NR_RANGES];
static bool ready;
static gpa_t free_pages, free_huges, zero_huges;
static uint64_t nr_freed; /* on the lists, in 4 KiB pages */

/* The device tree's memory node, less what the loader and the image take. Done when the first frame is wanted. */
static void find_memory(void)
{
	uint32_t len;
	const uint64_t *reg = fdt_property(device_tree, FDT_NAME("memory@0"), FDT_NAME("reg"), &len);

	if (!reg)
		panic("the device tree has no memory", NULL);
	for (uint32_t i = 0; i < NR_RANGES && i < len / 16; i++) {
		uint64_t base = fdt_u64(reg[2 * i]);

		ranges[i].end = base + fdt_u64(reg[2 * i + 1]);
		ranges[i].next = base < IMAGE_PHYS(IMAGE_PAGES) ? IMAGE_PHYS(IMAGE_PAGES) : base;
	}
	ready = true;
}

static gpa_t unchain(gpa_t *list, uint64_t pages)
{
	gpa_t first = *list;

	*list = *(gpa_t *)window(first);
	nr_freed -= pages;
	return first;
}

static gpa_t pop(gpa_t *list, uint64_t pages)
{
	gpa_t first = unchain(list, pages);

	for (uint64_t i = 0; i < pages; i++) {
		uint64_t words = PAGE_SIZE / 8;
		void *to = window(gpa_add(first, i * PAGE_SIZE));

		__asm__ volatile("rep stosq" : "+D"(to), "+c"(words) : "a"(0) : "memory");
	}
	return first;
}

static void push(gpa_t *list, gpa_t page, uint64_t pages)
{
	nr_freed += pages;
	*(gpa_t *)window(page) = *list;
	*list = page;
}

gpa_t page_alloc_run(uint64_t pages)
{
	if (!ready)
		find_memory();
	for (struct range *r = ranges; r < ranges + NR_RANGES; r++) {
		if ((r->end - r->next) / PAGE_SIZE >= pages) {
			r->next += pages * PAGE_SIZE;
			return gpa_init(r->next - pages * PAGE_SIZE);
		}
	}
	return gpa_init(0);
}

gpa_t page_alloc(void)
{
	return gpa_raw(free_pages) ? pop(&free_pages, 1) : page_alloc_run(1);
}

static gpa_t fresh_huge(void)
{
	if (!ready)
		find_memory();
	for (struct range *r = ranges; r < ranges + NR_RANGES; r++) {
		if (r->end - r->next >= PAGE_2M) { /* ends are multiples of 2 MiB: --memory is, and the hole */
			r->end -= PAGE_2M;
			return gpa_init(r->end);
		}
	}
	return gpa_init(0);
}

gpa_t huge_alloc(void)
{
	gpa_t first;

	if (!gpa_raw(zero_huges))
		return gpa_raw(free_huges) ? pop(&free_huges, PAGE_2M / PAGE_SIZE) : fresh_huge();
	first = unchain(&zero_huges, PAGE_2M / PAGE_SIZE);
	*(gpa_t *)window(first) = gpa_init(0);
	return first;
}

void page_free(gpa_t page)
{
	/* Pages of the image (programs' text, the first process's data) stay with it. */
	if (gpa_raw(page) >= IMAGE_PHYS(IMAGE_PAGES))
		push(&free_pages, page, 1);
}

void huge_free(gpa_t page)
{
	push(&free_huges, page, PAGE_2M / PAGE_SIZE);
}

uint64_t page_count_free(void)
{
	uint64_t n = nr_freed;

	if (!ready)
		find_memory();
	for (const struct range *r = ranges; r < ranges + NR_RANGES; r++)
		n += (r->end - r->next) / PAGE_SIZE;
	return n;
}

/* At most `most` frames in one run: a 2 MiB frame if that is not too much, else some that were never used, else one. */
bool frames_take(uint32_t most, struct run *ret_run)
{
	gpa_t first = gpa_init(0);
	uint64_t pages = PAGE_2M / PAGE_SIZE;

	if (most >= pages && (gpa_raw(free_huges) || gpa_raw(zero_huges)))
		first = unchain(gpa_raw(free_huges) ? &free_huges : &zero_huges, pages);
	else if (most >= pages)
		first = fresh_huge();
	for (const struct range *r = ranges; !gpa_raw(first) && r < ranges + NR_RANGES; r++) {
		pages = (r->end - r->next) / PAGE_SIZE;
		if (pages > most)
			pages = most;
		if (pages)
			first = page_alloc_run(pages);
	}
	if (!gpa_raw(first) && gpa_raw(free_pages)) {
		pages = 1;
		first = unchain(&free_pages, pages);
	}
	*ret_run = (struct run){gpa_raw(first) / PAGE_SIZE, pages};
	return gpa_raw(first);
}

/* They are zero (include/gnomon/abi.h): those that border on a range are as good as never used. */
void frames_give(struct run run)
{
	const uint64_t from = run.pfn * PAGE_SIZE, size = run.pages * PAGE_SIZE;

	for (struct range *r = ranges; r < ranges + NR_RANGES; r++) {
		if (from == r->end && size == PAGE_2M) {
			r->end += size;
			return;
		}
		if (from + size == r->next) {
			r->next = from;
			return;
		}
	}
	if (size == PAGE_2M && from % PAGE_2M == 0) {
		push(&zero_huges, gpa_init(from), PAGE_2M / PAGE_SIZE);
		return;
	}
	for (uint64_t i = 0; i < size; i += PAGE_SIZE)
		page_free(gpa_init(from + i));
}
