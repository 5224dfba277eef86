/* SPDX-License-Identifier: MIT */
/*
 * The system calls: `int3` with the number in RAX and arguments in RDI, RSI, RDX. The result, or -errno, comes back in
 * RAX. All other registers are kept. README.md has the table.
 */
#ifndef GUEST_SYSCALL_H
#define GUEST_SYSCALL_H

#define SYS_EXIT     0
#define SYS_WRITE    1
#define SYS_MMAP     2
#define SYS_MUNMAP   3
#define SYS_MPROTECT 4
#define SYS_SPAWN    5
#define SYS_WAIT     6
#define SYS_YIELD    7
#define SYS_CPUS     8
#define SYS_CPU      9
#define SYS_CATCH    10
#define SYS_PTE      11
#define SYS_TOUCH    12
#define SYS_CRASH    13
#define SYS_FREE     14
#define SYS_BALLOON  15
#define SYS_WALKS    16
#define SYS_ENCLAVE  17
#define SYS_FORK     18
#define SYS_COUNT    19
#define SYS_OFFER    20
#define SYS_TAKE     21

/* SYS_MMAP flags */
#define MMAP_HUGE   1 /* 2 MiB pages */
#define MMAP_SHARED 2 /* at the same address in every process */
#define MMAP_LAZY   4 /* each page comes with its first touch */
#define MMAP_APART  8 /* begins at a multiple of 2 MiB: in a page table that nothing before it is in */
#define MMAP_GIB    16 /* begins at a multiple of 1 GiB */

/* SYS_MPROTECT rights beside reading; not both */
#define PROT_W 1
#define PROT_X 2

/* SYS_SPAWN: on the caller's CPU */
#define SPAWN_HERE (-1)

/* SYS_FORK: what the child gets */
#define FORK_SHARE 0 /* the parent's tables, all of them: each copies what it writes */
#define FORK_COPY  1 /* copies of all tables, at once. Pages are copied when they are written */

/* SYS_OFFER: in place of a level */
#define OFFER_END 0 /* takes the offer back */

/* SYS_TAKE: in place of a process's number */
#define OFFER_OF_PARENT (-1)

/* SYS_COUNT: what of */
#define COUNT_TABLES        0 /* page tables of processes */
#define COUNT_NOTES         1 /* pages that note who shares what: they stay */
#define COUNT_TABLES_COPIED 2 /* since boot, because one of those that shared a table wrote */
#define COUNT_PAGES_COPIED  3 /* likewise; a 2 MiB page counts as 512 */

/* SYS_TOUCH: what the kernel tries */
#define TOUCH_READ                  0
#define TOUCH_WRITE                 1
#define TOUCH_FETCH                 2
#define TOUCH_RESULT(vector, error) (0x10000 | (vector) << 8 | (error))

/* SYS_BALLOON */
#define BALLOON_START 0 /* finds the device and becomes the one program that serves it */
#define BALLOON_SERVE 1 /* says that the runs are expanded, and waits for new ones */

/* SYS_CRASH: how the kernel goes wrong */
#define CRASH_PANIC    0
#define CRASH_TRIPLE   1
#define CRASH_LOOP     2
#define CRASH_UNMAPPED 3
#define CRASH_GAP      4
#define CRASH_HLT      5
#define CRASH_OVERFLOW 6

/* Exit statuses given by the kernel and by the programs' start code. */
#define STATUS_NO_PROGRAM    98
#define STATUS_PANIC         99
#define STATUS_FAULT(vector) (100 + (vector))

/* errno, by Linux's numbers */
#define EIO    5
#define ENOMEM 12
#define ECHILD 10
#define EAGAIN 11
#define EFAULT 14
#define EBUSY  16
#define ENODEV 19
#define EINVAL 22
#define ENOSYS 38

#ifndef __ASSEMBLER__
#include <stdint.h>

/* Consecutive page frames */
struct run {
	uint32_t pfn, pages;
};
#endif

#endif
