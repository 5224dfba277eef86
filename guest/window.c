/* SPDX-License-Identifier: MIT */
/* A page of the kernel's address space for each CPU, through which it reaches any frame. */
#include "kernel.h"

/* Shows `frame` to this CPU at a fixed address until its next call of window(). */
void *window(gpa_t frame)
{
	int id = this_cpu()->id;
	uint64_t va = KERNEL_PAGE(WINDOW_PAGE + id);

	kernel_pt[WINDOW_PAGE + id] = gpa_raw(frame) | PTE_P | PTE_W | PTE_NX;
	invlpg(va);
	return (void *)va;
}
