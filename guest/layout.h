/* SPDX-License-Identifier: MIT */
/*
 * Where everything lies. The assembler (tables.S) makes the page tables, the IDT and the TSS descriptors from these
 * numbers. Booting builds nothing, because each kernel instruction can cost a microsecond where KVM emulates it. C,
 * assembly and the linker script share this file. The linker script checks the sizes.
 *
 * The image is one run of physical memory. Page numbers below count from KERNEL_PHYS. The kernel maps its own part of
 * the image at KERNEL_VIRT, and each process the programs' part at USER_BASE. README.md has the picture.
 *
 * The page tables lie just below KERNEL_PHYS, not in the 2 MiB of the code. A host that must not let a guest execute
 * from large pages (KVM's nx_huge_pages) splits the code's 2 MiB, which makes walks longer that read a table there.
 */
#ifndef GUEST_LAYOUT_H
#define GUEST_LAYOUT_H

#include <gnomon/abi.h>

#define NR_CPUS    16
#define NR_PROCS   128
#define NR_VECTORS 40 /* 32 exceptions, 8 interrupts */

#define PAGE_BYTES 0x1000

/* The image in physical memory, in pages. */
#define KERNEL_PHYS   0x200000
#define TEXT_PAGE     0
#define TEXT_PAGES    16
#define RODATA_PAGE   16
#define RODATA_PAGES  8
#define DATA_PAGE     24
#define DATA_PAGES    24
#define PERCPU_PAGE   48
#define PERCPU_PAGES  (NR_CPUS * 4)
#define UTEXT_PAGE    128
#define UTEXT_PAGES   32
#define URODATA_PAGE  160
#define URODATA_PAGES 32
#define ULOAD_PAGE    192 /* initial content of the programs' data */
#define UDATA_PAGES   8
#define FIRST_PAGE    200 /* data and stack of the first process */
#define USTACK_PAGES  4
#define IMAGE_PAGES   (FIRST_PAGE + UDATA_PAGES + USTACK_PAGES)
#define WINDOW_PAGE   (512 - NR_CPUS)   /* not in the image: a temporary window per CPU */
#define DEVICE_PAGE   (WINDOW_PAGE - 1) /* likewise: the balloon's registers */
#define TABLES_PAGES  8
#define TABLES_PAGE   (DEVICE_PAGE - TABLES_PAGES) /* likewise. Their memory is at TABLES_PHYS */

#define IMAGE_PHYS(page) (KERNEL_PHYS + (page)*PAGE_BYTES)
#define TABLES_PHYS      (KERNEL_PHYS - TABLES_PAGES * PAGE_BYTES)
#define CODE_END         (KERNEL_PHYS + 512 * PAGE_BYTES) /* of the 2 MiB that code is executed in */
#define BOOT_PML4_PHYS   TABLES_PHYS                      /* tables.S begins with it */
#define FIRST_TABLES     (TABLES_PHYS + 4 * PAGE_BYTES)   /* those below it that are the first process's own */
#define FIRST_TABLES_END (FIRST_TABLES + 3 * PAGE_BYTES)

/* Kernel virtual. [GNOMON_BOOT_VIRT, +2 MiB) shows the loader's first MiB, read-only. */
#define KERNEL_VIRT       (GNOMON_BOOT_VIRT + KERNEL_PHYS)
#define KERNEL_PAGE(page) (KERNEL_VIRT + (page)*PAGE_BYTES)
#define COUNTS_BASE       (GNOMON_BOOT_VIRT + 2 * 0x200000) /* of frames' other users: behind the kernel's 2 MiB */
#define LARGE_WINDOW_SLOT (512 - NR_CPUS)                   /* in the kernel's page directory */
#define CPU_ENTRY         (KERNEL_PAGE(TEXT_PAGE) + NR_VECTORS * 16) /* where another CPU starts: behind the vectors */
#define SELF_SLOT         510 /* PML4 slot that points to the PML4 itself */

/* Per CPU: a page for struct cpu, a guard page, two pages of stack. */
#define CPU_BYTES          0x4000
#define CPU_AREA(cpu)      (KERNEL_PAGE(PERCPU_PAGE) + (cpu)*CPU_BYTES)
#define CPU_STACK_TOP(cpu) (CPU_AREA(cpu) + CPU_BYTES)
#define TSS_BYTES          104

/* Selectors. 0x2b and 0x33 are not for guests (include/gnomon/abi.h). */
#define KERNEL_CS         GNOMON_BOOT_CS
#define KERNEL_DS         GNOMON_BOOT_DS
#define USER_CS           0x1b
#define USER_DS           0x23
#define TSS_SELECTOR(cpu) (0x40 + (cpu)*16)
#define GDT_BYTES         TSS_SELECTOR(NR_CPUS)

/* User virtual: code, data, stack and arguments share one page table. */
#define USER_BASE    0x400000
#define USER_PAGE(n) (USER_BASE + (n)*PAGE_BYTES)
#define UTEXT_AT     0
#define URODATA_AT   32
#define ULOAD_AT     64
#define UDATA_AT     80
#define USTACK_AT    124
#define USTACK_TOP   USER_PAGE(USTACK_AT + USTACK_PAGES)
#define UARGS_AT     256
#define UARGS_PAGES  17  /* a device tree of 64 KiB, wherever it begins */
#define UBALLOON_AT  300 /* in the balloon's server: runs, then their PFNs */
#define URUN_PAGES   4
#define UPFN_PAGES   8
#define MMAP_BASE    0x40000000   /* private memory, handed out upwards */
#define SHARED_BASE  0x8000000000 /* PML4 slot 1: the same tables in every process */
#define SHARED_SLOT  1
#define USER_END     0x10000000000

/* struct frame, for assembly: the CPU pushes from RIP on. */
#define FRAME_BYTES 176
#define FRAME_RIP   136
#define FRAME_CS    144

#endif
