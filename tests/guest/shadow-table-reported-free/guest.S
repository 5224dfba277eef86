/* SPDX-License-Identifier: MIT */
/*
 * The guest reports a leaf table that it still uses as free: the VMM may make zeroes of it, and then they count after
 * INVLPG as if a CPU had stored them. If there is a second CPU, it traps all the while.
 */
#include "virtio.inc"

#define TEST   X86_U64(0x8000000000) /* PML4 slot 1 */
#define TABLE  0x3000000	     /* free memory: that of the image cannot be reported */
#define SIZE   8
#define STATUS (VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER | VIRTIO_STATUS_FEATURES_OK)
#define FLAGS  (PTE_P | PTE_W | PTE_U | PTE_A | PTE_D)

	.bss
	.balign 4096
pdpt:	.skip 4096
pd:	.skip 4096
other:	.skip 4096

	.data
	.balign 16
desc:	.quad TABLE			/* VIRTQ_DESC: address, length, flags, next */
	.long 4096
	.word VIRTQ_DESC_WRITE, 0
	.skip 16 * (SIZE - 1)
avail:	.word VIRTQ_AVAIL_NO_INTERRUPT, 0 /* flags, index: descriptor 0 each time */
	.skip 2 * SIZE
	.balign 4
used:	.skip 4 + 8 * SIZE

	.text
#ifdef SECOND_CPU
	CPU_START_REQUEST second, GNOMON_ABI_VERSION, 1, trap_on
trap_on:
	cli
	jmp trap_on
#endif

page_fault:
	mov $1, %ebx
	movq $touched, 8(%rsp)
	add $8, %rsp
	iretq

start:
	mov $stack_top, %rsp
	LOAD_TABLES
	SET_GATE VEC_PF, page_fault
	MAP_REGISTERS
	movq $0x2222, other
	movq $(TABLE + FLAGS), pd
	movq $(pd + FLAGS), pdpt
	mov %cr3, %rax
	movq $(pdpt + FLAGS), 8(%rax)
#ifdef SECOND_CPU
	START_CPU second
#endif
	PUT VIRTIO_MMIO_STATUS, VIRTIO_STATUS_ACKNOWLEDGE
	PUT VIRTIO_MMIO_STATUS, VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER
	PUT VIRTIO_MMIO_DRIVER_FEATURES, 0x21 /* MUST_TELL_HOST, REPORTING */
	PUT VIRTIO_MMIO_DRIVER_FEATURES_SEL, 1
	PUT VIRTIO_MMIO_DRIVER_FEATURES, 1 /* VERSION_1 */
	PUT VIRTIO_MMIO_STATUS, STATUS
	EXPECT VIRTIO_MMIO_STATUS, STATUS, 1
	PUT VIRTIO_MMIO_QUEUE_SEL, VIRTIO_BALLOON_QUEUE_REPORTING
	PUT VIRTIO_MMIO_QUEUE_NUM, SIZE
	PUT VIRTIO_MMIO_QUEUE_DESC_LOW, desc
	PUT VIRTIO_MMIO_QUEUE_DRIVER_LOW, avail
	PUT VIRTIO_MMIO_QUEUE_DEVICE_LOW, used
	PUT VIRTIO_MMIO_QUEUE_READY, 1
	EXPECT VIRTIO_MMIO_QUEUE_READY, 1, 2
	PUT VIRTIO_MMIO_STATUS, STATUS | VIRTIO_STATUS_DRIVER_OK

	mov $TEST, %rdi
	xor %ecx, %ecx
again:	movq $(other + FLAGS), TABLE
	xor %ebx, %ebx
	invlpg (%rdi)
	invlpg (%rdi)			/* with nothing changed since the last: the table is protected again */
	cmpq $0x2222, (%rdi)
	CHECK e, 3
	inc %ecx
	mov %cx, avail + 2
	PUT VIRTIO_MMIO_QUEUE_NOTIFY, VIRTIO_BALLOON_QUEUE_REPORTING
1:	cmp %cx, used + 2
	jne 1b
	invlpg (%rdi)
touch:	mov (%rdi), %rdx
touched:
	cmpl $0, TABLE			/* a VMM need not make use of it */
	sete %al
	cmp %al, %bl
	CHECK e, 4
	cmp $24, %ecx
	jne again
	EXIT 0
