/* SPDX-License-Identifier: MIT */
/*
 * The ring-0 stub of shadow mode: the only code of ours that runs inside the VM. It lies,
 * supervisor-only, in the reserved part of every shadow root and does two things: it
 * reports a trap with one OUT, and on the way back it stores queued shadow entries,
 * reloads CR3 and returns with IRETQ. All policy is in the VMM. Usable from assembly.
 *
 *   guest at CPL 3 --trap--> IDT -> vector stub: push vector; OUT --> KVM_EXIT_IO --> VMM
 *   guest at CPL 3 <-IRETQ-- leave: [store entries; MOV CR3; restore] <-- KVM_RUN <-- VMM
 *
 * Reserved guest-virtual range, PML4 slot 508:
 *
 *   STUB_TEXT   code, one page          STUB_IDT   33 gates     STUB_GDT   descriptors
 *   STUB_CPU(n) per vCPU two pages: TSS and mailbox; trap stack with the frame on top
 *   STUB_POOL   window on the pool of shadow tables, for the entry stores
 */
#ifndef GNOMON_STUB_STUB_H
#define GNOMON_STUB_STUB_H

#include <gnomon/abi.h>

#define STUB_PORT_TRAP    0xe0 /* a trap's frame lies on the stack */
#define STUB_PORT_SYSCALL 0xe1 /* SYSCALL: no frame; RCX and R11 tell */
#define STUB_PORT_DONE    0xe2 /* queued entries are stored, and the VMM wants to go on */

/* A real external interrupt by which the VMM takes a vCPU out of the guest; the last of the vectors. */
#define STUB_VECTOR_KICK 32
#define STUB_VECTORS     33

#define STUB_BASE   GNOMON_RESERVED_BASE
#define STUB_TEXT   (STUB_BASE + 0x0000)
#define STUB_IDT    (STUB_BASE + 0x1000)
#define STUB_GDT    (STUB_BASE + 0x2000)
#define STUB_CPU(n) (STUB_BASE + 0x3000 + (n)*0x2000)
#define STUB_POOL   (STUB_BASE + 0x40000000)

/*
 * Far from any selector a guest may use, so that every guest selector faults; on kvm_pvm 0x2b and 0x33 are the host's.
 */
#define STUB_CS      0x180
#define STUB_SS      0x188
#define STUB_USER_SS 0x193
#define STUB_USER_CS 0x19b
#define STUB_TR(n)   (0x200 + (n)*16)

/* The mailbox, behind the TSS in a vCPU's first page. */
#define STUB_MAILBOX  0x100
#define MAILBOX_RAX   0
#define MAILBOX_RCX   8
#define MAILBOX_RDX   16
#define MAILBOX_RSI   24
#define MAILBOX_RDI   32
#define MAILBOX_R8    40
#define MAILBOX_EDITS 64 /* struct stub_edit[] up to the end of the page */

#ifndef __ASSEMBLER__
#include <stddef.h>
#include <stdint.h>

/* What the CPU and the vector stub leave on top of the trap stack. */
struct stub_frame {
	uint64_t vector, error, rip, cs, rflags, rsp, ss;
};

/* One store to a live shadow entry. No address to invalidate goes with it: the reload of CR3 that follows flushes
 * what matters. */
struct stub_edit {
	uint64_t entry; /* address of the entry in the STUB_POOL window */
	uint64_t value;
};

struct stub_mailbox {
	uint64_t rax, rcx, rdx, rsi, rdi, r8, reserved[2];
	struct stub_edit edit[(0x1000 - STUB_MAILBOX - MAILBOX_EDITS) / sizeof(struct stub_edit)];
};

#define STUB_EDITS (sizeof(((struct stub_mailbox *)0)->edit) / sizeof(struct stub_edit))

_Static_assert(offsetof(struct stub_mailbox, edit) == MAILBOX_EDITS, "stub.S");
_Static_assert(offsetof(struct stub_mailbox, r8) == MAILBOX_R8, "stub.S");

/* The blob of stub.S, to be copied to STUB_TEXT, and its entry points as offsets. */
extern const char stub_text[], stub_text_end[];
extern const char stub_syscall[], stub_traps_end[], stub_leave[], stub_leave_cr3[], stub_leave_edits[],
    stub_apply_edits[];

static inline uint64_t stub_address(const char *label)
{
	return STUB_TEXT + (uint64_t)(label - stub_text);
}
#endif

#endif
