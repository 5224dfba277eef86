/* SPDX-License-Identifier: MIT */
/*
 * A queue's used ring lies in a leaf table, which is legal: what the device stores there counts after INVLPG, as if a
 * CPU had stored it. A used element has a descriptor's number in its first half and 0 in the second, so the right
 * number is an entry for page 0, where one for `other` was before. If there is a second CPU, it traps all the while.
 */
#include "virtio.inc"

#define TEST   X86_U64(0x8000000000) /* PML4 slot 1 */
#define GIVEN  0x3000000	     /* free memory, a page each time */
#define TIMES  24
#define SIZE   128
#define NUMBER (PTE_P | PTE_W | PTE_U | PTE_A | PTE_D)
#define USED   (pt + 4) /* flags and index in entry 0, which stays absent; the first element is entry 1 */
#define STATUS (VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER | VIRTIO_STATUS_FEATURES_OK)

	.bss
	.balign 4096
pdpt:	.skip 4096
pd:	.skip 4096
pt:	.skip 4096
other:	.skip 4096
desc:	.skip 16 * SIZE
avail:	.skip 4 + 2 * SIZE
	.balign 4
pfn:	.skip 4

	.text
#ifdef SECOND_CPU
	CPU_START_REQUEST second, GNOMON_ABI_VERSION, 1, trap_on
trap_on:
	cli
	jmp trap_on
#endif

start:
	mov $stack_top, %rsp
	MAP_REGISTERS
	movq $0x1111, 0
	movq $0x2222, other
	mov $1, %ecx
1:	movq $(other + NUMBER), pt(, %rcx, 8)
	inc %ecx
	cmp $TIMES, %ecx
	jbe 1b
	movq $(pt + NUMBER), pd
	movq $(pd + NUMBER), pdpt
	mov %cr3, %rax
	movq $(pdpt + NUMBER), 8(%rax)
#ifdef SECOND_CPU
	START_CPU second
#endif

	movq $pfn, desc + 16 * NUMBER
	movl $4, desc + 16 * NUMBER + 8
	movw $VIRTQ_AVAIL_NO_INTERRUPT, avail
	PUT VIRTIO_MMIO_STATUS, VIRTIO_STATUS_ACKNOWLEDGE
	PUT VIRTIO_MMIO_STATUS, VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER
	PUT VIRTIO_MMIO_DRIVER_FEATURES, 1 /* MUST_TELL_HOST */
	PUT VIRTIO_MMIO_DRIVER_FEATURES_SEL, 1
	PUT VIRTIO_MMIO_DRIVER_FEATURES, 1 /* VERSION_1 */
	PUT VIRTIO_MMIO_STATUS, STATUS
	PUT VIRTIO_MMIO_QUEUE_SEL, VIRTIO_BALLOON_QUEUE_INFLATE
	PUT VIRTIO_MMIO_QUEUE_NUM, SIZE
	PUT VIRTIO_MMIO_QUEUE_DESC_LOW, desc
	PUT VIRTIO_MMIO_QUEUE_DRIVER_LOW, avail
	PUT VIRTIO_MMIO_QUEUE_DEVICE_LOW, USED
	PUT VIRTIO_MMIO_QUEUE_READY, 1
	EXPECT VIRTIO_MMIO_QUEUE_READY, 1, 1
	PUT VIRTIO_MMIO_STATUS, STATUS | VIRTIO_STATUS_DRIVER_OK

	mov $TEST, %rdi
	xor %ecx, %ecx
again:	add $4096, %rdi
	invlpg (%rdi)
	cmpq $0x2222, (%rdi)
	CHECK e, 2
	lea GIVEN >> 12(%rcx), %eax
	mov %eax, pfn
	movw $NUMBER, avail + 4(, %rcx, 2)
	inc %ecx
	mov %cx, avail + 2
	PUT VIRTIO_MMIO_QUEUE_NOTIFY, VIRTIO_BALLOON_QUEUE_INFLATE
1:	cmp %cx, USED + 2
	jne 1b
	invlpg (%rdi)
	cmpq $0x1111, (%rdi)
	CHECK e, 3
	cmp $TIMES, %ecx
	jne again
	EXIT 0
