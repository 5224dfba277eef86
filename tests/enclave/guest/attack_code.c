/* SPDX-License-Identifier: MIT */
/* Enclaves whose code is random: whatever one executes, it is left with a reason, and the run goes on. */
#include "attacks.h"
#include "lib.h"

#define ID     3
#define ROUNDS 150
#define GOES   3  /* of one enclave */
#define BYTES  48 /* of random code; each instruction here can cost a microsecond */

static uint64_t state = 88172645463325252;

static uint64_t next(void)
{
	state ^= state << 13, state ^= state >> 7, state ^= state << 17;
	return state;
}

/* What leaves CPL 3, or could. The length comes first. */
static const uint8_t pieces[][9] = {
    {2, 0x0f, 0x05},                    /* syscall */
    {7, 0xb8, 10, 0, 0, 0, 0x0f, 0x05}, /* mov $REPORT, %eax; syscall */
    {7, 0xb8, 12, 0, 0, 0, 0x0f, 0x05}, /* mov $KEY, %eax; syscall */
    {2, 0x0f, 0x34},                    /* sysenter */
    {3, 0x48, 0x0f, 0x07},              /* sysret */
    {2, 0x48, 0xcf},                    /* iretq */
    {2, 0x48, 0xcb},                    /* lretq */
    {1, 0xcc},                          /* int3 */
    {1, 0xf1},                          /* int1 */
    {2, 0xcd, 0x80},                    /* int $0x80 */
    {2, 0xcd, 0x0d},                    /* int $13 */
    {2, 0xcd, 0x03},                    /* int $3 */
    {2, 0xcd, 0x02},                    /* int $2 */
    {2, 0xcd, 0x08},                    /* int $8 */
    {2, 0x0f, 0x0b},                    /* ud2 */
    {1, 0xf4},                          /* hlt */
    {1, 0xee},                          /* out */
    {1, 0xef},                          /* outl */
    {1, 0x6f},                          /* outsl */
    {3, 0x0f, 0x01, 0xc1},              /* vmcall */
    {3, 0x0f, 0x01, 0xd9},              /* vmmcall */
    {3, 0x0f, 0x01, 0xf8},              /* swapgs */
    {3, 0x0f, 0x01, 0xd0},              /* xgetbv */
    {3, 0x0f, 0x01, 0xc8},              /* monitor */
    {3, 0x0f, 0x01, 0xc9},              /* mwait */
    {2, 0x0f, 0xa2},                    /* cpuid */
    {2, 0x0f, 0x31},                    /* rdtsc */
    {3, 0x0f, 0x01, 0xf9},              /* rdtscp */
    {2, 0x0f, 0x32},                    /* rdmsr */
    {2, 0x0f, 0x33},                    /* rdpmc */
    {2, 0x9c, 0x9d},                    /* pushf; popf */
    {6, 0x68, 0, 1, 0, 0, 0x9d},        /* push $0x100; popf: TF */
    {6, 0x68, 0, 0, 4, 0, 0x9d},        /* push $0x40000; popf: AC */
    {6, 0x68, 0, 0x40, 0, 0, 0x9d},     /* push $0x4000; popf: NT */
    {2, 0x8e, 0xd0},                    /* mov %eax, %ss */
    {2, 0x8e, 0xd8},                    /* mov %eax, %ds */
    {2, 0x8e, 0xe0},                    /* mov %eax, %fs */
    {2, 0x8e, 0xe8},                    /* mov %eax, %gs */
    {3, 0x48, 0x89, 0xc4},              /* mov %rax, %rsp */
    {2, 0xff, 0xe0},                    /* jmp *%rax */
    {2, 0xff, 0xe1},                    /* jmp *%rcx */
    {1, 0xc3},                          /* ret */
    {3, 0x48, 0x8b, 0x00},              /* mov (%rax), %rax */
    {3, 0x48, 0x89, 0x00},              /* mov %rax, (%rax) */
    {4, 0x0f, 0xae, 0x00, 0x90},        /* fxsave (%rax) */
    {4, 0x0f, 0xae, 0x08, 0x90},        /* fxrstor (%rax) */
    {2, 0xdb, 0xe3},                    /* fninit */
    {2, 0xeb, 0xfe},                    /* jmp . */
    {5, 0xf3, 0x48, 0x0f, 0xae, 0xd0},  /* wrfsbase */
    {3, 0x0f, 0x01, 0x00},              /* sgdt (%rax) */
    {3, 0x0f, 0x01, 0x08},              /* sidt (%rax) */
    {3, 0x0f, 0x00, 0xc8},              /* str %eax */
    {4, 0xf0, 0x48, 0x0f, 0xc7},        /* a part of cmpxchg16b */
};

/* Registers get one of these. */
static const uint64_t values[] = {
    0,
    1,
    8,
    9,
    10,
    12,
    BASE + 64,
    BASE + PAGE + 64,
    BASE + PAGE + 0xff8,
    BASE + 2 * PAGE - 1,
    BUFFER,
    0xffffff8000000000,
    0xfffffffffffff000,
    0x800000000000,
    0x7fffffffffff,
    0x8000000000000000,
    0x2b,
    0x33,
    0x23,
    0x1b,
    0x10,
    0xf4,
    0x400000,
    ~0ull,
};

static uint8_t *put_value(uint8_t *p, uint64_t x)
{
	static const uint8_t move[] = {0xb8, 0xb9, 0xbf, 0xba, 0xbe}; /* RAX, RCX, RDI, RDX, RSI */
	const uint64_t v = values[x % (sizeof(values) / sizeof(*values))];

	*p++ = 0x48;
	*p++ = move[(x >> 8) % 5];
	__builtin_memcpy(p, &v, 8);
	return p + 8;
}

static void make_code(uint8_t *p)
{
	uint8_t *end = p + BYTES;

	while (p < end) {
		const uint64_t x = next();
		const uint8_t *piece = pieces[(x >> 16) % (sizeof(pieces) / sizeof(*pieces))];

		if (x % 8 < 3) {
			p = put_value(p, x >> 24);
		} else if (x % 8 < 7) {
			for (unsigned i = 1; i <= piece[0]; i++)
				*p++ = piece[i];
		} else {
			*p++ = x >> 32;
			*p++ = x >> 40;
		}
	}
}

static volatile bool stop;

/* An enclave may loop. */
static void interrupt(void)
{
	while (!stop) {
		for (int i = 0; i < 1500; i++)
			out32(GNOMON_PORT_NOP, 0);
		out32(GNOMON_PORT_IPI, GNOMON_IPI(0, 32));
	}
	for (;;)
		__asm__ volatile("hlt");
}

/* A page of it, and one of data. */
static void build_random(void)
{
	create(ID, FRAME(2));
	fill(FRAME(0), 0x90);
	fill(FRAME(1), 0x5a);
	make_code((uint8_t *)FRAME(0));
	add(ID, BASE, RX, FRAME(0));
	add(ID, BASE + PAGE, RW, FRAME(1));
	if (init(ID) != GNOMON_ENCLAVE_OK)
		end(3);
}

/* On from where it was left. */
static enum gnomon_enclave_status go_on(const struct gnomon_enclave_left *left)
{
	const uint32_t had = interrupts;

	while (left->reason == GNOMON_ENCLAVE_INTERRUPTED && interrupts == had)
		take_interrupts();
	return left->reason == GNOMON_ENCLAVE_EXITED ? enter(0, ID, next() % 16, BASE + PAGE, BUFFER)
	                                             : resume(0, ID, left->ticket, next() % 64);
}

void attack_code(void)
{
	unsigned odd = 0;

	start_other(interrupt);
	for (int i = 0; i < ROUNDS; i++) {
		enum gnomon_enclave_status s;

		build_random();
		s = enter(0, ID, next() % 16, BASE + PAGE, BUFFER);
		for (int n = 0; n < GOES && s == GNOMON_ENCLAVE_OK; n++) {
			odd += request[0].left.reason > GNOMON_ENCLAVE_FAULTED;
			s = go_on(&request[0].left);
		}
		odd += s != GNOMON_ENCLAVE_OK;
		if (destroy(ID) != GNOMON_ENCLAVE_OK)
			end(4);
	}
	stop = true;
	expect("no other answer", odd, 0);
}
