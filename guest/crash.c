/* SPDX-License-Identifier: MIT */
/* Goes wrong on request (SYS_CRASH), in every way that a hypervisor must survive. */
#include "kernel.h"

/* The handler of #UD raises #UD: no progress, no exit. */
static void exception_loop(void)
{
	static uint64_t idt[2 * (VEC_UD + 1)];
	static struct {
		uint16_t limit;
		uint64_t base;
	} __attribute__((packed)) pointer = {sizeof(idt) - 1, (uint64_t)idt};
	uint64_t handler;

	__asm__ volatile("lea 1f(%%rip), %0" : "=r"(handler));
	idt[2 * VEC_UD] = (handler & 0xffff) | KERNEL_CS << 16 | 0x8eull << 40 | (handler >> 16 & 0xffff) << 48;
	idt[2 * VEC_UD + 1] = handler >> 32;
	__asm__ volatile("lidt %0\n"
	                 "	ud2\n"
	                 "1:	add $40, %%rsp\n" /* drop the exception's frame */
	                 "	ud2"
	                 :
	                 : "m"(pointer));
}

static int overflow(volatile int *p)
{
	volatile int deeper[64];

	deeper[0] = *p + 1;
	return deeper[0] ? overflow(deeper) + deeper[0] : 0; /* always deeper */
}

int64_t crash(uint64_t how)
{
	int zero = 0;

	switch (how) {
	case CRASH_PANIC:
		panic("asked for by SYS_CRASH", NULL);
	case CRASH_TRIPLE:
		__asm__ volatile("lidt (%0); ud2" : : "r"(empty_idt_pointer));
		return 0;
	case CRASH_LOOP:
		exception_loop();
		return 0;
	case CRASH_UNMAPPED: /* between the end of low RAM and the devices */
		return *(volatile int *)window(gpa_init(GNOMON_RAM_LOW_END));
	case CRASH_GAP: { /* fine on a CPU; KVM's emulator does not know it */
		uint64_t pair[2] __attribute__((aligned(16))) = {0};

		__asm__ volatile("lock cmpxchg16b %0" : "+m"(pair) : "a"(0), "b"(0), "c"(0), "d"(0));
		return 0;
	}
	case CRASH_HLT:
		__asm__ volatile("cli; hlt");
		return 0;
	case CRASH_OVERFLOW:
		return overflow(&zero);
	default:
		return -EINVAL;
	}
}
