/* SPDX-License-Identifier: MIT */
/* Exceptions of programs: which one, with which error code, at which address. */
#include "selftest.h"

#define USER_NOT_PRESENT PFEC_U
#define USER_DENIED      (PFEC_P | PFEC_U)
#define NOWHERE          0x1000ull
#define SUPERVISOR_TEXT  KERNEL_PAGE(TEXT_PAGE)
#define SUPERVISOR_DATA  KERNEL_PAGE(DATA_PAGE)

static bool not_present(void)
{
	EXPECT_FAULT(do_read, NOWHERE + 8, VEC_PF, USER_NOT_PRESENT);
	EXPECT_FAULT(do_write, NOWHERE + 16, VEC_PF, USER_NOT_PRESENT | PFEC_W);
	EXPECT_FAULT(do_fetch, NOWHERE + 24, VEC_PF, USER_NOT_PRESENT | PFEC_I);
	return true;
}

static bool read_only(void)
{
	volatile uint8_t *p = (uint8_t *)mmap(PAGE_BYTES, 0);

	p[5] = 77;
	EXPECT_EQ(mprotect(p, PAGE_BYTES, 0), 0);
	EXPECT_FAULT(do_write, (uint64_t)p + 5, VEC_PF, USER_DENIED | PFEC_W);
	EXPECT_EQ(p[5], 77);
	EXPECT_EQ(mprotect(p, PAGE_BYTES, PROT_W), 0);
	do_write((uint64_t)p + 5);
	EXPECT_EQ(p[5], 0x5a);
	return true;
}

static bool text_not_writable(void)
{
	EXPECT_FAULT(do_write, (uint64_t)do_write, VEC_PF, USER_DENIED | PFEC_W);
	EXPECT_FAULT(do_write, (uint64_t)fault_tests, VEC_PF, USER_DENIED | PFEC_W);
	return true;
}

static bool data_not_executable(void)
{
	volatile uint8_t *p = (uint8_t *)mmap(PAGE_BYTES, 0);
	uint8_t on_stack = 0xc3;

	p[0] = 0xc3; /* ret */
	EXPECT_FAULT(do_fetch, (uint64_t)p, VEC_PF, USER_DENIED | PFEC_I);
	EXPECT_FAULT(do_fetch, (uint64_t)&on_stack, VEC_PF, USER_DENIED | PFEC_I);
	EXPECT_FAULT(do_fetch, (uint64_t)fault_tests, VEC_PF, USER_DENIED | PFEC_I);
	return true;
}

static bool write_xor_execute(void)
{
	volatile uint8_t *p = (uint8_t *)mmap(PAGE_BYTES, 0);

	p[0] = 0xc3; /* ret */
	EXPECT_EQ(mprotect(p, PAGE_BYTES, PROT_W | PROT_X), -EINVAL);
	EXPECT_EQ(mprotect(p, PAGE_BYTES, PROT_X), 0);
	do_fetch((uint64_t)p);
	EXPECT_FAULT(do_write, (uint64_t)p, VEC_PF, USER_DENIED | PFEC_W);
	EXPECT_EQ(mprotect(p, PAGE_BYTES, PROT_W), 0);
	do_write((uint64_t)p);
	EXPECT_FAULT(do_fetch, (uint64_t)p, VEC_PF, USER_DENIED | PFEC_I);
	return true;
}

static bool supervisor_only(void)
{
	EXPECT_FAULT(do_read, SUPERVISOR_TEXT, VEC_PF, USER_DENIED);
	EXPECT_FAULT(do_write, SUPERVISOR_DATA, VEC_PF, USER_DENIED | PFEC_W);
	EXPECT_FAULT(do_fetch, SUPERVISOR_TEXT, VEC_PF, USER_DENIED | PFEC_I);
	return true;
}

static void do_divide(uint64_t zero)
{
	__asm__ volatile("xor %%edx, %%edx; div %0" : : "r"((uint32_t)zero), "a"(1) : "rdx");
}

static void do_ud2(uint64_t arg)
{
	__asm__ volatile("ud2");
}

static bool divide_error(void)
{
	EXPECT_FAULT(do_divide, 0, VEC_DE, 0);
	return true;
}

static bool invalid_opcode(void)
{
	struct fault f;

	EXPECT_FAULT(do_ud2, 0, VEC_UD, 0);
	catch_fault(do_ud2, 0, &f);
	EXPECT_EQ(*(const uint16_t *)f.rip, 0x0b0f); /* the exception points at the instruction */
	return true;
}

static bool non_canonical(void)
{
	EXPECT_FAULT(do_read, 0x8000000000000000, VEC_GP, 0);
	EXPECT_FAULT(do_write, 0x0000800000000000, VEC_GP, 0);
	return true;
}

static void do_privileged(uint64_t which)
{
	static uint64_t pointer[2];

	switch (which) {
	case 0:
		__asm__ volatile("hlt");
		break;
	case 1:
		__asm__ volatile("cli");
		break;
	case 2:
		__asm__ volatile("sti");
		break;
	case 3:
		__asm__ volatile("mov %%cr3, %%rax" : : : "rax");
		break;
	case 4:
		__asm__ volatile("mov %0, %%cr3" : : "r"(0ull));
		break;
	case 5:
		__asm__ volatile("invlpg (%0)" : : "r"(pointer));
		break;
	case 6:
		__asm__ volatile("lidt %0" : : "m"(pointer));
		break;
	case 7:
		__asm__ volatile("ltr %w0" : : "r"(0x40));
		break;
	case 8:
		__asm__ volatile("wrmsr" : : "c"(MSR_EFER), "a"(0), "d"(0));
		break;
	case 9:
		__asm__ volatile("outb %0, %1" : : "a"((uint8_t)'!'), "d"((uint16_t)GNOMON_PORT_SERIAL));
		break;
	case 10:
		__asm__ volatile("inb %1, %0" : "=a"(*(uint8_t *)pointer) : "d"((uint16_t)GNOMON_PORT_SERIAL));
		break;
	case 11:
		__asm__ volatile("clts");
		break;
	}
}

static bool privileged(void)
{
	for (uint64_t which = 0; which < 12; which++)
		EXPECT_FAULT(do_privileged, which, VEC_GP, 0);
	return true;
}

const struct test fault_tests[] = {
    {"fault-not-present", not_present},
    {"fault-read-only", read_only},
    {"fault-text-not-writable", text_not_writable},
    {"fault-data-not-executable", data_not_executable},
    {"fault-write-xor-execute", write_xor_execute},
    {"fault-supervisor-only", supervisor_only},
    {"fault-divide", divide_error},
    {"fault-invalid-opcode", invalid_opcode},
    {"fault-non-canonical", non_canonical},
    {"fault-privileged", privileged},
    {0},
};
