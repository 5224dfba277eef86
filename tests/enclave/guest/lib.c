/* SPDX-License-Identifier: MIT */
#include "lib.h"

#include "../../../guest/fdt.h"

int wrong;
volatile uint32_t interrupts;
struct gnomon_enclave_request request[2] __attribute__((aligned(256)));

extern const uint8_t other_cpu[], other_stack_top[];

/* ---- words ---- */

void say(const char *text)
{
	for (; *text; text++)
		out8(GNOMON_PORT_SERIAL, *text);
}

void say_number(uint64_t v)
{
	char digits[21], *p = digits + 20;

	*p = 0;
	do
		*--p = '0' + v % 10;
	while (v /= 10);
	say(p);
}

void end(int status)
{
	for (;;)
		out8(GNOMON_PORT_EXIT, status);
}

void expect(const char *name, uint64_t got, uint64_t wanted)
{
	say(got == wanted ? "ok " : "wrong ");
	say(name);
	if (got != wanted) {
		wrong++;
		say(": ");
		say_number(got);
		say(", not ");
		say_number(wanted);
	}
	say("\n");
}

bool same(const char *a, const char *b)
{
	while (*a && *a == *b)
		a++, b++;
	return *a == *b;
}

const char *word(const void *fdt)
{
	uint32_t len;
	const char *args = fdt_property(fdt, FDT_NAME("chosen"), FDT_NAME("bootargs"), &len);

	return args ? args : "";
}

/* ---- memory ---- */

static void copy(void *to, const void *from, uint64_t size)
{
	__asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(size) : : "memory");
}

void fill(uint64_t gpa, uint8_t byte)
{
	uint64_t n = PAGE / 8, v = byte * 0x0101010101010101;

	__asm__ volatile("rep stosq" : "+D"(gpa), "+c"(n) : "a"(v) : "memory");
}

bool is_filled(uint64_t gpa, uint8_t byte)
{
	const volatile uint64_t *p = (const volatile uint64_t *)gpa;

	for (uint64_t i = 0; i < PAGE / 8; i += 31) /* some of it: each instruction can cost a microsecond */
		if (p[i] != byte * 0x0101010101010101)
			return false;
	return p[PAGE / 8 - 1] == byte * 0x0101010101010101;
}

/* ---- requests ---- */

enum gnomon_enclave_status call(int cpu, enum gnomon_enclave_call what)
{
	struct gnomon_enclave_request *q = &request[cpu];

	q->version = GNOMON_ENCLAVE_VERSION;
	q->call = what;
	q->status = GNOMON_ENCLAVE_NR_STATUS;
	out32(GNOMON_PORT_ENCLAVE, (uint32_t)(uint64_t)q);
	return *(volatile uint32_t *)&q->status;
}

enum gnomon_enclave_status create(unsigned id, uint64_t buffer_gpa)
{
	request[0] = (struct gnomon_enclave_request){.id = id,
	                                             .gpa = buffer_gpa,
	                                             .create = {.base = BASE,
	                                                        .size = PAGES * PAGE,
	                                                        .entry = BASE,
	                                                        .stack = BASE + 2 * PAGE,
	                                                        .buffer = BUFFER,
	                                                        .buffer_size = PAGE}};
	return call(0, GNOMON_ENCLAVE_CREATE);
}

enum gnomon_enclave_status add_pages(unsigned id, uint64_t va, unsigned rights, uint64_t gpa, uint64_t pages,
                                     uint64_t flags)
{
	request[0].id = id;
	request[0].va = va;
	request[0].rights = rights;
	request[0].gpa = gpa;
	request[0].args[0] = pages;
	request[0].flags = flags;
	return call(0, GNOMON_ENCLAVE_ADD);
}

enum gnomon_enclave_status add(unsigned id, uint64_t va, unsigned rights, uint64_t gpa)
{
	return add_pages(id, va, rights, gpa, 0, 0);
}

enum gnomon_enclave_status extend(unsigned id, uint64_t va)
{
	request[0].id = id;
	request[0].va = va;
	return call(0, GNOMON_ENCLAVE_EXTEND);
}

enum gnomon_enclave_status init(unsigned id)
{
	request[0].id = id;
	request[0].flags = 0;
	return call(0, GNOMON_ENCLAVE_INIT);
}

enum gnomon_enclave_status enter(int cpu, unsigned id, enum sample what, uint64_t with, uint64_t more)
{
	request[cpu].id = id;
	request[cpu].va = BASE;
	request[cpu].args[0] = what;
	request[cpu].args[1] = with;
	request[cpu].args[2] = more;
	return call(cpu, GNOMON_ENCLAVE_ENTER);
}

enum gnomon_enclave_status resume(int cpu, unsigned id, uint64_t ticket, uint64_t result)
{
	request[cpu].id = id;
	request[cpu].ticket = ticket;
	request[cpu].args[0] = result;
	return call(cpu, GNOMON_ENCLAVE_RESUME);
}

enum gnomon_enclave_status remove_page(unsigned id, uint64_t va)
{
	request[0].id = id;
	request[0].va = va;
	return call(0, GNOMON_ENCLAVE_REMOVE);
}

enum gnomon_enclave_status destroy(unsigned id)
{
	request[0].id = id;
	return call(0, GNOMON_ENCLAVE_DESTROY);
}

static void must(const char *name, enum gnomon_enclave_status s)
{
	if (s != GNOMON_ENCLAVE_OK)
		expect(name, s, GNOMON_ENCLAVE_OK);
}

void build(unsigned id, unsigned frame)
{
	must("create", create(id, FRAME(frame + 2)));
	copy((void *)FRAME(frame), sample, PAGE);
	fill(FRAME(frame + 1), 0);
	must("add code", add(id, BASE, RX, FRAME(frame)));
	must("add data", add(id, BASE + PAGE, RW, FRAME(frame + 1)));
	must("extend code", extend(id, BASE));
	must("extend data", extend(id, BASE + PAGE));
}

void build_and_seal(unsigned id, unsigned frame)
{
	build(id, frame);
	must("init", init(id));
}

/* ---- CPUs ---- */

void start_other(void (*fn)(void))
{
	static struct gnomon_cpu_start start;
	uint64_t cr3;

	__asm__ volatile("mov %%cr3, %0" : "=r"(cr3));
	start = (struct gnomon_cpu_start){.version = GNOMON_ABI_VERSION,
	                                  .cpu = 1,
	                                  .rip = (uint64_t)other_cpu,
	                                  .rsp = (uint64_t)other_stack_top,
	                                  .cr3 = cr3,
	                                  .rdi = (uint64_t)fn};
	out32(GNOMON_PORT_CPU_START, (uint32_t)(uint64_t)&start);
}

void take_interrupts(void)
{
	__asm__ volatile("sti\n\tnop\n\tcli" : : : "memory");
}
