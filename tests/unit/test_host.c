/* SPDX-License-Identifier: MIT */
/*
 * Host detection on made-up hosts: a folder stands for /sys, /proc and /dev. Protects above all the
 * label that goes into every result: a wrong one makes a measurement mean something else.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/host_parts.h"
#include "made_up_host.h"

TestSuite(host, .init = make_host, .fini = drop_host);

#define NOBODY 65534

/* ept is said when, and only when, kvm_intel's parameter says Y. */
Test(host, intel_ept_on)
{
	struct host_info info;

	put("sys/module/kvm_intel/parameters/ept", "Y\n");
	info = detect();
	cr_expect_str_eq(host_second_stage_label(&info), "ept");
	cr_expect_not_null(strstr(info.second_stage_source, "kvm_intel/parameters/ept says \"Y\""));
	cr_expect_str_eq(host_module_name(info.module), "kvm_intel");
}

/* A host with the hardware but ept=0 shadows in software: a 2-D label would be false. */
Test(host, intel_ept_off)
{
	put("sys/module/kvm_intel/parameters/ept", "N\n");
	expect_label("software (ept=0)");
}

/* npt was an int before it was a bool: both spellings of yes and no. */
Test(host, amd_npt_spellings)
{
	put("sys/module/kvm_amd/parameters/npt", "1\n");
	expect_label("npt");
	put("sys/module/kvm_amd/parameters/npt", "Y\n");
	expect_label("npt");
	put("sys/module/kvm_amd/parameters/npt", "0\n");
	expect_label("software (npt=0)");
	put("sys/module/kvm_amd/parameters/npt", "N\n");
	expect_label("software (npt=0)");
}

/* kvm_pvm has no second stage, whatever parameters lie about. */
Test(host, pvm)
{
	put("sys/module/kvm_pvm/parameters/npt", "Y\n");
	expect_label("software (kvm_pvm)");
}

/* A parameter that is empty, odd or unreadable gives neither ept nor npt, and says what it saw. */
Test(host, garbage_parameter_is_unknown)
{
	static const char *const garbage[] = {
	    "", "\n", "2", "YY", "y e s", "\xff\x01", "N Y", "1 0", "Yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy"};
	struct host_info info;

	for (size_t i = 0; i < sizeof(garbage) / sizeof(*garbage); i++) {
		put("sys/module/kvm_intel/parameters/ept", garbage[i]);
		expect_label("unknown");
	}
	info = detect();
	expect_mend(&info, "second stage is unknown", false, "mount -t sysfs");
}

/* The folder without the parameter (another kernel, a masked sysfs) is not enough to say ept. */
Test(host, module_without_parameter_is_unknown)
{
	put("sys/module/kvm_intel/srcversion", "0\n");
	expect_label("unknown");
}

/* No vendor module in sysfs, but a device: unknown, not none. */
Test(host, device_without_module_is_unknown)
{
	expect_label("unknown");
}

/* A built-in module that refused to start leaves its folder: the one whose CPU this is counts. */
Test(host, built_in_modules_are_told_apart_by_the_cpu)
{
	put("sys/module/kvm_intel/parameters/ept", "Y\n");
	put("sys/module/kvm_amd/parameters/npt", "N\n");
	put_cpu("nx svm");
	expect_label("software (npt=0)");
	put_cpu("nx vmx");
	expect_label("ept");
	put_cpu("nx");
	expect_label("unknown");
}

/* Only one vendor module can be live: it wins over a built-in one that fits the CPU but did not start. */
Test(host, live_module_wins)
{
	put("sys/module/kvm_amd/parameters/npt", "Y\n");
	put("sys/module/kvm_pvm/initstate", "live\n");
	put_cpu("nx svm");
	expect_label("software (kvm_pvm)");
}

/* Without the device the parameter does not matter: nothing can be run. The words name the right module. */
Test(host, no_device)
{
	struct host_info info;

	put("sys/module/kvm_intel/parameters/ept", "Y\n");
	unlink(kvm_path);
	info = detect();
	cr_expect_str_eq(host_second_stage_label(&info), "none (no /dev/kvm)");
	cr_expect_eq(info.kvm, HOST_KVM_ABSENT);
	cr_expect_eq(info.kvm_error, ENOENT);
	cr_expect_not(host_ready(&info));
	expect_mend(&info, kvm_path, true, "GNOMON_KVM_DEVICE");
}

/* A device that is not for this user: denied, the label stays true, and the words name the permission. */
Test(host, permission_denied)
{
	struct host_info info;

	put("sys/module/kvm_amd/parameters/npt", "Y\n");
	chmod(kvm_path, 0);
	if (geteuid() == 0)
		cr_assert_eq(seteuid(NOBODY), 0); /* root opens everything */
	info = detect();
	if (getuid() == 0)
		cr_assert_eq(seteuid(0), 0);
	cr_expect_eq(info.kvm, HOST_KVM_DENIED);
	cr_expect_eq(info.kvm_error, EACCES);
	cr_expect_str_eq(host_second_stage_label(&info), "npt");
	cr_expect_not(host_ready(&info));
	expect_mend(&info, "permission", true, "chmod 660");
	expect_mend(&info, "permission", true, "usermod -aG kvm $USER");
}

/* A path that opens and is not KVM is told apart from one that is missing. */
Test(host, foreign_device)
{
	const struct host_info info = detect();

	cr_expect_eq(info.kvm, HOST_KVM_FOREIGN);
	cr_expect_eq(info.api_version, 0);
	cr_expect_not(host_ready(&info));
	expect_mend(&info, "is not KVM", true, "GNOMON_KVM_DEVICE");
}

/* Flags are whole words: `nx` in `nxx`, `svm` in `svm_lock` or `smep` at the line's end are classic slips. */
Test(host, cpu_flags_are_whole_words)
{
	struct host_info info;

	put("proc/cpuinfo", "model name\t: Sundial 9000\nflags\t\t: nxx svm_lock xvmx la57 smap\nbugs\t\t: umip\n");
	put("sys/devices/system/cpu/online", "0-3,8,10-11\n");
	info = detect();
	cr_expect_str_eq(info.cpu_model, "Sundial 9000");
	cr_expect_eq(info.cpus, 7);
	cr_expect_eq(info.cpu_features, 1u << HOST_CPU_LA57 | 1u << HOST_CPU_SMAP);
	expect_mend(&info, "no NX", true, "execute disable");
}

/* A CPU list that is no list yields 0 CPUs, not a crash, a loop or a huge number. */
Test(host, garbage_cpu_list)
{
	static const char *const garbage[] = {"", "x", "-1", "3-1", "0-", "0,,1", "0-1x", "0-99999999999999999999"};

	for (size_t i = 0; i < sizeof(garbage) / sizeof(*garbage); i++) {
		put("sys/devices/system/cpu/online", garbage[i]);
		cr_expect_eq(detect().cpus, 0, "'%s'", garbage[i]);
	}
}

/* Memory in bytes, the bracketed THP word, the pools' counts; THP off and an empty pool get their command. */
Test(host, memory_and_huge_pages)
{
	struct host_info info;

	put("proc/meminfo", "MemTotal:       2048 kB\nMemFree: 1 kB\nMemAvailable:   1024 kB\n");
	put("sys/kernel/mm/transparent_hugepage/enabled", "always madvise [never]\n");
	put("sys/kernel/mm/transparent_hugepage/shmem_enabled", "always within_size [advise] never deny force\n");
	put("sys/kernel/mm/transparent_hugepage/defrag", "always defer madvise never\n");
	put("sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages", "3\n");
	put("sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", "0\n");
	info = detect();
	expect_mend(&info, "the kernel offers no 1 GiB huge pages: `--backing hugetlb1g`", false, "pdpe1gb");
	put("sys/kernel/mm/hugepages/hugepages-1048576kB/nr_hugepages", "1\n");
	put("sys/kernel/mm/hugepages/hugepages-1048576kB/free_hugepages", "0\n");
	info = detect();
	cr_expect_eq(info.memory_total, 2048u << 10);
	cr_expect_eq(info.memory_available, 1024u << 10);
	cr_expect_str_eq(info.thp_enabled, "never");
	cr_expect_str_eq(info.thp_shmem, "advise");
	cr_expect_str_eq(info.thp_defrag, "", "no word is chosen");
	cr_expect(info.hugetlb_2m.offered);
	cr_expect_eq(info.hugetlb_2m.total, 3);
	cr_expect(info.hugetlb_1g.offered);
	cr_expect_eq(info.hugetlb_1g.total, 1);
	expect_mend(&info, "transparent huge pages are off", false, "echo madvise | sudo tee /sys");
	expect_mend(&info, "no free 2 MiB huge page", false, "echo 67 ");
	expect_mend(&info, "no free 1 GiB huge page", false,
	            "echo 2 | sudo tee /sys/kernel/mm/hugepages/hugepages-1048576kB");
}

/* What is available is the least that a cgroup leaves, the root's and those between; file pages do not count as used. */
Test(host, memory_that_cgroups_leave)
{
	struct host_info info;

	put("proc/meminfo", "MemTotal:  8192 kB\nMemAvailable:  4096 kB\n");
	put("proc/self/cgroup", "3:cpu,memory:/not/there\n0::/a/b\n");
	put("sys/fs/cgroup/a/b/memory.max", "max\n");
	put("sys/fs/cgroup/a/b/memory.current", "999999\n");
	info = detect();
	cr_expect_eq(info.memory_available, 4096u << 10, "no limit");
	cr_expect_not(info.memory_limited);
	put("sys/fs/cgroup/a/memory.max", "1000000\n");
	put("sys/fs/cgroup/a/memory.current", "700000\n");
	put("sys/fs/cgroup/a/memory.stat", "anon 600000\ninactive_file 100000\nactive_file 50000\n");
	info = detect();
	cr_expect_eq(info.memory_available, 450000);
	cr_expect(info.memory_limited);
	put("sys/fs/cgroup/memory/memory.limit_in_bytes", "400000\n");
	put("sys/fs/cgroup/memory/memory.usage_in_bytes", "390000\n");
	put("sys/fs/cgroup/memory/memory.stat", "cache 1\ninactive_file 7\ntotal_inactive_file 10000\n");
	cr_expect_eq(detect().memory_available, 20000, "version 1, and the mount's root alone is there");
	put("sys/fs/cgroup/memory/memory.usage_in_bytes", "500000\n");
	cr_expect_eq(detect().memory_available, 0);
}

/* Whatever the files hold, what is printed stays printable: terminals and JSON want that. */
Test(host, garbage_text_is_made_printable)
{
	struct host_info info;

	put("proc/cpuinfo", "model name\t: \xff\x1b[31mEvil\nflags\t\t: nx\n");
	put("sys/class/dmi/id/sys_vendor", "\x80Vendor\x7f\nmore\n");
	info = detect();
	cr_expect_str_eq(info.cpu_model, "??[31mEvil");
	cr_expect_str_eq(info.dmi_vendor, "?Vendor?");
}

/* Neither sysfs nor procfs: a report with holes, not a failure. */
Test(host, no_files_at_all)
{
	struct host_info info;

	strcpy(sys_root, "/nonexistent");
	strcpy(proc_root, "/nonexistent");
	info = detect();
	cr_expect_str_eq(info.cpu_model, "");
	cr_expect_eq(info.memory_total, 0);
	cr_expect_str_eq(host_second_stage_label(&info), "unknown");
	cr_expect_eq(find_missing(&info, "no NX"), -1, "a file that is not there says nothing about the CPU");
}

/* GNOMON_KVM_DEVICE is what everybody opens; a path without end is refused and nothing is written. */
Test(host, device_from_the_environment)
{
	struct host_info info = {.cpus = -1};
	char longest[400];

	setenv("GNOMON_KVM_DEVICE", "/nonexistent/kvm", 1);
	cr_assert_eq(host_detect(&info, NULL), 0);
	cr_expect_str_eq(info.kvm_path, "/nonexistent/kvm");
	cr_expect_str_eq(host_second_stage_label(&info), "none (no /dev/kvm)");
	memset(longest, 'k', sizeof(longest) - 1);
	longest[0] = '/';
	longest[sizeof(longest) - 1] = 0;
	setenv("GNOMON_KVM_DEVICE", longest, 1);
	info.cpus = -1;
	cr_expect_eq(host_detect(&info, NULL), -ENAMETOOLONG);
	cr_expect_eq(info.cpus, -1);
}
