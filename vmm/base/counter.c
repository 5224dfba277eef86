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
};
