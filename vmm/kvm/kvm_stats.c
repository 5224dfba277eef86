/* SPDX-License-Identifier: MIT */
#include "kvm/kvm_stats.h"

#include <errno.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define MAX_STATS     512
#define MAX_NAME_SIZE 256

#ifndef KVM_STATS_UNIT_BOOLEAN /* Linux 6.0 */
#define KVM_STATS_UNIT_BOOLEAN (0x4 << 4)
#endif

static const char *unit_of(uint32_t flags)
{
	switch (flags & KVM_STATS_UNIT_MASK) {
	case KVM_STATS_UNIT_BYTES:
		return "bytes";
	case KVM_STATS_UNIT_SECONDS:
		return "seconds";
	case KVM_STATS_UNIT_CYCLES:
		return "cycles";
	case KVM_STATS_UNIT_BOOLEAN:
		return "boolean";
	default:
		return NULL;
	}
}

static enum kvm_stat_type type_of(uint32_t flags)
{
	switch (flags & KVM_STATS_TYPE_MASK) {
	case KVM_STATS_TYPE_INSTANT:
		return KVM_STAT_INSTANT;
	case KVM_STATS_TYPE_PEAK:
		return KVM_STAT_PEAK;
	default:
		return KVM_STAT_CUMULATIVE;
	}
}

static int read_one(int stats_fd, const struct kvm_stats_header *h, const struct kvm_stats_desc *d, kvm_stat_fn fn,
                    void *arg)
{
	struct kvm_stat stat = {
	    .name = d->name,
	    .type = type_of(d->flags),
	    .unit = unit_of(d->flags),
	    .base = (d->flags & KVM_STATS_BASE_MASK) == KVM_STATS_BASE_POW2 ? 2 : 10,
	    .exponent = d->exponent,
	};

	if (d->size != 1)
		return 0;
	if (pread(stats_fd, &stat.value, sizeof(stat.value), h->data_offset + d->offset) != sizeof(stat.value))
		return -EPROTO;
	fn(arg, &stat);
	return 0;
}

int kvm_stats_read(int stats_fd, kvm_stat_fn fn, void *arg)
{
	struct kvm_stats_header h;
	char *descs;
	size_t stride, len;
	int r = 0;

	if (pread(stats_fd, &h, sizeof(h), 0) != sizeof(h) || h.num_desc > MAX_STATS || h.name_size > MAX_NAME_SIZE)
		return -EPROTO;
	stride = sizeof(struct kvm_stats_desc) + h.name_size;
	len = stride * h.num_desc;
	descs = malloc(len);
	if (!descs)
		return -ENOMEM;
	if (pread(stats_fd, descs, len, h.desc_offset) != (ssize_t)len)
		r = -EPROTO;
	for (uint32_t i = 0; r == 0 && i < h.num_desc; i++)
		r = read_one(stats_fd, &h, (const void *)(descs + i * stride), fn, arg);
	free(descs);
	return r;
}

int kvm_stats_open(int fd)
{
	int stats_fd = ioctl(fd, KVM_GET_STATS_FD, NULL);

	return stats_fd < 0 ? -errno : stats_fd;
}

static const struct {
	const char *name, *what;
} known[] = {
    {"pages_4k", "4 KiB mappings KVM holds in its second stage or shadow now"},
    {"pages_2m", "2 MiB mappings KVM holds in its second stage or shadow now"},
    {"pages_1g", "1 GiB mappings KVM holds in its second stage or shadow now"},
    {"mmu_shadow_zapped", "shadow pages KVM threw away"},
    {"mmu_pte_write", "guest writes to tables that KVM write-protects, emulated"},
    {"mmu_pde_zapped", "large-page directory entries KVM replaced"},
    {"mmu_flooded", "shadow pages KVM dropped because the guest wrote their table too often"},
    {"mmu_recycled", "shadow pages KVM took back for want of memory"},
    {"mmu_unsync", "shadow pages that may now differ from the guest's table"},
    {"pf_taken", "page faults KVM took"},
    {"pf_fixed", "page faults KVM mended by filling an entry"},
    {"pf_emulate", "page faults KVM answered by emulating an instruction"},
    {"pf_spurious", "page faults that had been mended meanwhile"},
    {"pf_fast", "page faults mended without KVM's MMU lock"},
    {"pf_guest", "page faults KVM handed on to the guest"},
    {"tlb_flush", "TLB flushes of this vCPU"},
    {"invlpg", "INVLPG instructions intercepted"},
    {"exits", "exits from guest mode, KVM's own included"},
    {"io_exits", "exits for port accesses"},
    {"mmio_exits", "exits for MMIO"},
    {"signal_exits", "exits because a signal waited"},
    {"irq_injections", "interrupts injected by KVM"},
    {"insn_emulation", "instructions KVM emulated"},
    {"insn_emulation_fail", "instructions KVM could not emulate"},
    {"halt_exits", "exits for HLT"},
};

const char *kvm_stat_what(const char *name)
{
	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (strcmp(name, known[i].name) == 0)
			return known[i].what;
	return "a statistic of KVM's own, under KVM's name";
}
