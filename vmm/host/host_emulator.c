/* SPDX-License-Identifier: MIT */
/* Whether a program plays this machine's CPU, whose times are then the program's own. */
#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "host/host_parts.h"

#define QEMU_SUBVENDOR "0x1af4" /* QEMU has the same devices; its own name stands in the subsystem's */

/* PCI devices of Bochs. No machine with a 64-bit CPU has this host bridge, of 1996, but in software. */
static const struct {
	const char *vendor, *device;
} bochs_devices[] = {
    {"0x8086", "0x1237"}, /* host bridge, 440FX */
    {"0x1234", "0x1111"}, /* display adapter, where it is on this bus */
};

/* Whether the file `name` of a PCI device below sysfs begins with that word. */
static bool says(const char *sys, const char *device, const char *name, const char *word)
{
	char path[NAME_MAX + 64], text[32];

	snprintf(path, sizeof(path), "bus/pci/devices/%s/%s", device, name);
	return host_read_file(sys, path, text, sizeof(text)) >= 0 && strcmp(text, word) == 0;
}

/* A file that cannot be read says nothing, for Bochs neither. */
static bool is_bochs_device(const char *sys, const char *device)
{
	char path[NAME_MAX + 64], text[32];
	bool found = false;

	for (size_t i = 0; !found && i < sizeof(bochs_devices) / sizeof(*bochs_devices); i++)
		found = says(sys, device, "vendor", bochs_devices[i].vendor) &&
		        says(sys, device, "device", bochs_devices[i].device);
	snprintf(path, sizeof(path), "bus/pci/devices/%s/subsystem_vendor", device);
	return found && host_read_file(sys, path, text, sizeof(text)) >= 0 && strcmp(text, QEMU_SUBVENDOR) != 0;
}

static bool has_bochs_device(const char *sys)
{
	char path[PATH_MAX];
	bool found = false;
	struct dirent *e;
	DIR *d;

	snprintf(path, sizeof(path), "%s/bus/pci/devices", sys);
	d = opendir(path);
	if (!d)
		return false;
	while (!found && (e = readdir(d)))
		found = *e->d_name != '.' && is_bochs_device(sys, e->d_name);
	closedir(d);
	return found;
}

static bool names_tcg(const struct host_info *info)
{
	return strcmp(info->hypervisor, "TCGTCGTCGTCG") == 0;
}

bool host_is_tcg(void)
{
	struct host_info info = {0};

	host_probe_hypervisor(&info);
	return names_tcg(&info);
}

void host_find_emulator(struct host_info *info, const char *sys)
{
	if (names_tcg(info))
		info->emulator = HOST_EMULATOR_QEMU;
	else if (!info->in_vm && !*info->dmi_vendor &&
	         has_bochs_device(sys)) /* its CPU names no hypervisor, its BIOS nobody */
		info->emulator = HOST_EMULATOR_BOCHS;
}
