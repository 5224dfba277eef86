/* SPDX-License-Identifier: MIT */
/* What the kernel itself prints, and how it stops. */
#include "kernel.h"

void console_text(const char *text)
{
	uint64_t len = 0;

	while (text[len])
		len++;
	access_out((uint64_t)text, len);
}

static void console_number(uint64_t v, unsigned base)
{
	char digits[24];
	char *p = digits + sizeof(digits);

	*--p = 0;
	do {
		*--p = "0123456789abcdef"[v % base];
	} while (v /= base);
	console_text(p);
}

void console_hex(uint64_t v)
{
	console_text("0x");
	console_number(v, 16);
}

void console_decimal(uint64_t v)
{
	console_number(v, 10);
}

void machine_exit(int status)
{
	for (;;) {
		out32(GNOMON_PORT_EXIT, status);
		__asm__ volatile("cli; hlt");
	}
}

static void print_frame(const struct frame *f)
{
	static const char *const names[] = {" r15 ",   " r14 ",    " r13 ",   "\n r12 ",    " r11 ",   " r10 ",
	                                    "\n r9  ", " r8  ",    " rbp ",   "\n rdi ",    " rsi ",   " rdx ",
	                                    "\n rcx ", " rbx ",    " rax ",   "\n vector ", " error ", "\n rip ",
	                                    " cs ",    " rflags ", "\n rsp ", " ss "};
	const uint64_t *v = &f->r15;

	for (unsigned i = 0; i < sizeof(names) / sizeof(*names); i++) {
		console_text(names[i]);
		console_hex(v[i]);
	}
	console_text(" cr2 ");
	console_hex(read_cr2());
	console_text("\n");
}

/* Return addresses along the chain of frame pointers, as far as it stays on this CPU's stack. */
static void print_backtrace(uint64_t rbp)
{
	uint64_t top = CPU_STACK_TOP((uint64_t)this_cpu()->id);

	console_text(" called from");
	while (rbp >= top - 2 * PAGE_SIZE && rbp <= top - 16 && rbp % 8 == 0) {
		const uint64_t *link = (const uint64_t *)rbp;

		console_text(" ");
		console_hex(link[1]);
		if (link[0] <= rbp)
			break;
		rbp = link[0];
	}
	console_text("\n");
}

/*
 * Prints the reason, the frame if there is one, and the return addresses. Stops the machine. `addr2line -e kernel.elf`
 * explains the addresses.
 */
void panic(const char *why, const struct frame *f)
{
	console_text("guest: panic: ");
	console_text(why);
	console_text("\n");
	if (f)
		print_frame(f);
	print_backtrace(f ? f->rbp : (uint64_t)__builtin_frame_address(0));
	machine_exit(STATUS_PANIC);
}
