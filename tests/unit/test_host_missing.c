/* SPDX-License-Identifier: MIT */
/* What a host lacks, and how to fix it. */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "cpu/zydis.h"
#include "host/host_parts.h"
#include "made_up_host.h"

/* How to fix a missing /dev/kvm depends on the CPU, the modules and where we run: each has its own command. */
Test(host, words_for_each_way_to_lack_kvm)
{
	static const struct {
		struct host_info info;
		const char *what, *mend;
	} cases[] = {
	    {{.kvm = HOST_KVM_ABSENT, .kvm_error = ENOENT, .cpu_features = 1 << HOST_CPU_SVM},
	     "no /dev/kvm (No such file",
	     "`sudo modprobe kvm_amd`"},
	    {{.kvm = HOST_KVM_ABSENT, .kvm_error = ENODEV, .cpu_features = 1 << HOST_CPU_VMX},
	     "no /dev/kvm (No such device",
	     "`sudo modprobe kvm_intel`"},
	    {{.kvm = HOST_KVM_ABSENT, .kvm_error = ENOENT, .module = HOST_MODULE_AMD}, "no /dev/kvm", "mknod"},
	    {{.kvm = HOST_KVM_ABSENT, .kvm_error = ENOENT, .in_vm = true}, "no /dev/kvm", "nested virtualisation"},
	    {{.kvm = HOST_KVM_ABSENT, .kvm_error = ENOENT}, "no /dev/kvm", "firmware setup"},
	    {{.kvm = HOST_KVM_DENIED, .kvm_error = EACCES, .kvm_mode = 0660, .kvm_gid = 106},
	     "permission: /dev/kvm",
	     "`sudo usermod -aG kvm $USER` and log in again"},
	    {{.kvm = HOST_KVM_DENIED, .kvm_error = EACCES, .kvm_mode = 0600}, "permission", "chmod 660 /dev/kvm"},
	    {{.kvm = HOST_KVM_BUSY, .kvm_error = EBUSY}, "something else holds it", "VirtualBox"},
	    {{.kvm = HOST_KVM_BROKEN, .kvm_error = EIO}, "makes no VM: Input/output error", "dmesg"},
	    {{.kvm = HOST_KVM_OK}, "KVM has no IMMEDIATE_EXIT", "Linux 5.10"},
	};
	const struct host_paths paths = {.sys = "/sys", .proc = "/proc", .kvm = "/dev/kvm"};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct host_info info = cases[i].info;

		strcpy(info.kvm_path, "/dev/kvm");
		host_list_missing(&info, &paths);
		expect_mend(&info, cases[i].what, true, cases[i].mend);
		cr_expect_not(host_ready(&info));
	}
}

/* What only shadow paging needs is listed with how to fix it, and keeps nobody from nested runs. */
Test(host, words_for_what_shadow_paging_lacks)
{
	const struct host_paths paths = {.sys = "/sys", .proc = "/proc", .kvm = "/dev/kvm"};
	struct host_info info = {.kvm = HOST_KVM_OK, .kvm_path = "/dev/kvm"};

	for (int i = 0; i < HOST_NR_CAPS; i++)
		info.cap[i] = strcmp(host_caps[i].name, "SYNC_REGS") != 0;
	host_list_missing(&info, &paths);
	expect_mend(&info, ZYDIS_LIBRARY, false, "apt-get install " ZYDIS_PACKAGE);
	expect_mend(&info, "KVM has no SYNC_REGS", false, "Linux 5.10");
	cr_expect(host_ready(&info));
	info.zydis = true;
	for (int i = 0; i < HOST_NR_CAPS; i++)
		info.cap[i] = 1;
	info.nr_missing = 0;
	host_list_missing(&info, &paths);
	cr_expect_eq(find_missing(&info, "shadow"), -1);
}
