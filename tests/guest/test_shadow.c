/* SPDX-License-Identifier: MIT */
/*
 * Shadow paging by tiny guests: the behaviours that nested mode has, and what a guest may do wrong to the tables
 * that the VMM reads. Tables that change while they are in use: test_shadow_tables.c. What is counted:
 * test_shadow_counters.c. The guest kernel's own tests: test_kernel.c.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shadow_run.h"

static struct run r;

TestSuite(shadow, .init = need_kvm);

/* Tables that do what they may. */

Test(shadow, self_map)
{
	good_in_both_modes("shadow-self-map", "1");
}

Test(shadow, table_maps_itself)
{
	good_in_both_modes("shadow-table-maps-itself", "1");
}

/* Nested mode has no 1 GiB pages on every host that says so in CPUID: host-dependent there. */
Test(shadow, large_pages)
{
	shadow_good("shadow-large-pages", "1");
}

Test(shadow, write_protect)
{
	good_in_both_modes("shadow-write-protect", "1");
}

Test(shadow, nx)
{
	good_in_both_modes("shadow-nx", "1");
}

/* CPUs differ, and so do emulated ones with and without nested paging. A guest whose mode changes must not see that. */
Test(shadow, global_at_the_top_is_what_nested_mode_makes_of_it)
{
	int nested;

	run_gnomon(&r, "run", "--timeout", "60", guest_path("shadow-global-at-top"));
	nested = r.status;
	cr_assert(nested == 100 || nested == 101, "status %d: %s", nested, r.err);
	for (size_t i = 0; i < nr_shadow_opts(); i++) {
		shadow_run(&r, shadow_opts[i], "shadow-global-at-top", "1");
		expect_status(&r, nested);
	}
}

Test(shadow, smep_smap)
{
	shadow_good("shadow-smep-smap", "1");
}

/* Where KVM emulates CPL 0, nested mode has no SYSCALL. */
Test(shadow, syscall)
{
	shadow_good("shadow-syscall", "1");
}

/*
 * What of a run's memory was advised to be (proc(5), VmFlags "hg") or not to be ("nh") huge pages, and is. The rest of
 * the process may lie on huge pages or not: a host that gives them to who did not ask goes by the addresses alone.
 */
struct advised {
	long never_kib, huge_kib; /* mapped and never huge; advised, and huge now */
};

static struct advised sum_advised(FILE *maps)
{
	struct advised sum = {0};
	long size = 0, huge = 0;
	char line[256];

	while (fgets(line, sizeof(line), maps)) {
		(void)sscanf(line, "Size: %ld", &size);
		(void)sscanf(line, "AnonHugePages: %ld", &huge);
		if (strncmp(line, "VmFlags:", 8) != 0)
			continue;
		sum.never_kib += strstr(line, " nh") ? size : 0;
		sum.huge_kib += strstr(line, " hg") ? huge : 0;
	}
	return sum;
}

static struct advised run_idle(const char *mode, const char *backing)
{
	struct advised sum = {0};
	char name[64], kernel[4096];
	FILE *f;

	strcpy(kernel, build_path("guest/kernel.elf"));
	run_start(&r, (const char *const[]){"run", "--paging", mode, "--backing", backing, "--timeout", "60", kernel,
	                                    "--", "idle", NULL});
	run_until(&r, "serving the balloon");
	snprintf(name, sizeof(name), "/proc/%d/smaps", (int)r.pid);
	f = fopen(name, "re");
	if (f) {
		sum = sum_advised(f);
		fclose(f);
	}
	run_abandon(&r);
	return sum;
}

/* Where the guest lies on large pages, what the CPU walks instead of its tables does so, too; and nowhere else. */
Test(shadow, tables_on_large_pages)
{
	const struct advised guest_4k = run_idle("nested", "4k"), guest_thp = run_idle("nested", "thp");

	if (guest_thp.huge_kib <= 0 || guest_4k.never_kib <= 0)
		cr_skip_test("the host gives no transparent huge pages, or does not tell");
	cr_assert_geq(run_idle("shadow", "4k").never_kib,
	              guest_4k.never_kib + (32 << 10)); /* --shadow-memory's default */
	cr_assert_geq(run_idle("shadow", "thp").huge_kib, guest_thp.huge_kib + 2048);
}

/*
 * What a device writes into a table is no other than what a CPU writes there. Not in nested mode on every host: a KVM
 * that shadows in software does not see what the VMM stores.
 */
Test(shadow, device_writes_table)
{
	shadow_good("shadow-device-writes-table-1-cpu", "1");
	shadow_good("shadow-device-writes-table-2-cpus", "2");
}

/* Nor is what becomes of a table that the guest said was free. */
Test(shadow, table_reported_free)
{
	static const struct {
		const char *cpus, *behaviour;
	} with[] = {{"1", "shadow-table-reported-free-1-cpu"}, {"2", "shadow-table-reported-free-2-cpus"}};

	for (int i = 0; i < 2; i++) {
		for (size_t j = 0; j < nr_shadow_opts(); j++) {
			run_gnomon(&r, "run", "--paging", "shadow", "--shadow-opt", shadow_opts[j], "--audit",
			           "--timeout", "60", "--balloon", "free-page-reporting", "--cpus", with[i].cpus,
			           guest_path(with[i].behaviour));
			expect_status(&r, 0);
		}
	}
}

/* Bad input. */

Test(shadow, reserved_bits)
{
	good_and_nested_on_pvm("shadow-reserved-bits");
}

/* Nested mode differs by host: a CPU's own emulation may forget the P bit of this error code. */
Test(shadow, nx_reserved)
{
	shadow_good("shadow-nx-reserved", "1");
}

Test(shadow, non_canonical)
{
	good_and_nested_on_pvm("shadow-non-canonical");
}

Test(shadow, table_outside_memory)
{
	shadow_killed("shadow-table-outside-memory", "1", "a guest table outside memory, at 0x8000200000");
	shadow_killed("shadow-table-outside-hole", "1", "a guest table outside memory, at 0x8000200000");
	shadow_killed("shadow-table-outside-everything", "1", "a guest table outside memory, at 0x8000200000");
}

Test(shadow, cr3_outside_memory)
{
	shadow_killed("shadow-cr3-outside-memory", "1", "CR3 leads outside memory");
}

/* An emulated write sets D in a large leaf whose shadow was made before: less write access, and no difference. */
Test(shadow, unclaimed_port)
{
	shadow_good("unclaimed-port", "1");
}

Test(shadow, idt_outside_memory)
{
	shadow_killed("shadow-idt-outside-memory", "1", "a descriptor table or stack lies outside the guest's memory");
}

Test(shadow, reserved_range)
{
	static const char words[] = "an access to the range reserved for the stub, at 0xfffffe";

	shadow_killed("shadow-reserved-range-read-mapped", "1", words);
	shadow_killed("shadow-reserved-range-write-mapped", "1", words);
	shadow_killed("shadow-reserved-range-execute-mapped", "1", words);
	good_in_both_modes("shadow-reserved-range-read", "1");
	good_in_both_modes("shadow-reserved-range-read-end", "1");
	good_in_both_modes("shadow-reserved-range-write", "1");
	good_in_both_modes("shadow-reserved-range-execute", "1");
}

/* The behaviours of nested mode, as far as they do not read CS and SS: at the real CPL 3 those are the host's. */

Test(shadow, console)
{
	for (size_t i = 0; i < nr_shadow_opts(); i++) {
		shadow_run(&r, shadow_opts[i], "console-bytes", "1");
		expect_status(&r, 0);
		cr_assert_str_eq(r.out, "byte by byte\n");
		shadow_run(&r, shadow_opts[i], "console-string", "1");
		expect_status(&r, 0);
		cr_assert(r.out_len > 20 && memcmp(r.out, "a line by rep outsb\n", 20) == 0, "%s", r.out);
	}
}

Test(shadow, exit_status)
{
	shadow_run(&r, "all", "exit-status-7", "1");
	expect_status(&r, 7);
	shadow_run(&r, "all", "exit-status-low-byte", "1");
	expect_status(&r, 7);
	shadow_run(&r, "all", "exit-by-other-cpu", "2");
	expect_status(&r, 5);
	shadow_killed("exit-status-126", "1", "exit status 126 is not in 0-125");
}

Test(shadow, unmapped)
{
	shadow_killed("unmapped-read", "1", "outside the guest's memory, to guest physical 0x8000000");
	shadow_killed("unmapped-write", "1", "outside the guest's memory, to guest physical 0x8000008");
	shadow_killed("unmapped-execute", "1", "the instruction at 0x8000000 leads outside the guest's memory");
	shadow_killed("faults-on-two-cpus", "2", "outside the guest's memory");
}

Test(shadow, triple_fault)
{
	shadow_killed("triple-fault", "1", "triple fault");
}

Test(shadow, halt_interrupts_off)
{
	shadow_killed("halt-interrupts-off", "4", "halted with interrupts off");
}

Test(shadow, exception_loop)
{
	run_gnomon(&r, "run", "--paging", "shadow", "--timeout", "1", guest_path("exception-loop"));
	expect_killed(&r, "it has not ended within 1 s");
}

/* The kernel's code is real code here: what KVM's emulator lacks is no gap of this mode. */
Test(shadow, no_emulator_gap)
{
	shadow_good("emulator-gap", "1");
}

/* One that only a kernel meets. */
Test(shadow, no_way_to_32_bit_code)
{
	shadow_killed("shadow-32-bit", "1", "cannot be emulated: a far branch");
}

Test(shadow, nop_port)
{
	shadow_good("nop-port", "1");
}

Test(shadow, cpu_start)
{
	shadow_good("cpu-start-waits", "4");
	shadow_killed("cpu-start-twice", "2", "started CPU 1 twice");
	shadow_killed("cpu-start-outside-memory", "2", "request lies outside memory");
	shadow_killed("cpu-start-bad-number", "2", "CPU 2 (of 2)");
	shadow_killed("cpu-start-bad-cr3", "2", "CR3");
}

Test(shadow, interrupts)
{
	shadow_good("ipi-held-while-off", "1");
	shadow_good("ipi-to-halted", "2");
	shadow_good("ipi-to-halted-interrupts-off", "2");
	shadow_good("ipi-to-spinning", "2");
	for (int i = 0; i < 3; i++)
		shadow_good("ipi-ends-each-halt",
		            "2"); /* lost one wake-up in four runs when STI's shadow was forgotten */
	shadow_killed("ipi-bad-vector", "1", "interrupt 31 to CPU 0");
	shadow_killed("ipi-bad-cpu", "1", "interrupt 64 to CPU 1");
}

/* Options. */

Test(shadow, wrong_options)
{
	static const char *const wrong[][2] = {
	    {"--shadow-opt", "fast"},    {"--shadow-opt", "none,fast"}, {"--shadow-memory", "0"},
	    {"--shadow-memory", "3M"},   {"--shadow-memory", "258M"},   {"--shadow-memory", "-2M"},
	    {"--shadow-memory", "many"}, {"--paging", "shadowy"},       {"--shadow-opt", ""},
	};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		run_gnomon(&r, "run", "--paging", "shadow", wrong[i][0], wrong[i][1], guest_path("exit-status-0"));
		expect_refusal(&r, 2, wrong[i][0]);
	}
}

Test(shadow, list_of_options)
{
	static const char *const names[] = {"root-cache", "emulate-update", "prefetch", "flood", "unsync",
	                                    "large",      "promote",        "ad-fast",  "lazy"};
	size_t lines = 0;

	run_gnomon(&r, "run", "--list-shadow-opts");
	expect_status(&r, 0);
	for (size_t i = 0; i < r.out_len; i++)
		lines += r.out[i] == '\n';
	cr_assert_eq(lines, sizeof(names) / sizeof(*names), "an option that this test does not know: %s", r.out);
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		cr_assert(strstr(r.out, names[i]), "%s is not in %s", names[i], r.out);
}
