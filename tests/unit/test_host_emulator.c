/* SPDX-License-Identifier: MIT */
/* Which machines are taken for emulated ones: their times pass for no CPU's then, and no other's are thrown away. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "host/host_parts.h"
#include "made_up_host.h"

TestSuite(host_emulator, .init = make_host, .fini = drop_host);

static void put_pci(const char *vendor, const char *device, const char *subsystem)
{
	put("sys/bus/pci/devices/0000:00:02.0/vendor", vendor);
	put("sys/bus/pci/devices/0000:00:02.0/device", device);
	put("sys/bus/pci/devices/0000:00:02.0/subsystem_vendor", subsystem);
}

static enum host_emulator emulator(bool in_vm, const char *hypervisor)
{
	struct host_info info = {.in_vm = in_vm};

	strcpy(info.hypervisor, hypervisor);
	host_find_emulator(&info, sys_root);
	return info.emulator;
}

/* Only the one signature, whole, is TCG's: KVM's must not pass for it. */
Test(host_emulator, qemu_is_told_by_its_signature)
{
	cr_expect_eq(emulator(true, "TCGTCGTCGTCG"), HOST_EMULATOR_QEMU);
	cr_expect_eq(emulator(true, "TCGTCGTCGTC"), HOST_EMULATOR_NONE);
	cr_expect_eq(emulator(true, "KVMKVMKVM"), HOST_EMULATOR_NONE);
	cr_expect_eq(emulator(false, ""), HOST_EMULATOR_NONE, "there is no PCI bus");
	cr_expect_str_eq(host_emulator_name(HOST_EMULATOR_QEMU), "QEMU (TCG)");
	cr_expect_null(host_emulator_name(HOST_EMULATOR_NONE));
}

/* Bochs has devices that QEMU has, too: the subsystem tells, and what cannot be read tells nothing. */
Test(host_emulator, bochs_is_told_by_its_devices)
{
	struct host_info with_bios = {.dmi_vendor = "Sundial"};
	char path[256];

	put("sys/bus/pci/devices/0000:00:00.0/vendor", "0x8086\n");
	put_pci("0x1234\n", "0x1111\n", "0x0000\n");
	cr_expect_eq(emulator(false, ""), HOST_EMULATOR_BOCHS);
	cr_expect_eq(emulator(true, "KVMKVMKVM"), HOST_EMULATOR_NONE, "Bochs names no hypervisor");
	host_find_emulator(&with_bios, sys_root);
	cr_expect_eq(with_bios.emulator, HOST_EMULATOR_NONE, "nor a vendor");
	put_pci("0x1234\n", "0x1111\n", "0x1af4\n");
	cr_expect_eq(emulator(false, ""), HOST_EMULATOR_NONE, "QEMU's own");
	put_pci("0x1234\n", "0x1110\n", "0x0000\n");
	cr_expect_eq(emulator(false, ""), HOST_EMULATOR_NONE);
	put_pci("0x8086\n", "0x1237\n", "0x0000\n");
	cr_expect_eq(emulator(false, ""), HOST_EMULATOR_BOCHS);
	put_pci("0x8086\n", "0x1237\n", "0x1af4\n");
	cr_expect_eq(emulator(false, ""), HOST_EMULATOR_NONE, "QEMU's own");
	put_pci("0x12345\n", "0x1111\n", "0x0000\n");
	cr_expect_eq(emulator(false, ""), HOST_EMULATOR_NONE);
	put("sys/bus/pci/devices/0000:00:02.0/device", "0x1111\n");
	snprintf(path, sizeof(path), "%s/bus/pci/devices/0000:00:02.0/subsystem_vendor", sys_root);
	cr_assert_eq(unlink(path), 0);
	cr_expect_eq(emulator(false, ""), HOST_EMULATOR_NONE);
	cr_expect_str_eq(host_emulator_name(HOST_EMULATOR_BOCHS), "Bochs");
}
