/* SPDX-License-Identifier: MIT */
/* Half of it belongs to the device, half to nobody. */
#include "virtio.inc"

start:
	mov $stack_top, %rsp
	MAP_REGISTERS
	mov REGS + GNOMON_VIRTIO_LEN - 4, %rax
	EXIT 1
