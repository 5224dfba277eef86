/* SPDX-License-Identifier: MIT */
#include "kvm/cpuid.h"

#include <cpuid.h>
#include <errno.h>
#include <gnomon/x86.h>
#include <linux/kvm.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/platform/x86.h>

#include "cpu/present.h"
#include "host/host.h"

/* Leaf 1 (APM3 E.3.2): what a kernel and its programs may rely on without XSAVE or an APIC. */
#define L1_EDX_FPU     (1u << 0)
#define L1_EDX_PSE     (1u << 3)
#define L1_EDX_TSC     (1u << 4)
#define L1_EDX_MSR     (1u << 5)
#define L1_EDX_PAE     (1u << 6)
#define L1_EDX_CX8     (1u << 8)
#define L1_EDX_PGE     (1u << 13)
#define L1_EDX_CMOV    (1u << 15)
#define L1_EDX_FXSR    (1u << 24)
#define L1_EDX_SSE     (1u << 25)
#define L1_EDX_SSE2    (1u << 26)
#define L1_ECX_CX16    (1u << 13)
#define L1_ECX_HYPERV  (1u << 31)
#define L1_EBX_APIC_ID 24
/* Leaf 7, subleaf 0 (APM3 E.3.6). */
#define L7_EBX_FSGSBASE (1u << 0)
#define L7_EBX_SMEP     (1u << 7)
#define L7_EBX_SMAP     (1u << 20)
#define L7_ECX_UMIP     (1u << 2)
/* Leaf 8000_0001 (APM3 E.4.2). */
#define LX1_ECX_LAHF    (1u << 0)
#define LX1_EDX_SYSCALL (1u << 11)
#define LX1_EDX_NX      (1u << 20)
#define LX1_EDX_1G      (1u << 26)
#define LX1_EDX_RDTSCP  (1u << 27)
#define LX1_EDX_LM      (1u << 29)

#define HV_LEAF 0x40000000u

#define KEEP_ALL ~0u

#define VENDOR (-1)

static const struct {
	uint32_t leaf;
	int feature;                 /* glibc's index of the leaf; VENDOR: leaf 0's words, which two leaves have */
	uint32_t eax, ebx, ecx, edx; /* bits handed through */
} leaves[] = {
    {0x00000000, VENDOR, 0, KEEP_ALL, KEEP_ALL, KEEP_ALL},
    {0x00000001, CPUID_INDEX_1, KEEP_ALL, 0, L1_ECX_CX16,
     L1_EDX_FPU | L1_EDX_PSE | L1_EDX_TSC | L1_EDX_MSR | L1_EDX_PAE | L1_EDX_CX8 | L1_EDX_PGE | L1_EDX_CMOV |
         L1_EDX_FXSR | L1_EDX_SSE | L1_EDX_SSE2},
    {0x00000007, CPUID_INDEX_7, 0, L7_EBX_FSGSBASE | L7_EBX_SMEP | L7_EBX_SMAP, L7_ECX_UMIP, 0},
    {0x80000000, VENDOR, 0, KEEP_ALL, KEEP_ALL, KEEP_ALL},
    {0x80000001, CPUID_INDEX_80000001, KEEP_ALL, 0, LX1_ECX_LAHF,
     L1_EDX_FXSR | LX1_EDX_SYSCALL | LX1_EDX_NX | LX1_EDX_1G | LX1_EDX_RDTSCP | LX1_EDX_LM},
    {0x80000008, CPUID_INDEX_80000008, KEEP_ALL, 0, 0, 0},
};

#define NR_LEAVES (sizeof(leaves) / sizeof(*leaves))

/*
 * Under a hypervisor each CPUID instruction is an exit of 4 us or more: glibc has executed most of them at the
 * program's start and keeps the answers.
 */
int cpuid_set(int vcpu_fd, int id)
{
	uint64_t space[(sizeof(struct kvm_cpuid2) + (NR_LEAVES + 1) * sizeof(struct kvm_cpuid_entry2) + 7) / 8] = {0};
	struct kvm_cpuid2 *cpuid = (void *)space; /* ends in a flexible array */
	struct kvm_cpuid_entry2 *entry = cpuid->entries;
	uint32_t vendor[4];

	cpuid->nent = NR_LEAVES + 1;
	__cpuid(0, vendor[0], vendor[1], vendor[2], vendor[3]);
	for (size_t i = 0; i < NR_LEAVES; i++) {
		const uint32_t *host =
		    leaves[i].feature == VENDOR ? vendor : __x86_get_cpuid_feature_leaf(leaves[i].feature)->cpuid_array;
		struct kvm_cpuid_entry2 *e = &entry[i];

		e->function = leaves[i].leaf;
		e->flags = leaves[i].leaf == 7 ? KVM_CPUID_FLAG_SIGNIFCANT_INDEX : 0;
		e->eax = host[0] & leaves[i].eax;
		e->ebx = host[1] & leaves[i].ebx;
		e->ecx = host[2] & leaves[i].ecx;
		e->edx = host[3] & leaves[i].edx;
	}
	/* Where CPL 3 reads the host's TSC_AUX, KVM refuses the MSR to the guest. */
	if (!host_runs_guests_in_hardware())
		entry[4].edx &= ~LX1_EDX_RDTSCP;
	/* The highest leaves that exist here, this CPU's number, and who we are ("GnomonGnomon"). */
	entry[0].eax = 7;
	entry[1].ebx = (uint32_t)id << L1_EBX_APIC_ID;
	entry[1].ecx |= L1_ECX_HYPERV;
	entry[3].eax = 0x80000008;
	entry[NR_LEAVES] = (struct kvm_cpuid_entry2){
	    .function = HV_LEAF, .eax = HV_LEAF, .ebx = 0x6d6f6e47, .ecx = 0x6e476e6f, .edx = 0x6e6f6d6f};
	if (ioctl(vcpu_fd, KVM_SET_CPUID2, cpuid) < 0)
		return log_errno(errno, "KVM_SET_CPUID2");
	return 0;
}

enum word { WORD_EAX, WORD_EBX, WORD_ECX, WORD_EDX };

/* One word of a leaf as the guest is offered it; 0 for a leaf that it is not. */
static uint32_t offered(uint32_t leaf, enum word word)
{
	for (size_t i = 0; i < NR_LEAVES; i++) {
		const uint32_t keep[] = {leaves[i].eax, leaves[i].ebx, leaves[i].ecx, leaves[i].edx};

		if (leaves[i].leaf == leaf && leaves[i].feature != VENDOR)
			return __x86_get_cpuid_feature_leaf(leaves[i].feature)->cpuid_array[word] & keep[word];
	}
	return 0;
}

static const struct {
	uint32_t leaf;
	enum word word;
} feature_words[CPUID_FEATURE_WORDS] = {{1, WORD_ECX}, {1, WORD_EDX},          {7, WORD_EBX},
                                        {7, WORD_ECX}, {0x80000001, WORD_ECX}, {0x80000001, WORD_EDX}};

void cpuid_features(uint32_t ret_word[CPUID_FEATURE_WORDS], char ret_vendor[13])
{
	uint32_t r[4];

	for (int i = 0; i < CPUID_FEATURE_WORDS; i++)
		ret_word[i] = offered(feature_words[i].leaf, feature_words[i].word);
	if (!host_runs_guests_in_hardware())
		ret_word[5] &= ~LX1_EDX_RDTSCP; /* as in cpuid_set() */
	__cpuid(0, r[0], r[1], r[2], r[3]);
	memcpy(ret_vendor, &r[1], 4);
	memcpy(ret_vendor + 4, &r[3], 4);
	memcpy(ret_vendor + 8, &r[2], 4);
	ret_vendor[12] = 0;
}

const char *cpuid_missing(const uint32_t word[CPUID_FEATURE_WORDS], bool *ret_missing)
{
	static const struct {
		int word;
		uint32_t bit;
		const char *name;
	} names[] = {
	    {0, L1_ECX_CX16, "cx16"},     {1, L1_EDX_PSE, "pse"},          {1, L1_EDX_TSC, "tsc"},
	    {1, L1_EDX_PGE, "pge"},       {1, L1_EDX_SSE2, "sse2"},        {2, L7_EBX_FSGSBASE, "fsgsbase"},
	    {2, L7_EBX_SMEP, "smep"},     {2, L7_EBX_SMAP, "smap"},        {3, L7_ECX_UMIP, "umip"},
	    {4, LX1_ECX_LAHF, "lahf_lm"}, {5, LX1_EDX_SYSCALL, "syscall"}, {5, LX1_EDX_NX, "nx"},
	    {5, LX1_EDX_1G, "pdpe1gb"},   {5, LX1_EDX_RDTSCP, "rdtscp"},   {5, LX1_EDX_LM, "lm"},
	};
	uint32_t here[CPUID_FEATURE_WORDS], missing[CPUID_FEATURE_WORDS];
	char vendor[13];

	cpuid_features(here, vendor);
	*ret_missing = false;
	for (int i = 0; i < CPUID_FEATURE_WORDS; i++) {
		missing[i] = word[i] & ~here[i];
		*ret_missing |= missing[i] != 0;
	}
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (missing[names[i].word] & names[i].bit)
			return names[i].name;
	return NULL;
}

int cpuid_maxphyaddr(void)
{
	return offered(0x80000008, WORD_EAX) & 0xff;
}

bool cpuid_gbpages(void)
{
	return offered(0x80000001, WORD_EDX) & LX1_EDX_1G;
}

bool cpuid_umip(void)
{
	return offered(7, WORD_ECX) & L7_ECX_UMIP;
}

uint64_t cpuid_cr4_bits(void)
{
	static const struct {
		uint32_t leaf;
		enum word word;
		uint32_t feature;
		uint64_t bits;
	} of[] = {
	    {1, WORD_EDX, L1_EDX_TSC, CR4_TSD},          {1, WORD_EDX, L1_EDX_PSE, CR4_PSE},
	    {1, WORD_EDX, L1_EDX_PAE, CR4_PAE},          {1, WORD_EDX, L1_EDX_PGE, CR4_PGE},
	    {1, WORD_EDX, L1_EDX_FXSR, CR4_OSFXSR},      {1, WORD_EDX, L1_EDX_SSE, CR4_OSXMMEXCPT},
	    {7, WORD_ECX, L7_ECX_UMIP, CR4_UMIP},        {7, WORD_EBX, L7_EBX_SMEP, CR4_SMEP},
	    {7, WORD_EBX, L7_EBX_FSGSBASE, CR4_FSGSBASE}, {7, WORD_EBX, L7_EBX_SMAP, CR4_SMAP},
	};
	uint64_t bits = CR4_PCE; /* of no feature */

	for (size_t i = 0; i < sizeof(of) / sizeof(*of); i++)
		if (offered(of[i].leaf, of[i].word) & of[i].feature)
			bits |= of[i].bits;
	return bits;
}

bool cpuid_pml4_global_reserved(void)
{
	struct host_info info;

	if (cpu_is_intel() || !host_is_tcg())
		return !cpu_is_intel();
	host_read_second_stage(&info);
	return info.second_stage != HOST_STAGE_NPT;
}
