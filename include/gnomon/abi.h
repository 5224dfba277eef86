/* SPDX-License-Identifier: MIT */
/*
 * What a guest sees of Gnomon, version 1: the boot contract, the ports and the
 * structures that cross between guest and VMM. Shared by both sides, usable from
 * assembly, append-only: a number once given keeps its meaning.
 *
 * Boot contract (checked by vmm/boot, explained in guest/README.md). The boot CPU
 * starts at the image's ELF entry in 64-bit mode with
 *   RDI   guest physical address of the flattened device tree; the other general registers are 0
 *   CR3   boot tables: guest physical [0, 1 GiB) mapped writable, supervisor, by
 *         2 MiB pages, both at 0 and at GNOMON_BOOT_VIRT
 *   CR0 = PE|NE|ET|PG|WP, CR4 = PAE, EFER = LME|LMA|NXE, RFLAGS = 2 (IF clear)
 *   CS = GNOMON_BOOT_CS, SS = DS = ES = GNOMON_BOOT_DS; the descriptors behind them are
 *   cached only: load a GDT with the same two before touching a selector.
 * The other CPUs wait for GNOMON_PORT_CPU_START. Memory that the image does not
 * cover is zero. [0, 1 MiB) is the loader's: boot tables and device tree lie there;
 * it is reserved in the device tree. The guest must not use selectors 0x2b and 0x33,
 * must change IF with cli and sti only, and must not map anything at GNOMON_RESERVED_BASE and
 * up (a PML4 slot of the upper half), which shadow paging keeps for its stub.
 */
#ifndef GNOMON_ABI_H
#define GNOMON_ABI_H

#define GNOMON_ABI_VERSION 1

#define GNOMON_BOOT_VIRT 0xffffffff80000000
#define GNOMON_BOOT_CS   0x08
#define GNOMON_BOOT_DS   0x10

/* PML4 slot 508: not for the guest, in either mode. */
#define GNOMON_RESERVED_BASE 0xfffffe0000000000
#define GNOMON_RESERVED_END  0xfffffe8000000000

/* Guest physical layout. RAM is [0, 3 GiB) and, beyond that, from 4 GiB up. */
#define GNOMON_LOADER_END    0x00100000
#define GNOMON_RAM_LOW_END   0xc0000000
#define GNOMON_MMIO_BASE     0xd0000000
#define GNOMON_RAM_HIGH_BASE 0x100000000

/*
 * Devices on the MMIO bus, GNOMON_VIRTIO_STRIDE apart: virtio-mmio version 2, found as `virtio,mmio` nodes. The one
 * cell of a node's `interrupts` is the vector (below 256) that device n raises on CPU 0. It comes as an edge, once
 * for each event at least, even while InterruptStatus is not acknowledged; there is no end-of-interrupt.
 */
#define GNOMON_VIRTIO_BASE      GNOMON_MMIO_BASE
#define GNOMON_VIRTIO_LEN       0x200
#define GNOMON_VIRTIO_STRIDE    0x1000
#define GNOMON_VIRTIO_VECTOR(n) (33 + (n))
#define GNOMON_VIRTIO_BALLOON   0 /* the first device; pages that come back from it are zero */

/* Console: ns16550a; transmit never blocks; `rep outsb` works (KVM's emulator makes an exit of each byte). */
#define GNOMON_PORT_SERIAL 0x3f8
/* Write: the low byte ends the VM and becomes `gnomon run`'s exit status (0-125). */
#define GNOMON_PORT_EXIT 0xf4
/* 32-bit write: guest physical address of a struct gnomon_cpu_start. */
#define GNOMON_PORT_CPU_START 0x600
/* 32-bit write: GNOMON_IPI(cpu, vector), delivers `vector` (32-255) to `cpu`. */
#define GNOMON_PORT_IPI 0x604
/* Any write: returns at once. The floor under every trap that is measured. */
#define GNOMON_PORT_NOP         0x608
#define GNOMON_IPI(cpu, vector) ((cpu) << 8 | (vector))
/*
 * 32-bit write: guest physical address of a struct gnomon_walks, a multiple of 64. How long this CPU's page walks are.
 */
#define GNOMON_PORT_WALKS 0x60c
/*
 * 32-bit write: guest physical address of a struct gnomon_enclave_request (gnomon/enclave.h), a multiple of its size. The
 * CPU goes on when the call is done.
 */
#define GNOMON_PORT_ENCLAVE 0x610
/*
 * 32-bit write: guest physical address of a struct gnomon_enclave_walks (gnomon/enclave.h), a multiple of its size. How
 * long page walks of an enclave would be if hardware walked the enclaves' own table.
 */
#define GNOMON_PORT_ENCLAVE_WALKS 0x614
/* Only in a VM that `gnomon bench` makes itself (guest/arena.h): `gnomon run` has nothing there. */
#define GNOMON_PORT_BENCH 0x618

#ifndef __ASSEMBLER__
#include <stdint.h>

/* Starts CPU `cpu` (device tree `reg`) with the boot CPU's CR0, CR4 and EFER, IF clear. */
struct gnomon_cpu_start {
	uint32_t version; /* GNOMON_ABI_VERSION */
	uint32_t cpu;
	uint64_t rip; /* guest virtual */
	uint64_t rsp; /* guest virtual */
	uint64_t cr3;
	uint64_t rdi; /* handed to the entry */
};
_Static_assert(sizeof(struct gnomon_cpu_start) == 40, "ABI");

/*
 * References that the page walks of TLB misses make, without any page-walk cache: computed from the tables in CR3 (in
 * shadow mode those that the CPU really walks) and the second stage below them. For accesses at CPL 3 to each page that
 * has a byte of [first, first + bytes). Where the host does not say how it maps memory, low and high differ.
 */
struct gnomon_walks {
	uint32_t version; /* GNOMON_ABI_VERSION */
	uint32_t reserved;
	uint64_t first; /* guest virtual */
	uint64_t bytes; /* not more than there is memory */
	/* The answer: */
	uint64_t pages;             /* that are mapped; 0 also where the second stage is not known */
	uint32_t low, high;         /* the fewest and the most references of one walk */
	uint64_t sum_low, sum_high; /* of a walk to each of the pages */
};
_Static_assert(sizeof(struct gnomon_walks) == 56, "ABI");
#endif

#endif
