/* SPDX-License-Identifier: MIT */
/* Each CPU has a page of the kernel's address space through which it reaches any frame, and 2 MiB for large ones. */
#include "kernel.h"

/* Maps `frame` for this CPU at a fixed address, until its next call of window(). */
void *window(gpa_t frame)
{
	int id = this_cpu()->id;
	uint64_t va = KERNEL_PAGE(WINDOW_PAGE + id);

	kernel_pt[WINDOW_PAGE + id] = gpa_raw(frame) | PTE_P | PTE_W | PTE_NX;
	invlpg(va);
	return (void *)va;
}

/*
 * Maps a frame of 2 MiB, until window_large_close(): it may be broken up later. A large page over tables would make a
 * VMM that shadows them protect 2 MiB in small pages.
 */
void *window_large(gpa_t frame)
{
	const unsigned slot = LARGE_WINDOW_SLOT + this_cpu()->id;

	kernel_pd[slot] = gpa_raw(frame) | PTE_P | PTE_W | PTE_PS | PTE_NX | PTE_A | PTE_D;
	return (void *)(GNOMON_BOOT_VIRT + slot * PAGE_2M);
}

void window_large_close(void)
{
	const unsigned slot = LARGE_WINDOW_SLOT + this_cpu()->id;

	kernel_pd[slot] = 0;
	invlpg(GNOMON_BOOT_VIRT + slot * PAGE_2M);
}
