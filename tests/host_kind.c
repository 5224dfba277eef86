/* SPDX-License-Identifier: MIT */
#include "host_kind.h"

#include <cpuid.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

bool on_pvm(void)
{
	static int found = -1;

	if (found < 0)
		found = access("/sys/module/kvm_pvm", F_OK) == 0;
	return found;
}

bool on_intel(void)
{
	return access("/sys/module/kvm_intel", F_OK) == 0;
}

bool cpu_is_intel(void)
{
	uint32_t a, b, c, d;

	__cpuid(0, a, b, c, d);
	return b == signature_INTEL_ebx && c == signature_INTEL_ecx && d == signature_INTEL_edx;
}

/* By the name that it gives itself. */
bool on_tcg(void)
{
	uint32_t a, name[3];

	__cpuid(1, a, name[0], name[1], name[2]);
	if (!(name[1] >> 31))
		return false;
	__cpuid(0x40000000, a, name[0], name[1], name[2]);
	return memcmp(name, "TCGTCGTCGTCG", sizeof(name)) == 0;
}

/* No machine with a 64-bit CPU has this host bridge, of 1996, but in software; other software names itself. */
bool on_bochs(void)
{
	static int found = -1;
	uint32_t a, b, c, d;
	char id[8] = "";
	FILE *f;

	if (found >= 0)
		return found;
	__cpuid(1, a, b, c, d);
	f = c >> 31 ? NULL : fopen("/sys/bus/pci/devices/0000:00:00.0/device", "re");
	found = f && fgets(id, sizeof(id), f) && strncmp(id, "0x1237", 6) == 0;
	if (f)
		fclose(f);
	return found;
}
