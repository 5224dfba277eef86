/* SPDX-License-Identifier: MIT */
#include "cpu/present.h"

#include <asm/prctl.h>
#include <cpuid.h>
#include <stdint.h>
#include <sys/platform/x86.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cpu/decode.h"

#define SOME_BASE 0x1000ul

#define SET(name)  ZYDIS_ISA_SET_##name
#define HAS(name)  has(x86_cpu_##name)
#define VECTORS(n) case SET(n##_128)... SET(n##_512)

/* CPU_FEATURE_PRESENT of a feature, whose macro shifts a signed 1 into the sign. */
static bool has(unsigned feature)
{
	return __x86_get_cpuid_feature_leaf(feature / 128)->cpuid_array[feature % 128 / 32] & 1u << feature % 32;
}

/* AVX-512 in its parts; a feature's sets for each vector length stand side by side. */
static bool is_avx512_present(ZydisISASet set)
{
	if (!HAS(AVX512F) || !HAS(AVX512VL))
		return false;
	switch (set) {
	case SET(AVX512F_128)... SET(AVX512F_SCALAR):
		return true;
	case SET(AVX512BW_128)... SET(AVX512BW_KOP):
		return HAS(AVX512BW);
	case SET(AVX512DQ_128)... SET(AVX512DQ_SCALAR):
		return HAS(AVX512DQ);
		VECTORS(AVX512CD) : return HAS(AVX512CD);
		VECTORS(AVX512_IFMA) : return HAS(AVX512_IFMA);
		VECTORS(AVX512_VBMI) : return HAS(AVX512_VBMI);
		VECTORS(AVX512_VBMI2) : return HAS(AVX512_VBMI2);
		VECTORS(AVX512_VNNI) : return HAS(AVX512_VNNI);
		VECTORS(AVX512_BITALG) : return HAS(AVX512_BITALG);
		VECTORS(AVX512_VPOPCNTDQ) : return HAS(AVX512_VPOPCNTDQ);
		VECTORS(AVX512_GFNI) : return HAS(GFNI);
		VECTORS(AVX512_VAES) : return HAS(VAES);
		VECTORS(AVX512_VPCLMULQDQ) : return HAS(VPCLMULQDQ);
		VECTORS(AVX512_BF16) : return HAS(AVX512_BF16);
		VECTORS(AVX512_FP16) : case SET(AVX512_FP16_SCALAR) : return HAS(AVX512_FP16);
	default:
		return false;
	}
}

/* On general-purpose registers and memory. */
static bool is_integer_present(ZydisISASet set)
{
	switch (set) {
	case SET(POPCNT):
		return HAS(POPCNT);
	case SET(LZCNT):
		return HAS(LZCNT);
	case SET(BMI1):
		return HAS(BMI1);
	case SET(BMI2):
		return HAS(BMI2);
	case SET(ADOX_ADCX):
		return HAS(ADX);
	case SET(MOVBE):
		return HAS(MOVBE);
	case SET(CLFSH):
		return HAS(CLFSH);
	case SET(CLFLUSHOPT):
		return HAS(CLFLUSHOPT);
	case SET(CLWB):
		return HAS(CLWB);
	case SET(MOVDIR):
		return HAS(MOVDIR64B) && HAS(MOVDIRI);
	case SET(CLZERO): /* Fn8000_0008_EBX[0]: APM3 E.4.7 */
		return __x86_get_cpuid_feature_leaf(CPUID_INDEX_80000008)->cpuid_array[1] & 1;
	default:
		return false;
	}
}

/* x87, MMX and SSE, with AES, SHA and the like in SSE's encoding. */
static bool is_sse_present(ZydisISASet set)
{
	switch (set) {
	case SET(X87):
	case SET(FCMOV):
	case SET(PENTIUMMMX):
	case SET(FXSAVE):
	case SET(FXSAVE64):
	case SET(SSE):
	case SET(SSEMXCSR):
	case SET(SSE2):
	case SET(SSE2MMX):
		return true; /* of each 64-bit CPU */
	case SET(SSE3):
	case SET(SSE3X87):
		return HAS(SSE3);
	case SET(SSSE3):
	case SET(SSSE3MMX):
		return HAS(SSSE3);
	case SET(SSE4):
		return HAS(SSE4_1);
	case SET(SSE42):
		return HAS(SSE4_2);
	case SET(AES):
		return HAS(AES);
	case SET(PCLMULQDQ):
		return HAS(PCLMULQDQ);
	case SET(SHA):
		return HAS(SHA);
	case SET(SSE4A):
		return HAS(SSE4A);
	case SET(GFNI):
		return HAS(GFNI);
	default:
		return false;
	}
}

static bool is_avx_present(ZydisISASet set)
{
	switch (set) {
	case SET(AVX):
		return HAS(AVX);
	case SET(AVX2):
	case SET(AVX2GATHER):
		return HAS(AVX2);
	case SET(FMA):
		return HAS(FMA);
	case SET(F16C):
		return HAS(F16C);
	case SET(AVXAES):
		return HAS(AVX) && HAS(AES);
	case SET(AVX_GFNI):
		return HAS(AVX) && HAS(GFNI);
	case SET(VAES):
		return HAS(VAES);
	case SET(VPCLMULQDQ):
		return HAS(VPCLMULQDQ);
	case SET(AVX_VNNI):
		return HAS(AVX_VNNI);
	default:
		return false;
	}
}

bool insn_is_present(const struct insn *insn)
{
	const ZydisISASet set = insn->z.meta.isa_set;

	return is_integer_present(set) || is_sse_present(set) || is_avx_present(set) || is_avx512_present(set);
}

bool cpu_is_intel(void)
{
	uint32_t a, b, c, d;

	__cpuid(0, a, b, c, d);
	return b == signature_INTEL_ebx && c == signature_INTEL_ecx && d == signature_INTEL_edx;
}

bool cpu_null_clears_base(void)
{
	unsigned long before, base = 1;
	uint16_t selector;

	__asm__ volatile("mov %%gs, %0" : "=r"(selector));
	if (syscall(SYS_arch_prctl, ARCH_GET_GS, &before) != 0 || syscall(SYS_arch_prctl, ARCH_SET_GS, SOME_BASE) != 0)
		return true;
	__asm__ volatile("mov %0, %%gs" ::"r"(0) : "memory");
	(void)syscall(SYS_arch_prctl, ARCH_GET_GS, &base);
	__asm__ volatile("mov %0, %%gs" ::"r"(selector) : "memory");
	(void)syscall(SYS_arch_prctl, ARCH_SET_GS, before);
	return base == 0;
}
