/* SPDX-License-Identifier: MIT */
/* The emulator's way to guest memory, ports and the shadow MMU (cpu/ops.h). Shadow lock held. */
#include <errno.h>
#include <gnomon/x86.h>
#include <string.h>
#include <sys/ioctl.h>

#include "cpu/present.h"
#include "dev/bus.h"
#include "kvm/cpuid.h"
#include "paging/shadow_vm.h"
#include "vm/vcpu.h"
#include "cpu/ops.h"

/* One page's part of an access, translated: a pointer into RAM, or NULL for MMIO at `gpa`. */
struct piece {
	gpa_t gpa;
	uint8_t *host;
	unsigned len;
};

static int translate(struct vcpu *vcpu, gva_t addr, unsigned size, unsigned access, struct piece *ret,
                     struct cpu_exception *ret_exc)
{
	struct shadow_view view = shadow_vcpu_view(vcpu);
	const struct walk_access a = {.user = access & ACCESS_USER,
	                              .write = access & ACCESS_WRITE,
	                              .fetch = access & ACCESS_FETCH,
	                              .ac = view.ac && !(access & ACCESS_IMPLICIT)};
	const uint64_t in_page = PAGE_SIZE - page_offset(addr.raw);
	struct walk w;

	guest_walk(&vcpu->vm->stage2, &view.walk, addr, a, true, &w);
	if (w.outcome == WALK_TABLE_OUTSIDE) {
		vcpu->shadow->nowhere = w.outside;
		return -ENXIO;
	}
	if (w.outcome != WALK_OK) {
		*ret_exc =
		    (struct cpu_exception){.vector = VEC_PF, .has_error = true, .error = w.error_code, .cr2 = addr};
		return -EFAULT;
	}
	ret->gpa = w.gpa;
	ret->len = size < in_page ? size : in_page;
	ret->host = stage2_ptr(&vcpu->vm->stage2, w.gpa, ret->len);
	return 0;
}

/* Translates all of an access, at most two pages, before any of it is done. Returns the pieces, or -errno. */
static int translate_all(struct vcpu *vcpu, gva_t addr, unsigned size, unsigned access, struct piece piece[2],
                         struct cpu_exception *ret_exc)
{
	int r = translate(vcpu, addr, size, access, &piece[0], ret_exc);

	if (r < 0 || piece[0].len == size)
		return r < 0 ? r : 1;
	r = translate(vcpu, gva_add(addr, piece[0].len), size - piece[0].len, access, &piece[1], ret_exc);
	return r < 0 ? r : 2;
}

static int nowhere(struct vcpu *vcpu, const struct piece *p)
{
	vcpu->shadow->nowhere = p->gpa;
	return -ENXIO;
}

static int mmio(struct vcpu *vcpu, const struct piece *p, uint8_t *data, bool write)
{
	const struct bus_access a = {
	    .offset = gpa_raw(p->gpa), .size = p->len, .count = 1, .write = write, .data = data};

	return vcpu_dispatch(vcpu, &vcpu->vm->mmio, &a) ? 0 : nowhere(vcpu, p);
}

/* Aligned words go in one store: other vCPUs must not see half an entry. */
static void store(uint8_t *to, const uint8_t *from, unsigned len)
{
	uint64_t v = 0;

	if (len <= 8)
		memcpy(&v, from, len);
	if (len == 8 && (uintptr_t)to % 8 == 0)
		__atomic_store_n((uint64_t *)(void *)to, v, __ATOMIC_SEQ_CST);
	else if (len == 4 && (uintptr_t)to % 4 == 0)
		__atomic_store_n((uint32_t *)(void *)to, (uint32_t)v, __ATOMIC_SEQ_CST);
	else
		memcpy(to, from, len);
}

static int op_read(void *ctx, gva_t addr, void *buf, unsigned size, unsigned access, struct cpu_exception *ret_exc)
{
	struct piece piece[2];
	int n = translate_all(ctx, addr, size, access, piece, ret_exc);
	uint8_t *to = buf;

	for (int i = 0; i < n; to += piece[i++].len) {
		if (piece[i].host)
			memcpy(to, piece[i].host, piece[i].len);
		else if (access & ACCESS_FETCH) /* no device holds code */
			return nowhere(ctx, &piece[i]);
		else if (mmio(ctx, &piece[i], to, false) < 0)
			return -ENXIO;
	}
	return n < 0 ? n : 0;
}

static int op_write(void *ctx, gva_t addr, const void *buf, unsigned size, unsigned access,
                    struct cpu_exception *ret_exc)
{
	struct vcpu *vcpu = ctx;
	struct piece piece[2];
	int n = translate_all(vcpu, addr, size, access | ACCESS_WRITE, piece, ret_exc);
	const uint8_t *from = buf;

	for (int i = 0; i < n; from += piece[i++].len) {
		uint8_t copy[CPU_ACCESS_MAX];

		if (piece[i].host) {
			store(piece[i].host, from, piece[i].len);
			shadow_written(vcpu->vm->shadow->mmu, &vcpu->counters, piece[i].gpa, piece[i].len);
			continue;
		}
		memcpy(copy, from, piece[i].len);
		if (mmio(vcpu, &piece[i], copy, true) < 0)
			return -ENXIO;
	}
	return n < 0 ? n : 0;
}

/* LOCK CMPXCHG of any alignment that does not cross a cache line: 1, 2, 4 or 8 bytes. *old: what was there. */
#define CMPXCHG(type, suffix)                                                                                          \
	do {                                                                                                           \
		type was, to;                                                                                          \
		memcpy(&was, expected, sizeof(was));                                                                   \
		memcpy(&to, desired, sizeof(to));                                                                      \
		__asm__ volatile("lock cmpxchg" suffix " %3, (%2)"                                                     \
		                 : "=@ccz"(done), "+a"(was)                                                            \
		                 : "r"(host), "q"(to)                                                                  \
		                 : "memory");                                                                          \
		memcpy(old, &was, sizeof(was));                                                                        \
	} while (0)

/* CMPXCHG16B, which wants its operand aligned. */
static bool cmpxchg_16(uint8_t *host, const void *expected, const void *desired, void *old)
{
	uint64_t was[2], to[2];
	bool done;

	memcpy(was, expected, sizeof(was));
	memcpy(to, desired, sizeof(to));
	__asm__ volatile("lock cmpxchg16b (%3)"
	                 : "=@ccz"(done), "+a"(was[0]), "+d"(was[1])
	                 : "r"(host), "b"(to[0]), "c"(to[1])
	                 : "memory");
	memcpy(old, was, sizeof(was));
	return done;
}

/* Atomic towards CPUs that run the guest. False: it crosses a cache line, or has no such size. */
static bool cmpxchg_host(uint8_t *host, const void *expected, const void *desired, void *old, unsigned size,
                         bool *ret_done)
{
	bool done;

	if ((uintptr_t)host % 64 + size > 64 || (size == 16 && (uintptr_t)host % 16))
		return false;
	switch (size) {
	case 1:
		CMPXCHG(uint8_t, "b");
		break;
	case 2:
		CMPXCHG(uint16_t, "w");
		break;
	case 4:
		CMPXCHG(uint32_t, "l");
		break;
	case 8:
		CMPXCHG(uint64_t, "q");
		break;
	case 16:
		done = cmpxchg_16(host, expected, desired, old);
		break;
	default:
		return false;
	}
	*ret_done = done;
	return true;
}

/* Atomic towards CPUs that run the guest: those that could see it half done are taken out. */
static int op_cmpxchg(void *ctx, gva_t addr, const void *expected, const void *desired, void *old, unsigned size,
                      unsigned access, struct cpu_exception *ret_exc)
{
	struct vcpu *vcpu = ctx;
	struct piece piece[2];
	int n = translate_all(vcpu, addr, size, access | ACCESS_WRITE, piece, ret_exc);
	bool done;
	int r;

	if (n < 0)
		return n;
	if (n == 1 && piece[0].host && cmpxchg_host(piece[0].host, expected, desired, old, size, &done)) {
		if (done)
			shadow_written(vcpu->vm->shadow->mmu, &vcpu->counters, piece[0].gpa, size);
		return 0;
	}
	shadow_quiesce(vcpu->vm->shadow->mmu, &vcpu->counters);
	r = op_read(ctx, addr, old, size, access, ret_exc);
	if (r < 0 || memcmp(old, expected, size) != 0)
		return r;
	return op_write(ctx, addr, desired, size, access, ret_exc);
}

static int op_port_in(void *ctx, uint16_t port, unsigned size, uint32_t *ret_value)
{
	uint8_t data[4] = {0xff, 0xff, 0xff, 0xff};

	vcpu_port_access(ctx, port, size, 1, false, data);
	memset(data + size, 0, sizeof(data) - size);
	memcpy(ret_value, data, sizeof(data));
	return 0;
}

static int op_port_out(void *ctx, uint16_t port, unsigned size, uint32_t value)
{
	vcpu_port_access(ctx, port, size, 1, true, (uint8_t *)&value);
	return 0;
}

static void flushed(struct vcpu *vcpu, uint64_t cr3)
{
	shadow_flushed(vcpu->vm->shadow->mmu, &vcpu->counters, gpa_init(cr3 & PTE_ADDR));
}

static void op_cr3_loaded(void *ctx, uint64_t old_cr3, uint64_t new_cr3)
{
	flushed(ctx, new_cr3);
}

static void op_mmu_changed(void *ctx, uint64_t cr0, uint64_t cr4, uint64_t efer)
{
	const struct vcpu *vcpu = ctx;

	/* The role of a shadow page holds these bits: the next root is another one. */
	flushed(ctx, vcpu->shadow->cpu.cr3);
}

static void op_invlpg(void *ctx, gva_t addr)
{
	const struct vcpu *vcpu = ctx;

	flushed(ctx, vcpu->shadow->cpu.cr3);
}

static void op_faulted(void *ctx, gva_t addr)
{
	struct vcpu *vcpu = ctx;

	shadow_faulted(vcpu->vm->shadow->mmu, &vcpu->counters, gpa_init(vcpu->shadow->cpu.cr3 & PTE_ADDR), addr);
}

static int op_tsc(void *ctx, uint64_t *ret_value)
{
	const struct vcpu *vcpu = ctx;
	uint64_t space[(sizeof(struct kvm_msrs) + sizeof(struct kvm_msr_entry)) / 8];
	struct kvm_msrs *m = (void *)space; /* ends in a flexible array */

	*m = (struct kvm_msrs){.nmsrs = 1};
	m->entries[0] = (struct kvm_msr_entry){.index = MSR_TSC};
	if (ioctl(vcpu->fd, KVM_GET_MSRS, m) != 1)
		return -EIO;
	*ret_value = m->entries[0].data;
	return 0;
}

struct cpu_ops shadow_ops_make(void)
{
	return (struct cpu_ops){
	    .read = op_read,
	    .write = op_write,
	    .cmpxchg = op_cmpxchg,
	    .port_in = op_port_in,
	    .port_out = op_port_out,
	    .tsc = op_tsc,
	    .cr3_loaded = op_cr3_loaded,
	    .mmu_changed = op_mmu_changed,
	    .invlpg = op_invlpg,
	    .faulted = op_faulted,
	    .limits = {.cr4_bits = cpuid_cr4_bits(),
	               .efer_bits = EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE,
	               .xcr0_bits = 1,
	               .phys_bits = cpuid_maxphyaddr(),
	               .intel = cpu_is_intel(),
	               .null_clears_base = cpu_null_clears_base()},
	};
}
