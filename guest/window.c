/* SPDX-License-Identifier: MIT */
/* Each CPU has a page of the kernel's address space through which it reaches any frame. */
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
