/* SPDX-License-Identifier: MIT */
/* One tiny guest a behaviour; its directory's name is the specification, its first line says the rest. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "../host_kind.h"
#include "run_gnomon.h"

static struct run r;

TestSuite(guest, .init = need_kvm);

/* The guest checks what it sees by itself and ends with 0. */
static void good(const char *behaviour, const char *cpus, const char *memory)
{
	run_gnomon(&r, "run", "--cpus", cpus, "--memory", memory, guest_path(behaviour));
	expect_status(&r, 0);
}

static void killed(const char *behaviour, const char *cpus, const char *words)
{
	run_gnomon(&r, "run", "--cpus", cpus, guest_path(behaviour));
	expect_killed(&r, words);
}

Test(guest, console_string)
{
	static const char text[] = "a line by rep outsb\n\0\xff\n";

	good("console-string", "1", "64M");
	cr_assert_eq(r.out_len, sizeof(text) - 1);
	cr_assert_arr_eq(r.out, text, sizeof(text) - 1);
}

Test(guest, console_bytes)
{
	good("console-bytes", "1", "64M");
	cr_assert_str_eq(r.out, "byte by byte\n");
}

/* 0-125 are the guest's own statuses and come out as they are. */
Test(guest, exit_status)
{
	static const int good_status[] = {0, 1, 7, 125};

	for (size_t i = 0; i < sizeof(good_status) / sizeof(*good_status); i++) {
		char name[32];

		snprintf(name, sizeof(name), "exit-status-%d", good_status[i]);
		run_gnomon(&r, "run", guest_path(name));
		expect_status(&r, good_status[i]);
	}
}

Test(guest, exit_status_low_byte)
{
	run_gnomon(&r, "run", guest_path("exit-status-low-byte"));
	expect_status(&r, 7);
}

/* 126 and up would be mistaken for the VMM's own, or a shell's. */
Test(guest, exit_status_above_125)
{
	killed("exit-status-126", "1", "exit status 126 is not in 0-125");
	killed("exit-status-255", "1", "exit status 255 is not in 0-125");
}

Test(guest, triple_fault)
{
	killed("triple-fault", "1", "triple fault");
}

/* No exit ever happens in such a guest: the time limit must reach it. */
Test(guest, exception_loop)
{
	static const char *const seconds[] = {"1", "5", "25"};

	for (size_t i = 0; i < 3 && !*r.out;
	     i++) /* more where the host is too busy for a guest to begin in that time */
		run_gnomon(&r, "run", "--timeout", seconds[i], guest_path("exception-loop"));
	cr_assert_str_eq(r.out, "looping\n");
	expect_killed(&r, "it has not ended within ");
}

Test(guest, unmapped_read)
{
	killed("unmapped-read", "1", "read 4 bytes at guest physical 0x8000000");
}

Test(guest, unmapped_write)
{
	killed("unmapped-write", "1", "wrote 8 bytes at guest physical 0x8000008");
}

Test(guest, unmapped_execute)
{
	run_gnomon(&r, "run", "--timeout", "60", guest_path("unmapped-execute"));
	expect_killed(&r, "");
	cr_assert_null(strstr(r.err, "has not ended"), "only the time limit ended it");
}

/* What a host can do differs, and the guest is told so: killed where KVM emulates CPL 0, good where a CPU runs it. */
Test(guest, emulator_gap)
{
	if (on_pvm()) {
		killed("emulator-gap", "1", "KVM on this host cannot emulate the instruction at RIP");
		cr_assert(strstr(r.err, "bytes at RIP: f0 48 0f c7") || strstr(r.err, "bytes at RIP: 48 0f c7") ||
		              strstr(r.err, "bytes at RIP: f0 0f c7") || strstr(r.err, "bytes at RIP: 48 f0 0f c7"),
		          "not the bytes of lock cmpxchg16b: %s", r.err);
	} else {
		good("emulator-gap", "1", "64M");
	}
}

/* With one CPU, and with others that were never started. */
Test(guest, halt_interrupts_off)
{
	killed("halt-interrupts-off", "1", "halted with interrupts off");
	killed("halt-interrupts-off", "4", "halted with interrupts off");
}

Test(guest, boot_state)
{
	good("boot-state", "1", "1G");
}

/* Each backing is the same memory to a guest. */
Test(guest, boot_state_on_huge_pages)
{
	run_gnomon(&r, "run", "--backing", "thp", "--memory", "1G", guest_path("boot-state"));
	expect_status(&r, 0);
}

Test(guest, boot_tables_end)
{
	good("boot-tables-end", "1", "2G");
}

Test(guest, unclaimed_port)
{
	good("unclaimed-port", "1", "64M");
}

Test(guest, nop_port)
{
	good("nop-port", "1", "64M");
}

Test(guest, cpu_start)
{
	good("cpu-start", "2", "64M");
	good("cpu-start", "4", "64M");
}

Test(guest, cpu_start_waits)
{
	good("cpu-start-waits", "4", "64M");
}

Test(guest, cpu_start_twice)
{
	killed("cpu-start-twice", "2", "started CPU 1 twice");
}

Test(guest, cpu_start_self)
{
	killed("cpu-start-self", "1", "started CPU 0 twice");
}

Test(guest, cpu_start_outside_memory)
{
	killed("cpu-start-outside-memory", "2", "request lies outside memory, at 0x3ffffd9");
}

Test(guest, cpu_start_bad_number)
{
	killed("cpu-start-bad-number", "2", "CPU 2 (of 2)");
}

Test(guest, cpu_start_bad_version)
{
	killed("cpu-start-bad-version", "2", "version 2 (of 1)");
}

Test(guest, walks)
{
	good("walks", "1", "64M");
	run_gnomon(&r, "run", "--paging", "shadow", guest_path("walks-shadow"));
	expect_status(&r, 0);
}

Test(guest, walks_bad_request)
{
	killed("walks-bad-version", "1", "version 2 (of 1)");
	killed("walks-not-aligned", "1", "is not aligned to 64 bytes");
	killed("walks-outside-memory", "1", "lies outside memory");
	killed("walks-too-many", "1", "0xfffffffffffff000 bytes from 0x1000");
}

Test(guest, enclave_walks_bad_request)
{
	good("enclave-walks-off", "1", "64M");
	killed("enclave-walks-bad-version", "1", "names another version than 1");
	killed("enclave-walks-not-aligned", "1", "is not aligned to 128 bytes");
	killed("enclave-walks-outside-memory", "1", "lies outside memory");
}

Test(guest, cpu_start_bad_cr3)
{
	killed("cpu-start-bad-cr3", "2", "");
}

Test(guest, exit_by_other_cpu)
{
	run_gnomon(&r, "run", "--cpus", "2", guest_path("exit-by-other-cpu"));
	expect_status(&r, 5);
}

/* Two mistakes at once are still one sentence: expect_killed counts. */
Test(guest, faults_on_two_cpus)
{
	for (int i = 0; i < 10; i++)
		killed("faults-on-two-cpus", "2", "read 4 bytes at guest physical 0x8000000");
}

Test(guest, ipi_to_halted)
{
	good("ipi-to-halted", "2", "64M");
}

Test(guest, ipi_to_spinning)
{
	good("ipi-to-spinning", "2", "64M");
}

Test(guest, ipi_ends_each_halt)
{
	good("ipi-ends-each-halt", "2", "64M");
}

Test(guest, ipi_held_while_off)
{
	good("ipi-held-while-off", "1", "64M");
}

Test(guest, ipi_to_halted_interrupts_off)
{
	good("ipi-to-halted-interrupts-off", "2", "64M");
}

Test(guest, ipi_bad_vector)
{
	killed("ipi-bad-vector", "1", "interrupt 31 to CPU 0");
}

Test(guest, ipi_bad_cpu)
{
	killed("ipi-bad-cpu", "1", "interrupt 64 to CPU 1");
}
