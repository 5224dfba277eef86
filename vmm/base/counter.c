/* SPDX-License-Identifier: MIT */
#include "base/counter.h"

const struct counter_desc counter_desc[CTR_NR] = {
    [CTR_EXITS] = {"exits", "exits", "returns from KVM_RUN, for whatever reason"},
    [CTR_EXIT_IO] = {"exits_io", "exits", "KVM_EXIT_IO: port accesses (a string instruction counts once)"},
    [CTR_EXIT_MMIO] = {"exits_mmio", "exits", "KVM_EXIT_MMIO: accesses to memory without a slot"},
    [CTR_EXIT_HLT] = {"exits_hlt", "exits", "KVM_EXIT_HLT: the guest waits for an interrupt"},
    [CTR_EXIT_IRQ_WINDOW] = {"exits_irq_window", "exits",
                             "KVM_EXIT_IRQ_WINDOW_OPEN: the guest can take the interrupt that waits"},
    [CTR_EXIT_INTR] = {"exits_intr", "exits", "KVM_RUN interrupted by a signal or immediate_exit"},
    [CTR_EXIT_OTHER] = {"exits_other", "exits", "exits of any other kind"},
    [CTR_CONSOLE_BYTES] = {"console_bytes", "bytes", "bytes the guest sent to its serial console"},
    [CTR_PORT_UNCLAIMED] = {"port_unclaimed", "accesses",
                            "accesses to ports without a device: reads give all ones, writes go nowhere"},
    [CTR_INTERRUPTS_INJECTED] = {"interrupts_injected", "interrupts", "interrupts delivered to the guest"},
    [CTR_KICKS_RECEIVED] = {"kicks_received", "kicks", "KVM_RUN left because another thread had a request"},
    [CTR_REQUESTS] = {"requests", "requests", "requests of other threads that this vCPU served"},
    [CTR_TRAP_PF] = {"trap_pf", "traps", "shadow mode: page faults reported by the stub"},
    [CTR_TRAP_GP] = {"trap_gp", "traps", "shadow mode: general-protection faults, mostly privileged instructions"},
    [CTR_TRAP_UD] = {"trap_ud", "traps", "shadow mode: invalid-opcode faults"},
    [CTR_TRAP_SYSCALL] = {"trap_syscall", "traps", "shadow mode: SYSCALL instructions"},
    [CTR_TRAP_OTHER] = {"trap_other", "traps", "shadow mode: traps by any other vector"},
    [CTR_INSNS_EMULATED] = {"insns_emulated", "instructions", "shadow mode: instructions the VMM executed"},
    [CTR_EXCEPTIONS_INJECTED] = {"exceptions_injected", "exceptions",
                                 "shadow mode: exceptions delivered through the guest's IDT"},
    [CTR_SHADOW_FILLS] = {"shadow_fills", "entries", "shadow leaf entries filled on a fault"},
    [CTR_SHADOW_PREFETCHED] = {"shadow_prefetched", "entries", "shadow leaf entries filled beside a faulting one"},
    [CTR_SHADOW_PREFETCHED_WATCHED] =
        {"shadow_prefetched_watched", "entries",
         "one in 64 of the prefetched entries, of which it is found out whether they are used"},
    [CTR_SHADOW_PREFETCHED_USED] = {"shadow_prefetched_used", "entries",
                                    "watched entries that the CPU had used by the time they went or the run ended"},
    [CTR_SHADOW_AD_FAST] = {"shadow_ad_fast", "faults",
                            "faults that only lacked A or D and were answered by the short cut"},
    [CTR_SHADOW_PAGES_BUILT] = {"shadow_pages_built", "pages", "shadow table pages begun"},
    [CTR_SHADOW_PAGES_IN_USE] = {"shadow_pages_in_use", "pages",
                                 "shadow table pages that stand now: a level, not a count"},
    [CTR_SHADOW_EVICTIONS] = {"shadow_evictions", "pages", "oldest shadow table pages given up for newer ones"},
    [CTR_SHADOW_ROOTS_HIT] = {"shadow_roots_hit", "roots", "changes to another root that was in the cache"},
    [CTR_SHADOW_ROOTS_MISSED] = {"shadow_roots_missed", "roots", "changes to a root that had to be built"},
    [CTR_SHADOW_UNSYNCS] = {"shadow_unsyncs", "tables", "leaf tables made writable until the guest flushes"},
    [CTR_SHADOW_SYNCS] = {"shadow_syncs", "tables", "comparisons of a writable leaf table with its shadow"},
    [CTR_SHADOW_JOINS] = {"shadow_joins", "tables",
                          "4 KiB tables for part of a large guest page given up when the second stage collapsed there"},
    [CTR_SHADOW_PROMOTIONS] = {"shadow_promotions", "tables",
                               "full leaf tables of like pages shadowed by one 2 MiB entry"},
    [CTR_SHADOW_DEMOTIONS] = {"shadow_demotions", "tables", "those taken back because one of their entries changed"},
    [CTR_SHADOW_TABLE_WRITES] = {"shadow_table_writes", "writes", "emulated writes to write-protected guest tables"},
    [CTR_SHADOW_WRITE_PROTECTS] = {"shadow_write_protects", "entries",
                                   "writable mappings taken away because their frame became a table"},
    [CTR_SHADOW_STEPS] = {"shadow_steps", "instructions",
                          "instructions that the CPU ran alone because the emulator does not know them"},
    [CTR_SHADOW_FLOODS] = {"shadow_floods", "tables", "guest tables forgotten because they were written but not used"},
    [CTR_SHADOW_EDITS] = {"shadow_edits", "entries", "changes of live shadow entries queued for the stub"},
    [CTR_SHADOW_INVALIDATIONS] = {"shadow_invalidations", "flushes",
                                  "reloads of the real CR3 by the stub to flush the TLB"},
    [CTR_SHADOW_DROPS] = {"shadow_drops", "drops", "times the whole shadow was forgotten"},
    [CTR_SHADOW_RECYCLES] = {"shadow_recycles", "recycles", "times the pool of table frames was made fresh again"},
    [CTR_SHADOW_SHOOTDOWNS] = {"shadow_shootdowns", "shootdowns", "times the other vCPUs were taken out of the guest"},
    [CTR_SHADOW_AUDITS] = {"shadow_audits", "audits", "recompositions of the whole shadow that found no difference"},
    [CTR_VIRTIO_NOTIFIES] = {"virtio_notifies", "notifications", "times a driver said that a queue has requests"},
    [CTR_VIRTIO_REFUSED] = {"virtio_refused", "accesses",
                            "accesses to virtio registers that meant nothing: wrong width, offset, direction or queue"},
    [CTR_BALLOON_INFLATED] = {"balloon_inflated", "pages", "4 KiB pages that the guest gave to the balloon"},
    [CTR_BALLOON_DEFLATED] = {"balloon_deflated", "pages", "4 KiB pages that it got back"},
    [CTR_BALLOON_REPORTED] = {"balloon_reported", "pages", "4 KiB pages that it reported free"},
    [CTR_BALLOON_RUNS] = {"balloon_runs", "runs", "runs of consecutive pages that these came and went in"},
    [CTR_STAGE2_SPLITS] = {"stage2_splits", "splits", "2 MiB pages of the second stage split for a slice of them"},
    [CTR_STAGE2_KEPT] = {"stage2_kept", "pages", "4 KiB pages that stayed mapped in these"},
    [CTR_STAGE2_REMOVED] = {"stage2_removed", "pages", "4 KiB pages taken away from the guest"},
    [CTR_STAGE2_RELEASED] = {"stage2_released", "pages", "4 KiB pages given back to it"},
    [CTR_STAGE2_COLLAPSES] = {"stage2_collapses", "collapses", "2 MiB pages joined again"},
    [CTR_STAGE2_SHOOTDOWNS] = {"stage2_shootdowns", "shootdowns", "changes of the second stage told to all vCPUs"},
    [CTR_STAGE2_ACKS] = {"stage2_acks", "acknowledgements", "vCPUs that left the guest for these"},
    [CTR_STAGE2_SURRENDERED] = {"stage2_surrendered", "bytes", "guest memory that the host took back"},
    [CTR_STAGE2_VIOLATIONS] = {"stage2_violations", "accesses", "accesses of the guest to memory taken from it"},
};

static const bool is_shadow_event[CTR_NR] = {
    [CTR_SHADOW_FILLS] = true,        [CTR_SHADOW_AD_FAST] = true,        [CTR_SHADOW_PAGES_BUILT] = true,
    [CTR_SHADOW_EVICTIONS] = true,    [CTR_SHADOW_UNSYNCS] = true,        [CTR_SHADOW_SYNCS] = true,
    [CTR_SHADOW_JOINS] = true,        [CTR_SHADOW_PROMOTIONS] = true,     [CTR_SHADOW_DEMOTIONS] = true,
    [CTR_SHADOW_TABLE_WRITES] = true, [CTR_SHADOW_WRITE_PROTECTS] = true, [CTR_SHADOW_STEPS] = true,
    [CTR_SHADOW_FLOODS] = true,       [CTR_SHADOW_INVALIDATIONS] = true,  [CTR_SHADOW_DROPS] = true,
    [CTR_SHADOW_SHOOTDOWNS] = true,
};

bool counter_is_shadow_event(enum counter c)
{
	return is_shadow_event[c];
}

uint64_t counter_shadow_events(const struct counters *set)
{
	uint64_t n = 0;

	for (int c = 0; c < CTR_NR; c++)
		if (is_shadow_event[c])
			n += counter_read(set, c);
	return n;
}
