/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <gnomon/walk_counter.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bochs.h"

#define PAGE 4096ul

static void (*mask_interrupts_anew)(void *cpu);
static void *(**cpu_array)[]; /* bx_cpu_array: one pointer a CPU */
static bool vmcs_touched[BOCHS_CPUS];
static bool (*save)(void *simulator, const char *to);
static void **simulator;
static bool running;

void bochs_die(const char *fmt, ...)
{
	va_list ap;

	fputs("ept-host: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	_exit(3);
}

void *bochs_symbol(const char *name)
{
	void *p = dlsym(RTLD_DEFAULT, name);

	if (!p)
		bochs_die("this Bochs has no symbol %s: it is neither 2.7 nor 3.0, which are known here", name);
	return p;
}

/*
 * The only display that needs nothing, RFB, listens on a port. Its socket is one that nobody can reach, and it waits
 * for its viewer for ever. Without a socket Bochs would end.
 */
int socket(int domain, int type, int protocol)
{
	(void)domain;
	(void)protocol;
	return syscall(SYS_socket, AF_UNIX, type, 0);
}

int bind(int fd, const struct sockaddr *to, socklen_t len)
{
	(void)fd;
	(void)to;
	(void)len;
	return 0;
}

int listen(int fd, int backlog)
{
	(void)fd;
	(void)backlog;
	return 0;
}

int accept(int fd, struct sockaddr *from, socklen_t *len)
{
	(void)fd;
	(void)from;
	(void)len;
	for (;;)
		pause();
}

/*
 * Bochs 2.7 forgets at a VM entry with IF = 0 that external interrupts shall exit: setEFlags() compares the flags with
 * themselves, and in_vmx_guest is set after it. A guest that spins with IF = 0 would stop the whole machine. So the
 * masks are made anew at the first table that is read after an access to the VMCS.
 */
static void mend_interrupt_mask(unsigned cpu, unsigned why)
{
	if (why == BOCHS_VMCS) {
		vmcs_touched[cpu] = true;
	} else if (vmcs_touched[cpu] && (why == BOCHS_EPT_PML4E || why == BOCHS_PML4E)) {
		vmcs_touched[cpu] = false;
		mask_interrupts_anew((**cpu_array)[cpu]);
	}
}

static void physical_access(unsigned cpu, uint64_t at, unsigned len, unsigned memtype, unsigned rw, unsigned why,
                            uint8_t *data)
{
	uint64_t value = 0;

	(void)at;
	(void)memtype;
	if (cpu >= BOCHS_CPUS)
		return;
	running = true;
	mend_interrupt_mask(cpu, why);
	if (why < BOCHS_PTE || why > BOCHS_EPT_PML4E)
		return;
	memcpy(&value, data, len < sizeof(value) ? len : sizeof(value));
	counter_table_access(cpu, why, rw & 1, value);
}

static void linear_access(unsigned cpu, uint64_t linear, uint64_t at, unsigned len, unsigned memtype, unsigned rw,
                          uint8_t *data)
{
	(void)len;
	(void)memtype;
	(void)rw;
	(void)data;
	if (cpu < BOCHS_CPUS)
		counter_translated(cpu, linear, at);
}

static void prefetch_hint(unsigned cpu, unsigned what, unsigned segment, uint64_t linear)
{
	(void)what;
	(void)segment;
	if (linear == WALK_MARK_SAVE)
		bochs_save();
	if (linear == EPT_MARK_PORTS)
		ports_begin();
	if (cpu < BOCHS_CPUS)
		counter_hint(cpu, linear);
}

static void exception(unsigned cpu, unsigned vector, unsigned error)
{
	(void)error;
	if (vector == 14 && cpu < BOCHS_CPUS)
		counter_refused(cpu);
}

static void vm_exit(unsigned cpu, unsigned reason, uint64_t qualification)
{
	(void)qualification;
	if (cpu < BOCHS_CPUS)
		counter_exit(cpu, reason);
}

/* A machine that resets itself has died. The other CPUs are reset one by one when they are brought up. */
static void reset(unsigned cpu, unsigned type)
{
	(void)type;
	if (cpu == 0 && running)
		bochs_die("the machine reset itself: its kernel panicked, or a CPU shut down");
}

void bochs_save(void)
{
	const char *to = getenv("EPT_SAVE");

	if (!to)
		bochs_die("the machine asks for its state to be saved, and nobody said where");
	if (!save(*simulator, to))
		bochs_die("Bochs could not save the machine's state to %s: is the disk full?", to);
	_exit(0);
}

/* mov $to, %rax; jmp *%rax, over the function's first bytes. All of those below are longer, or padded to 16. */
static void hook(const char *symbol, void *to)
{
	uint8_t code[12] = {0x48, 0xb8, [10] = 0xff, 0xe0};
	uint8_t *at = bochs_symbol(symbol);
	void *page = (void *)((uintptr_t)at & -PAGE);

	memcpy(code + 2, &to, sizeof(to));
	if (mprotect(page, 2 * PAGE, PROT_READ | PROT_WRITE | PROT_EXEC) < 0)
		bochs_die("cannot write over Bochs' %s: %s", symbol, strerror(errno));
	memcpy(at, code, sizeof(code));
	mprotect(page, 2 * PAGE, PROT_READ | PROT_EXEC);
}

static void say_loaded(void)
{
	const char *path = getenv("EPT_LOADED");

	if (path && creat(path, 0600) < 0)
		bochs_die("cannot make %s: %s", path, strerror(errno));
}

__attribute__((constructor)) static void begin(void)
{
	if (!strstr(program_invocation_name, "bochs-bin"))
		return; /* a program that starts it */
	mask_interrupts_anew = (void (*)(void *))bochs_symbol("_ZN8BX_CPU_C25handleInterruptMaskChangeEv");
	cpu_array = bochs_symbol("bx_cpu_array");
	save = (bool (*)(void *, const char *))bochs_symbol("_ZN13bx_real_sim_c10save_stateEPKc");
	simulator = bochs_symbol("SIM");
	ports_find();
	hook("_Z24bx_dbg_phy_memory_accessjmjjjjPh", physical_access);
	hook("_Z24bx_dbg_lin_memory_accessjmmjjjPh", linear_access);
	hook("_Z22bx_instr_prefetch_hintjjjm", prefetch_hint);
	hook("_Z18bx_instr_exceptionjjj", exception);
	hook("_Z15bx_instr_vmexitjjm", vm_exit);
	hook("_Z14bx_instr_resetjj", reset);
	say_loaded();
}
