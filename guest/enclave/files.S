/* SPDX-License-Identifier: MIT */
/* The sample enclaves' files, among the programs' constants. */
	.section .files, "a"
	.globl counter_file, counter_file_end, signer_file, signer_file_end
	.balign 8
counter_file:
	.incbin "counter.elf"
counter_file_end:
	.balign 8
signer_file:
	.incbin "signer.elf"
signer_file_end:

	.section .note.GNU-stack, "", @progbits
