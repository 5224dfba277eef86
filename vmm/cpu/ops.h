/* SPDX-License-Identifier: MIT */
/*
 * What the emulator needs from the machine around the virtual CPU. Everything that
 * touches memory, ports or the MMU goes through these callbacks, so that vmm/trap
 * links into unit tests and fuzz targets without KVM.
 */
#ifndef GNOMON_CPU_OPS_H
#define GNOMON_CPU_OPS_H

#include <gnomon/addr.h>
#include <stdbool.h>
#include <stdint.h>

/* An exception as the CPU would deliver it. */
struct cpu_exception {
	uint8_t vector;
	bool has_error;
	uint32_t error;
	gva_t cr2;    /* #PF only: becomes CR2 at delivery */
	uint64_t dr6; /* #DB only: bits to set in DR6 at delivery */
};

/* Rights an access needs; flags. None of them: a data read with supervisor rights. */
enum cpu_access {
	ACCESS_WRITE = 1 << 0,    /* on a read: the first half of a read-modify-write */
	ACCESS_FETCH = 1 << 1,    /* instruction bytes */
	ACCESS_USER = 1 << 2,     /* at CPL 3 */
	ACCESS_IMPLICIT = 1 << 3, /* by the CPU itself (descriptor tables, TSS, delivery): RFLAGS.AC grants nothing */
};

/* No access is longer: the frame of an exception with error code is 48 bytes. */
#define CPU_ACCESS_MAX 48

/* What this virtual CPU offers; constant over its life. A bit outside is reserved and gives #GP. */
struct cpu_limits {
	uint64_t cr4_bits;
	uint64_t efer_bits;
	uint64_t xcr0_bits;
	int phys_bits; /* MAXPHYADDR */
	bool tsc_aux;  /* the MSR is there */
	bool intel;    /* as Intel's CPUs: SYSENTER in 64-bit code, far pointers with offsets of 64 bits */
	bool null_clears_base; /* a null selector in FS or GS clears its base */
};

/*
 * Memory callbacks: `addr` is linear and canonical, `size` 1 to CPU_ACCESS_MAX bytes,
 * which may cross into the next page; nothing is transferred unless all of it is legal.
 * Each is called exactly once per access of the instruction, with the instruction's
 * width, so that MMIO sees what a device would.
 *
 *   0        done
 *   -EFAULT  the guest's tables deny: *ret_exc is filled
 *   -ENXIO   allowed by the guest's tables, but there is no memory: the guest is killed
 *   other    a host failure: unwinds out of the emulator
 *
 * A read with ACCESS_WRITE checks, and marks dirty, as a write would; the write that
 * follows must not fault then.
 */
struct cpu_ops {
	int (*read)(void *ctx, gva_t addr, void *buf, unsigned size, unsigned access, struct cpu_exception *ret_exc);
	int (*write)(void *ctx, gva_t addr, const void *buf, unsigned size, unsigned access,
	             struct cpu_exception *ret_exc);
	/*
	 * Atomically: *old = memory; if that equals *expected, memory = *desired. Size 1, 2, 4, 8 or
	 * 16, crossing pages too. Checks as a write; the caller loops.
	 */
	int (*cmpxchg)(void *ctx, gva_t addr, const void *expected, const void *desired, void *old, unsigned size,
	               unsigned access, struct cpu_exception *ret_exc);

	/* Ports; size 1, 2 or 4; one call an element of ins and outs. 0 or a host failure's -errno. */
	int (*port_in)(void *ctx, uint16_t port, unsigned size, uint32_t *ret_value);
	int (*port_out)(void *ctx, uint16_t port, unsigned size, uint32_t value);

	/* What RDTSC returns on this virtual CPU. 0 or a host failure's -errno. */
	int (*tsc)(void *ctx, uint64_t *ret_value);

	/*
	 * Notices, after the state holds the new values. A CPL change has none: compare cpl. Each also means that
	 * the TLB effects of the instruction are due.
	 */
	void (*cr3_loaded)(void *ctx, uint64_t old_cr3, uint64_t new_cr3);
	/* The bits of CR0, CR4 and EFER that changed; only called if one of them concerns paging. */
	void (*mmu_changed)(void *ctx, uint64_t cr0, uint64_t cr4, uint64_t efer);
	void (*invlpg)(void *ctx, gva_t addr);
	/*
	 * A #PF is raised at `addr`, whether it is delivered or becomes a double fault: from here on nothing counts
	 * that was remembered of this address (SDM vol. 3 4.10.4.1).
	 */
	void (*faulted)(void *ctx, gva_t addr);

	struct cpu_limits limits;
};

#endif
