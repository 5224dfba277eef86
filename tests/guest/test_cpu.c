/* SPDX-License-Identifier: MIT */
/*
 * The virtual CPU of shadow mode is one: events, flags, control and debug registers, and a program's exceptions are
 * what the manuals say, though guest kernel and programs run at the real CPL 3. The CPU of the emulated machine is the
 * judge, where these guests run in nested mode, too.
 */
#include <criterion/criterion.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../host_kind.h"
#include "shadow_run.h"

TestSuite(cpu, .init = need_kvm);

static struct run r;

/* Nested mode lacks what the guest needs on kvm_pvm, and where KVM keeps shadow tables: docs/hosts.md. */
static void good_and_nested_in_hardware(const char *behaviour)
{
	if (kvm_keeps_shadow_tables())
		shadow_good(behaviour, "1");
	else
		good_in_both_modes(behaviour, "1");
}

/*
 * An interrupt that waits is delivered behind STI's shadow, though nothing traps. QEMU's VMRUN forgets the shadow
 * (docs/hosts.md): in nested mode the guest fails there whenever its host interrupts it behind an STI, but not each time.
 */
Test(cpu, sti_shadow)
{
	const int tries = on_tcg() ? 10 : 1;

	for (int i = 0; i < tries && !kvm_keeps_shadow_tables(); i++) {
		run_gnomon(&r, "run", "--timeout", "60", guest_path("sti-shadow"));
		if (r.status == 0 || i == tries - 1)
			expect_status(&r, 0);
		if (r.status == 0)
			break;
	}
	shadow_good("sti-shadow", "1");
}

Test(cpu, flags_survive)
{
	good_and_nested_in_hardware("flags-survive");
}

/* TS, EM and MP: lazy switching mixes no two programs' registers. */
Test(cpu, fpu_control)
{
	good_and_nested_in_hardware("fpu-control");
}

/* QEMU's CPU raises no SIMD exception. */
Test(cpu, simd_exception)
{
	if (on_pvm())
		shadow_good("simd-exception", "1");
	else if (on_intel())
		good_in_both_modes("simd-exception", "1");
}

/*
 * Whether this machine's CPU, or what emulates it, knows #AC: with CR0.AM, which the kernel sets, a process gets
 * SIGBUS.
 */
static bool cpu_checks_alignment(void)
{
	const pid_t pid = fork();
	int status;

	if (pid == 0) {
		__asm__ volatile("push $0\n\tpush $0\n\tpushf\n\torl $0x40000, (%%rsp)\n\tpopf\n\t"
		                 "movl 1(%%rsp), %%eax\n\tpushf\n\tandl $~0x40000, (%%rsp)\n\tpopf\n\tadd $16, %%rsp"
		                 :
		                 :
		                 : "rax", "memory", "cc");
		_exit(0);
	}
	cr_assert(pid > 0 && waitpid(pid, &status, 0) == pid);
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS;
}

/* CR0.AM and RFLAGS.AC. */
Test(cpu, alignment)
{
	if (cpu_checks_alignment()) /* QEMU does not */
		good_and_nested_in_hardware("alignment");
}

/* TF from the first instruction on. Bochs does not forget the trap of an instruction that an EPT violation ended. */
Test(cpu, single_step)
{
	if (on_bochs())
		shadow_good("single-step", "1");
	else
		good_in_both_modes("single-step", "1");
}

/* On kvm_pvm of an AMD CPU RIP stays at it. QEMU's CPU stops for its debugger in nested mode. */
Test(cpu, int1)
{
	shadow_good("int1", "1");
}

/* QEMU looks at the privilege first, at the real CPL 3. */
Test(cpu, fetch_before_privilege)
{
	good_and_nested_in_hardware("fetch-before-privilege");
}

Test(cpu, undefined_registers)
{
	good_and_nested_in_hardware("undefined-registers");
}

Test(cpu, debug_registers)
{
	good_and_nested_in_hardware("debug-registers");
	shadow_good("debug-registers-detect", "1"); /* the emulated CPU does not know it */
}

/* kvm_pvm's emulator pushes a frame as a whole. */
Test(cpu, delivery_faults)
{
	if (kvm_keeps_shadow_tables())
		shadow_good("delivery-faults", "1");
	else
		good_in_both_modes("delivery-faults", "1");
}

/* On kvm_pvm it is KVM's emulator that executes the kernel's. */
Test(cpu, null_selector)
{
	good_and_nested_in_hardware("null-selector");
}

/* What the VMM executes for one CPU is atomic to another. QEMU dies of breakpoints on two CPUs in nested mode. */
Test(cpu, locked_while_supervised)
{
	shadow_good("locked-while-supervised", "2");
}

Test(cpu, offered_features)
{
	good_and_nested_in_hardware("offered-features");
}

/* docs/hosts.md: CS and SS as read are those of the paging mode. */
Test(cpu, selectors_as_read)
{
	run_gnomon(&r, "run", "--timeout", "60", guest_path("selectors-as-read"));
	expect_status(&r, 0);
	shadow_good(on_pvm() ? "selectors-as-read-pvm" : "selectors-as-read-stub", "1");
}

/* A program ends no VM. */
Test(cpu, program_exceptions)
{
	if (on_pvm())
		shadow_good("program-exceptions-pvm", "1");
	else
		good_and_nested_in_hardware(on_intel() ? "program-exceptions-cpu" : "program-exceptions-qemu");
}

/* Nor does it where its kernel mapped what is no memory. */
Test(cpu, program_nowhere)
{
	good_and_nested_in_hardware("program-nowhere");
}

/* KVM leaves the guest for it on SVM. */
Test(cpu, cr8_lowered)
{
	good_in_both_modes("cr8-lowered", "1");
}

Test(cpu, store_to_table)
{
	good_and_nested_in_hardware("store-to-table");
}

Test(cpu, smap_runs_user_code)
{
	good_and_nested_in_hardware("smap-runs-user-code");
}

/* kvm_pvm reports #PF where a program's fetch is not canonical. */
Test(cpu, end_of_lower_half)
{
	good_and_nested_in_hardware("end-of-lower-half");
}

/* SYSCALL cannot be switched off at CPL 3 of kvm_pvm: docs/shadow.md. */
Test(cpu, system_calls)
{
	good_and_nested_in_hardware("system-calls");
	if (!on_pvm())
		good_and_nested_in_hardware("system-calls-off");
}

/* More address spaces than a small pool has roots for. */
Test(cpu, many_roots)
{
	run_gnomon(&r, "run", "--timeout", "60", guest_path("many-roots"));
	expect_status(&r, 0);
	for (size_t i = 0; i < nr_shadow_opts(); i++) {
		run_gnomon(&r, "run", "--paging", "shadow", "--shadow-opt", shadow_opts[i], "--shadow-memory", "2M",
		           "--timeout", "60", guest_path("many-roots"));
		expect_status(&r, 0);
	}
}
