/* SPDX-License-Identifier: MIT */
/*
 * x86-64 architectural bits, by the names of the AMD64 Architecture Programmer's
 * Manual vol. 2 (APM2) and Intel SDM vol. 3. Usable from assembly.
 */
#ifndef GNOMON_X86_H
#define GNOMON_X86_H

#ifdef __ASSEMBLER__
#define X86_U64(x) x
#else
#define X86_U64(x) x##ull
#endif

/* CR0, APM2 3.1.1 */
#define CR0_PE (1 << 0)
#define CR0_MP (1 << 1)
#define CR0_EM (1 << 2)
#define CR0_TS (1 << 3)
#define CR0_ET (1 << 4)
#define CR0_NE (1 << 5)
#define CR0_WP (1 << 16)
#define CR0_AM (1 << 18)
#define CR0_NW (1 << 29)
#define CR0_CD (1 << 30)
#define CR0_PG (X86_U64(1) << 31)

/* CR4, APM2 3.1.3 */
#define CR4_TSD        (1 << 2)
#define CR4_DE         (1 << 3)
#define CR4_PSE        (1 << 4)
#define CR4_PAE        (1 << 5)
#define CR4_PGE        (1 << 7)
#define CR4_PCE        (1 << 8)
#define CR4_OSFXSR     (1 << 9)
#define CR4_OSXMMEXCPT (1 << 10)
#define CR4_UMIP       (1 << 11)
#define CR4_LA57       (1 << 12)
#define CR4_FSGSBASE   (1 << 16)
#define CR4_PCIDE      (1 << 17)
#define CR4_OSXSAVE    (1 << 18)
#define CR4_SMEP       (1 << 20)
#define CR4_SMAP       (1 << 21)

/* EFER, APM2 3.1.7 */
#define MSR_TSC            0x10
#define MSR_SYSENTER_CS    0x174
#define MSR_SYSENTER_ESP   0x175
#define MSR_SYSENTER_EIP   0x176
#define MSR_PAT            0x277
#define MSR_EFER           0xc0000080
#define MSR_STAR           0xc0000081
#define MSR_LSTAR          0xc0000082
#define MSR_CSTAR          0xc0000083
#define MSR_SYSCALL_MASK   0xc0000084
#define MSR_FS_BASE        0xc0000100
#define MSR_GS_BASE        0xc0000101
#define MSR_KERNEL_GS_BASE 0xc0000102
#define MSR_TSC_AUX        0xc0000103
#define EFER_SCE           (1 << 0)
#define EFER_LME           (1 << 8)
#define EFER_LMA           (1 << 10)
#define EFER_NXE           (1 << 11)

/* Page-table entry, APM2 5.3-5.4 */
#define PTE_P    (X86_U64(1) << 0)
#define PTE_W    (X86_U64(1) << 1)
#define PTE_U    (X86_U64(1) << 2)
#define PTE_PWT  (X86_U64(1) << 3)
#define PTE_PCD  (X86_U64(1) << 4)
#define PTE_A    (X86_U64(1) << 5)
#define PTE_D    (X86_U64(1) << 6)
#define PTE_PS   (X86_U64(1) << 7)
#define PTE_G    (X86_U64(1) << 8)
#define PTE_NX   (X86_U64(1) << 63)
#define PTE_ADDR X86_U64(0x000ffffffffff000)

/* #PF error code, APM2 8.4.2 */
#define PFEC_P    (1 << 0)
#define PFEC_W    (1 << 1)
#define PFEC_U    (1 << 2)
#define PFEC_RSVD (1 << 3)
#define PFEC_I    (1 << 4)

/* RFLAGS, APM2 3.1.6 */
#define RFLAGS_FIXED (1 << 1)
#define RFLAGS_ZF    (1 << 6)
#define RFLAGS_TF    (1 << 8)
#define RFLAGS_IF    (1 << 9)
#define RFLAGS_DF    (1 << 10)
#define RFLAGS_IOPL  (3 << 12)
#define RFLAGS_RF    (1 << 16)
#define RFLAGS_AC    (1 << 18)

/* Exception vectors, APM2 8.2 */
#define VEC_DE  0
#define VEC_DB  1
#define VEC_NMI 2
#define VEC_BP  3
#define VEC_OF  4
#define VEC_BR  5
#define VEC_UD  6
#define VEC_NM  7
#define VEC_DF  8
#define VEC_TS  10
#define VEC_NP  11
#define VEC_SS  12
#define VEC_GP  13
#define VEC_PF  14
#define VEC_MF  16
#define VEC_AC  17
#define VEC_MC  18
#define VEC_XM  19

#endif
