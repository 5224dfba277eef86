/* SPDX-License-Identifier: MIT */
/* The stub's memory: its own tables, code, IDT, GDT, and per vCPU TSS, mailbox and stack. Pure. */
#ifndef GNOMON_STUB_STUB_LAYOUT_H
#define GNOMON_STUB_STUB_LAYOUT_H

#include <gnomon/addr.h>

struct stub_frame;
struct stub_mailbox;

struct stub_layout {
	uint8_t *host; /* stub_pages(cpus) zeroed pages, the caller's */
	maddr_t base;  /* the same in the VM */
	int cpus;
	maddr_t pool; /* shadow tables, for the window; 2 MiB aligned */
	uint64_t pool_size;
};

/* Pages of 4 KiB that the stub needs for so many vCPUs. */
unsigned stub_pages(int cpus);

/* Where the page that is at STUB_TEXT, STUB_IDT, STUB_GDT or in STUB_CPU(n) lies, of a stub whose memory is at `base`. */
maddr_t stub_page_of(maddr_t base, uint64_t va);

/* Fills the stub's memory. Before any vCPU runs: nothing of it is live yet. */
void stub_build(const struct stub_layout *s);

/* What the reserved PML4 slot of every root points at. */
maddr_t stub_pdpt(const struct stub_layout *s);

/* What a trap of vCPU `cpu` leaves on its stack, and where the VMM leaves work for the way back; both lie in
 * s->host. */
struct stub_frame *stub_frame(const struct stub_layout *s, int cpu);
struct stub_mailbox *stub_mailbox(const struct stub_layout *s, int cpu);

/* RSP with which the leave code finds the IRETQ part of the frame. */
uint64_t stub_iret_rsp(int cpu);

#endif
