/* SPDX-License-Identifier: MIT */
/* What cannot be compared, and why; nothing is left out anywhere else but single cases in generate.c. */
#include <gnomon/x86.h>
#include <stdio.h>

#include "check.h"

#define M(name) ZYDIS_MNEMONIC_##name
#define BOTH    (JUDGE_NATIVE | JUDGE_NESTED)

static const char time_of_day[] = "what it returns changes by itself";
static const char waits[] = "waits for what somebody else writes, or for a time";
static const char transaction[] = "a transaction aborts when it likes";
static const char tiles[] = "needs a permission that Linux gives on request";
static const char keys[] = "takes the program's own memory from it";
static const char below[] = "an answer of the hypervisor below, or of none";
static const char calls[] = "a system call of the host";
static const char descriptors[] = "shows descriptors or registers of the host's kernel, or what that pretends";
static const char real_gdt[] = "looks at the CPU's own descriptors, in shadow mode those of the stub";
static const char osxsave[] = "raises #UD while CR4.OSXSAVE is clear, as the guest's is";
static const char in_use[] = "what it stores depends on which state the CPU takes for changed";

static const struct exclusion exclusions[] = {
    {M(RDTSC), BOTH, time_of_day},
    {M(RDTSCP), BOTH, time_of_day},
    {M(RDRAND), BOTH, time_of_day},
    {M(RDSEED), BOTH, time_of_day},
    {M(RDPID), BOTH, "tells which CPU runs it"},
    {M(RDPRU), BOTH, time_of_day},
    {M(CPUID), BOTH, "what a guest is told is less than what there is"},
    {M(XGETBV), JUDGE_NATIVE, in_use},
    {M(XSAVEOPT), BOTH, in_use},
    {M(XSAVEOPT64), BOTH, in_use},
    {M(XBEGIN), BOTH, transaction},
    {M(XSUSLDTRK), BOTH, transaction},
    {M(XRESLDTRK), BOTH, transaction},
    {M(UMONITOR), BOTH, waits},
    {M(UMWAIT), BOTH, waits},
    {M(TPAUSE), BOTH, waits},
    {M(MONITORX), BOTH, waits},
    {M(MWAITX), BOTH, waits},
    {M(LDTILECFG), BOTH, tiles},
    {M(STTILECFG), BOTH, tiles},
    {M(TILELOADD), BOTH, tiles},
    {M(TILELOADDT1), BOTH, tiles},
    {M(TILERELEASE), BOTH, tiles},
    {M(TILESTORED), BOTH, tiles},
    {M(TILEZERO), BOTH, tiles},
    {M(TDPBF16PS), BOTH, tiles},
    {M(TDPBSSD), BOTH, tiles},
    {M(TDPBSUD), BOTH, tiles},
    {M(TDPBUSD), BOTH, tiles},
    {M(TDPBUUD), BOTH, tiles},
    {M(RDPKRU), BOTH, keys},
    {M(WRPKRU), BOTH, keys},
    {M(CLUI), BOTH, keys}, /* a CPU without user interrupts takes them for RDPKRU and WRPKRU */
    {M(STUI), BOTH, keys},
    {M(VMCALL), BOTH, below},
    {M(VMMCALL), BOTH, below},
    {M(TDCALL), BOTH, below},
    {M(ENQCMD), JUDGE_NATIVE, "Linux gives the process an address-space number when it first fails"},
    {M(XSETBV), JUDGE_NATIVE, osxsave},
    {M(XSAVES), JUDGE_NATIVE, osxsave},
    {M(XSAVES64), JUDGE_NATIVE, osxsave},
    {M(XRSTORS), JUDGE_NATIVE, osxsave},
    {M(XRSTORS64), JUDGE_NATIVE, osxsave},
    {M(SYSCALL), JUDGE_NATIVE, calls},
    {M(SYSENTER), JUDGE_NATIVE, calls},
    {M(SGDT), JUDGE_NATIVE, descriptors},
    {M(SIDT), JUDGE_NATIVE, descriptors},
    {M(SLDT), JUDGE_NATIVE, descriptors},
    {M(STR), JUDGE_NATIVE, descriptors},
    {M(SMSW), JUDGE_NATIVE, descriptors},
    {M(LAR), BOTH, real_gdt},
    {M(LSL), BOTH, real_gdt},
    {M(VERR), BOTH, real_gdt},
    {M(VERW), BOTH, real_gdt},
};

const struct exclusion *exclusion_find(uint16_t mnemonic)
{
	for (unsigned i = 0; i < sizeof(exclusions) / sizeof(*exclusions); i++)
		if (exclusions[i].mnemonic == mnemonic)
			return &exclusions[i];
	return NULL;
}

void exclusions_print(void)
{
	printf("Not compared with a process of the host (native), or with a nested guest (nested):\n\n");
	for (unsigned i = 0; i < sizeof(exclusions) / sizeof(*exclusions); i++)
		printf("%-12s %-14s %s\n", ZydisMnemonicGetString(exclusions[i].mnemonic),
		       exclusions[i].judges == BOTH ? "native, nested" : "native", exclusions[i].why);
	printf("\nSingle cases:\n\n%s", exclusions_of_cases);
	printf("\nPerhaps a part of the result:\n\n"
	       "flags that the manuals leave undefined behind the instruction (Zydis' table)\n"
	       "the pointers to the last x87 instruction and operand, in registers and in what FNSAVE, FNSTENV, FXSAVE "
	       "and "
	       "XSAVE store: AMD's CPUs forget them when tasks change\n");
}

uint64_t undefined_flags(const ZydisDecodedInstruction *z)
{
	return z->cpu_flags ? z->cpu_flags->undefined : 0;
}
