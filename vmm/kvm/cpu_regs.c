/* SPDX-License-Identifier: MIT */
#include "kvm/cpu_regs.h"

#include <errno.h>
#include <gnomon/x86.h>
#include <string.h>
#include <sys/ioctl.h>

#define MSRS_MAX  12
#define PAT_RESET 0x0007040600070406 /* APM2 7.8.1 */

void cpu_regs_gprs_from_kvm(struct cpu_state *c, const struct kvm_regs *r)
{
	/* By the number that instructions encode. */
	const uint64_t v[GPR_COUNT] = {r->rax, r->rcx, r->rdx, r->rbx, r->rsp, r->rbp, r->rsi, r->rdi,
	                               r->r8,  r->r9,  r->r10, r->r11, r->r12, r->r13, r->r14, r->r15};

	memcpy(c->gpr, v, sizeof(v));
}

void cpu_regs_gprs_to_kvm(const struct cpu_state *c, struct kvm_regs *r)
{
	const uint64_t *g = c->gpr, rip = r->rip, rflags = r->rflags;

	*r = (struct kvm_regs){.rax = g[0], .rcx = g[1], .rdx = g[2], .rbx = g[3], .rsp = g[4], .rbp = g[5],
	                       .rsi = g[6], .rdi = g[7], .r8 = g[8], .r9 = g[9], .r10 = g[10], .r11 = g[11],
	                       .r12 = g[12], .r13 = g[13], .r14 = g[14], .r15 = g[15], .rip = rip,
	                       .rflags = rflags};
}

static struct cpu_segment segment_from_kvm(const struct kvm_segment *k)
{
	return (struct cpu_segment){
	    .base = k->base,
	    .limit = k->limit,
	    .selector = k->selector,
	    .attributes = k->unusable ? 0
	                              : k->type | k->s << 4 | k->dpl << SEG_DPL_SHIFT | k->present << 7 | k->avl << 12 |
	                                    k->l << 13 | k->db << 14 | k->g << 15,
	};
}

static struct kvm_segment segment_to_kvm(const struct cpu_segment *s)
{
	const uint16_t a = s->attributes;

	return (struct kvm_segment){
	    .base = s->base,
	    .limit = s->limit,
	    .selector = s->selector,
	    .type = a & SEG_TYPE,
	    .s = !!(a & SEG_S),
	    .dpl = (a & SEG_DPL) >> SEG_DPL_SHIFT,
	    .present = !!(a & SEG_P),
	    .avl = !!(a & SEG_AVL),
	    .l = !!(a & SEG_L),
	    .db = !!(a & SEG_DB),
	    .g = !!(a & SEG_G),
	    .unusable = !(a & SEG_P),
	};
}

/* The register of KVM's that is segment `n`. */
static struct kvm_segment *segment_of(struct kvm_sregs *s, enum segment n)
{
	struct kvm_segment *const of[SEG_COUNT] = {[SEG_ES] = &s->es,     [SEG_CS] = &s->cs, [SEG_SS] = &s->ss,
	                                           [SEG_DS] = &s->ds,     [SEG_FS] = &s->fs, [SEG_GS] = &s->gs,
	                                           [SEG_LDTR] = &s->ldt, [SEG_TR] = &s->tr};

	return of[n];
}

void cpu_regs_from_kvm(struct cpu_state *c, const struct kvm_regs *r, const struct kvm_sregs *sregs)
{
	struct kvm_sregs s = *sregs;

	*c = (struct cpu_state){.rip = r->rip, .rflags = r->rflags, .cr0 = s.cr0, .cr2 = s.cr2, .cr3 = s.cr3,
	                        .cr4 = s.cr4, .cr8 = s.cr8, .efer = s.efer, .xcr0 = 1,
	                        .gdtr = {s.gdt.base, s.gdt.limit}, .idtr = {s.idt.base, s.idt.limit},
	                        .cpl = s.ss.dpl, .msrs.pat = PAT_RESET};
	cpu_regs_gprs_from_kvm(c, r);
	for (enum segment n = 0; n < SEG_COUNT; n++)
		c->seg[n] = segment_from_kvm(segment_of(&s, n));
	c->dr[6] = DR6_FIXED;
	c->dr[7] = DR7_FIXED;
}

int cpu_regs_get_some(int fd, struct cpu_state *ret_cpu)
{
	struct kvm_sregs sregs;
	struct kvm_regs regs;

	if (ioctl(fd, KVM_GET_REGS, &regs) < 0 || ioctl(fd, KVM_GET_SREGS, &sregs) < 0)
		return -errno;
	cpu_regs_from_kvm(ret_cpu, &regs, &sregs);
	return 0;
}

/* --- MSRs --- */

/* A field of struct cpu_msrs. TSC_AUX is the last: KVM does not have it on each host, and stops there. */
struct msr_field {
	uint32_t index;
	uint64_t *value;
};

#define NR_MSRS 10

static void list_msrs(struct cpu_msrs *m, struct msr_field ret_list[NR_MSRS])
{
	const struct msr_field list[NR_MSRS] = {
	    {MSR_STAR, &m->star},
	    {MSR_LSTAR, &m->lstar},
	    {MSR_CSTAR, &m->cstar},
	    {MSR_SYSCALL_MASK, &m->sfmask},
	    {MSR_KERNEL_GS_BASE, &m->kernel_gs_base},
	    {MSR_SYSENTER_CS, &m->sysenter_cs},
	    {MSR_SYSENTER_ESP, &m->sysenter_esp},
	    {MSR_SYSENTER_EIP, &m->sysenter_eip},
	    {MSR_PAT, &m->pat},
	    {MSR_TSC_AUX, &m->tsc_aux},
	};

	memcpy(ret_list, list, sizeof(list));
}

/* KVM_GET_MSRS or KVM_SET_MSRS. How many KVM knew, from the first on; or -errno. */
static int call_msrs(int fd, unsigned long request, struct kvm_msr_entry *entry, unsigned n)
{
	uint64_t space[(sizeof(struct kvm_msrs) + MSRS_MAX * sizeof(*entry)) / 8];
	struct kvm_msrs *m = (void *)space; /* ends in a flexible array */
	int r;

	BUG_ON(n > MSRS_MAX);
	*m = (struct kvm_msrs){.nmsrs = n};
	memcpy(m->entries, entry, n * sizeof(*entry));
	r = ioctl(fd, request, m);
	if (r > 0)
		memcpy(entry, m->entries, (unsigned)r * sizeof(*entry));
	return r < 0 ? -errno : r;
}

int cpu_regs_set_msrs(int fd, const struct kvm_msr_entry *entry, unsigned n)
{
	struct kvm_msr_entry copy[MSRS_MAX];

	BUG_ON(n > MSRS_MAX);
	memcpy(copy, entry, n * sizeof(*entry));
	return call_msrs(fd, KVM_SET_MSRS, copy, n);
}

static int get_msrs(int fd, struct cpu_msrs *m)
{
	struct kvm_msr_entry entry[NR_MSRS] = {0};
	struct msr_field field[NR_MSRS];
	int n;

	list_msrs(m, field);
	for (int i = 0; i < NR_MSRS; i++)
		entry[i].index = field[i].index;
	n = call_msrs(fd, KVM_GET_MSRS, entry, NR_MSRS);
	if (n < NR_MSRS - 1)
		return n < 0 ? n : -EIO;
	for (int i = 0; i < n; i++)
		*field[i].value = entry[i].data;
	return 0;
}

static int set_msrs(int fd, const struct cpu_msrs *msrs)
{
	struct kvm_msr_entry entry[NR_MSRS] = {0};
	struct msr_field field[NR_MSRS];
	struct cpu_msrs m = *msrs;
	int n;

	list_msrs(&m, field);
	for (int i = 0; i < NR_MSRS; i++)
		entry[i] = (struct kvm_msr_entry){.index = field[i].index, .data = *field[i].value};
	n = call_msrs(fd, KVM_SET_MSRS, entry, NR_MSRS);
	return n < NR_MSRS - 1 ? (n < 0 ? n : -EIO) : 0;
}

/* --- the rest --- */

/* A host without XSAVE has no XCR0. */
static int get_xcr0(int fd, uint64_t *xcr0)
{
	struct kvm_xcrs x;

	if (ioctl(fd, KVM_GET_XCRS, &x) < 0)
		return errno == EINVAL || errno == ENOTTY ? 0 : -errno;
	for (uint32_t i = 0; i < x.nr_xcrs; i++)
		if (x.xcrs[i].xcr == 0)
			*xcr0 = x.xcrs[i].value;
	return 0;
}

int cpu_regs_get(int fd, struct cpu_state *ret_cpu)
{
	struct kvm_vcpu_events events;
	struct kvm_debugregs debug;
	int r = cpu_regs_get_some(fd, ret_cpu);

	if (r == 0)
		r = get_msrs(fd, &ret_cpu->msrs);
	if (r == 0)
		r = get_xcr0(fd, &ret_cpu->xcr0);
	if (r < 0)
		return r;
	if (ioctl(fd, KVM_GET_DEBUGREGS, &debug) < 0 || ioctl(fd, KVM_GET_VCPU_EVENTS, &events) < 0)
		return -errno;
	memcpy(ret_cpu->dr, debug.db, sizeof(debug.db));
	ret_cpu->dr[6] = debug.dr6;
	ret_cpu->dr[7] = debug.dr7;
	ret_cpu->interrupt_shadow = events.interrupt.shadow;
	return 0;
}

static int set_debug(int fd, const uint64_t dr[8])
{
	struct kvm_debugregs debug = {.dr6 = dr[6], .dr7 = dr[7]};

	memcpy(debug.db, dr, sizeof(debug.db));
	return ioctl(fd, KVM_SET_DEBUGREGS, &debug) < 0 ? -errno : 0;
}

int cpu_regs_disarm(int fd)
{
	return set_debug(fd, (const uint64_t[8]){[6] = DR6_FIXED, [7] = DR7_FIXED});
}

static int set_interrupt_shadow(int fd, bool shadow)
{
	struct kvm_vcpu_events events;

	if (ioctl(fd, KVM_GET_VCPU_EVENTS, &events) < 0)
		return -errno;
	events.flags = KVM_VCPUEVENT_VALID_SHADOW;
	events.interrupt.shadow = shadow ? KVM_X86_SHADOW_INT_STI : 0;
	return ioctl(fd, KVM_SET_VCPU_EVENTS, &events) < 0 ? -errno : 0;
}

static int set_sregs(int fd, const struct cpu_state *c)
{
	struct kvm_sregs s;

	if (ioctl(fd, KVM_GET_SREGS, &s) < 0) /* for the APIC base, and nothing else */
		return -errno;
	for (enum segment n = 0; n < SEG_COUNT; n++)
		*segment_of(&s, n) = segment_to_kvm(&c->seg[n]);
	s.ss.dpl = c->cpl; /* of a null SS, too: KVM takes the CPL from there */
	s.gdt.base = c->gdtr.base;
	s.gdt.limit = c->gdtr.limit;
	s.idt.base = c->idtr.base;
	s.idt.limit = c->idtr.limit;
	s.cr0 = c->cr0;
	s.cr2 = c->cr2;
	s.cr3 = c->cr3;
	s.cr4 = c->cr4;
	s.cr8 = c->cr8;
	s.efer = c->efer;
	memset(s.interrupt_bitmap, 0, sizeof(s.interrupt_bitmap));
	return ioctl(fd, KVM_SET_SREGS, &s) < 0 ? -errno : 0;
}

int cpu_regs_set(int fd, const struct cpu_state *c)
{
	struct kvm_regs regs = {.rip = c->rip, .rflags = c->rflags};
	int r = set_sregs(fd, c);

	cpu_regs_gprs_to_kvm(c, &regs);
	if (r == 0 && ioctl(fd, KVM_SET_REGS, &regs) < 0)
		r = -errno;
	if (r == 0)
		r = set_msrs(fd, &c->msrs);
	if (r == 0)
		r = set_debug(fd, c->dr);
	return r < 0 ? r : set_interrupt_shadow(fd, c->interrupt_shadow);
}
