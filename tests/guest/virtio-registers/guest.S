/* SPDX-License-Identifier: MIT */
/* The balloon answers at its address, and only to what the specification allows: the rest reads 0 and does nothing. */
#include "virtio.inc"

start:
	mov $stack_top, %rsp
	MAP_REGISTERS
	EXPECT VIRTIO_MMIO_MAGIC, VIRTIO_MMIO_MAGIC_VALUE, 1
	EXPECT VIRTIO_MMIO_VERSION, VIRTIO_MMIO_VERSION_VALUE, 2
	EXPECT VIRTIO_MMIO_DEVICE_ID, VIRTIO_ID_BALLOON, 3
	EXPECT VIRTIO_MMIO_STATUS, 0, 4

	/* other widths: 0, also where a byte of the register is not */
	mov $-1, %rax
	mov REGS + VIRTIO_MMIO_MAGIC, %al
	test %al, %al
	CHECK z, 5
	mov $-1, %rax
	mov REGS + VIRTIO_MMIO_MAGIC, %ax
	test %ax, %ax
	CHECK z, 6
	mov $-1, %rax
	mov REGS + VIRTIO_MMIO_MAGIC, %rax
	test %rax, %rax
	CHECK z, 7
	mov $-1, %rax
	mov REGS + VIRTIO_MMIO_MAGIC + 2, %eax
	test %eax, %eax
	CHECK z, 8

	/* a write to what can only be read, and of another width to what can be written */
	PUT VIRTIO_MMIO_MAGIC, 0
	movb $VIRTIO_STATUS_ACKNOWLEDGE, REGS + VIRTIO_MMIO_STATUS
	movq $VIRTIO_STATUS_ACKNOWLEDGE, REGS + VIRTIO_MMIO_STATUS
	EXPECT VIRTIO_MMIO_MAGIC, VIRTIO_MMIO_MAGIC_VALUE, 9
	EXPECT VIRTIO_MMIO_STATUS, 0, 10

	/* queues that are not there */
	PUT VIRTIO_MMIO_QUEUE_SEL, 0
	EXPECT VIRTIO_MMIO_QUEUE_NUM_MAX, 128, 11
	PUT VIRTIO_MMIO_QUEUE_SEL, 0xffff
	EXPECT VIRTIO_MMIO_QUEUE_NUM_MAX, 0, 12
	PUT VIRTIO_MMIO_QUEUE_NUM, 8
	PUT VIRTIO_MMIO_QUEUE_READY, 1
	EXPECT VIRTIO_MMIO_QUEUE_READY, 0, 13
	PUT VIRTIO_MMIO_QUEUE_NOTIFY, 0xffff
	EXPECT VIRTIO_MMIO_STATUS, 0, 14
	EXIT 0
