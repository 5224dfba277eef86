/* SPDX-License-Identifier: MIT */
/*
 * What decides beside the page tables. Three groups: instructions of the FPU under CR0.EM, MP and TS (APM2 8.2.8, SDM 3
 * 2.5), alignment under CR0.AM and RFLAGS.AC (APM2 8.2.18), and an interrupt or a debug trap that is due where STI or
 * MOV SS holds it back for one instruction (APM2 8.5).
 */
#include <gnomon/abi.h>
#include <gnomon/x86.h>

#include "oracle.h"

#define SHOWN       10
#define INTERRUPT   32
#define LEAF        (TEST_VA & 0x1ff000)
#define XCR0_AVX    7
#define DR7_WATCHES 0x70001 /* DR0: 2 bytes, read or written */
#define CPUID_AVX   (1 << 28)

#define STATES(X)                                                                                                      \
	X(x87)                                                                                                         \
	X(wait)                                                                                                        \
	X(mmx) X(sse) X(avx) X(read) X(write) X(nop) X(store) X(unknown) X(cli) X(sti) X(step) X(step_ss)              \
	    X(step_ss_unknown) X(watch) X(watch_ss) X(drain) X(set_cr4) X(set_xcr0)

#define DECLARE(name) extern char state_##name[], behind_##name[];
STATES(DECLARE)
extern char user_read[];
extern volatile uint64_t trapped_vector, trapped_error, trapped_rip;

void access_state(uint64_t code, uint64_t address, uint64_t flags, uint64_t user);

/* What comes: a vector; where: at the instruction's beginning (fault) or behind it. */
struct outcome {
	uint64_t vector, rip, error;
};

/* The code ran to its end. */
static const struct outcome through = {NO_VECTOR, 0, 0};

static uint64_t tried, wrong;
static uint64_t cr0, cr0_now;
static bool plain; /* kvm_pvm in nested mode: CPL 0 is an emulator, CPL 3 has the host's CR0 */

static void set_cr0(uint64_t value)
{
	cr0_now = value;
	__asm__ volatile("mov %0, %%cr0" : : "r"(value) : "memory");
}

static uint64_t get_cr4(void)
{
	uint64_t cr4;

	__asm__ volatile("mov %%cr4, %0" : "=r"(cr4));
	return cr4;
}

static void set_cr4(uint64_t cr4)
{
	__asm__ volatile("mov %0, %%cr4" : : "r"(cr4) : "memory");
}

static void print_outcome(const char *what, const struct outcome *o)
{
	print(what);
	print("vector ");
	print_number(o->vector);
	print(", error code ");
	print_hex(o->error);
	print(", at +");
	print_number(o->rip);
}

/* Runs the code, and compares. `rip` counts from the code's beginning. */
static void try_state(const char *name, const char *code, uint64_t address, uint64_t flags, bool user,
                      struct outcome want, bool also_ac)
{
	const uint64_t at = user ? USER_VA + (uint64_t)(code - user_read) : (uint64_t)code;
	struct outcome got;

	access_state(at, address, flags, user);
	__asm__ volatile("push %0\n\tpopfq" : : "i"(RFLAGS_FIXED) : "memory", "cc");
	got = (struct outcome){trapped_vector, trapped_rip - at, 0};
	if (got.vector == (user ? VEC_BP : NO_VECTOR))
		got = through;
	if (got.vector == VEC_PF || got.vector == VEC_AC)
		got.error = trapped_error;
	tried++;
	if (want.vector == VEC_PF && got.vector == VEC_AC && also_ac)
		want = (struct outcome){VEC_AC, 0, 0};
	if (got.vector == want.vector && got.rip == want.rip && got.error == want.error)
		return;
	if (wrong++ >= SHOWN)
		return;
	print("state ");
	print(name);
	print(user ? ", user, CR0 " : ", kernel, CR0 ");
	print_hex(cr0_now);
	print(", RFLAGS ");
	print_hex(flags);
	print(", address ");
	print_hex(address);
	print_outcome(": predicted ", &want);
	print_outcome("; observed ", &got);
	print("\n");
}

enum unit { X87, WAIT, MMX, SSE, AVX };

/* 0: executed. QEMU looks at TS before EM. */
static uint64_t predict_unit(enum unit unit, bool em, bool mp, bool ts, bool qemu)
{
	switch (unit) {
	case X87:
		return em || ts ? VEC_NM : 0;
	case WAIT:
		return mp && ts ? VEC_NM : 0;
	case AVX: /* VEX encodings do not look at EM */
		return ts ? VEC_NM : 0;
	default:
		return em && !(ts && qemu) ? VEC_UD : ts ? VEC_NM : 0;
	}
}

static bool runs(const char *code, uint64_t operand)
{
	access_state((uint64_t)code, operand, RFLAGS_FIXED, false);
	return trapped_vector == NO_VECTOR;
}

/* False: the machine has none. CPUID does not tell where it shows what the host has: docs/shadow.md. */
static bool enable_avx(void)
{
	uint32_t a = 1, b, c = 0, d;

	__asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
	return (c & CPUID_AVX) && runs(state_set_cr4, get_cr4() | CR4_OSXSAVE) && runs(state_set_xcr0, XCR0_AVX);
}

static void try_units(bool qemu)
{
	static const struct {
		const char *name, *code;
		enum unit unit;
	} units[] = {{"x87", state_x87, X87},
	             {"wait", state_wait, WAIT},
	             {"mmx", state_mmx, MMX},
	             {"sse", state_sse, SSE},
	             {"avx", state_avx, AVX}};
	const uint64_t cr4 = get_cr4();
	bool avx;

	set_cr4(cr4 | CR4_OSFXSR);
	avx = enable_avx();
	for (unsigned bits = 0; bits < 8; bits++) {
		const bool em = bits & 1, mp = bits & 2, ts = bits & 4;

		set_cr0((cr0 & ~(uint64_t)(CR0_EM | CR0_MP | CR0_TS)) | (em ? CR0_EM : 0) | (mp ? CR0_MP : 0) |
		        (ts ? CR0_TS : 0));
		for (unsigned i = 0; i < (avx ? 10 : 8); i++) {
			const bool user = i % 2;
			const uint64_t vector = predict_unit(units[i / 2].unit, em, mp, ts, qemu);

			if (plain && !user)
				continue;
			try_state(units[i / 2].name, units[i / 2].code, 0, RFLAGS_FIXED, user,
			          vector ? (struct outcome){vector, 0, 0} : through, false);
		}
	}
	set_cr0(cr0);
	set_cr4(cr4);
}

/* Has the test's page mapped with these bits in the leaf. */
static void map_page(uint64_t bits)
{
	uint64_t entry[LEVELS];

	for (int level = 4; level > 1; level--)
		entry[level] = table_of[level - 1] | PTE_P | PTE_W | PTE_U | PTE_A;
	entry[1] = (test_page + LEAF) | bits;
	observe_set(entry, NULL);
	__asm__ volatile("invlpg (%0)" : : "r"(TEST_VA) : "memory");
}

/* A page fault or #AC: CPUs may choose where both are due, SDM 3 table 6-2; AMD's were seen to raise #AC. */
static struct outcome predict_aligned(bool write, bool user, uint64_t leaf, bool checked)
{
	const bool present = leaf & PTE_P;

	if (!present || (user && !(leaf & PTE_U)) || (write && !(leaf & PTE_W)))
		return (struct outcome){VEC_PF, 0, (present ? PFEC_P : 0) | (write ? PFEC_W : 0) | (user ? PFEC_U : 0)};
	return checked ? (struct outcome){VEC_AC, 0, 0} : through;
}

static void try_alignment(bool qemu)
{
	static const uint64_t leaves[] = {PTE_P | PTE_W | PTE_U, PTE_P | PTE_U, PTE_P | PTE_W, 0, PTE_W | PTE_U};

	for (unsigned i = 0; i < 5 * 32; i++) {
		const bool am = i & 1, ac = i & 2, user = i & 4, write = i & 8, odd = i & 16;
		const uint64_t leaf = leaves[i / 32];
		const bool checked = am && ac && user && odd;

		if ((qemu && checked) || (plain && ac && user && odd)) /* kvm_pvm's CR0.AM is the host's */
			continue;
		set_cr0((cr0 & ~(uint64_t)CR0_AM) | (am ? CR0_AM : 0));
		map_page(leaf);
		try_state(write ? "write" : "read", write ? state_write : state_read, TEST_VA + TEST_DATA + odd,
		          RFLAGS_FIXED | (ac ? RFLAGS_AC : 0), user, predict_aligned(write, user, leaf, checked),
		          checked);
	}
	set_cr0(cr0);
}

/* An interrupt for this CPU is due, and RFLAGS.IF is 0. */
static void make_due(void)
{
	__asm__ volatile("outl %0, %w1" : : "a"((uint32_t)GNOMON_IPI(0, INTERRUPT)), "d"(GNOMON_PORT_IPI) : "memory");
}

/* It comes where it can, if it did not. */
static void drain(void)
{
	do
		access_state((uint64_t)state_drain, 0, RFLAGS_FIXED, false);
	while (trapped_vector == INTERRUPT);
	__asm__ volatile("cli");
}

#define BEHIND(name) (uint64_t)(behind_##name - state_##name)

/* `kvm_shadow`: KVM fills its own entry for the store, and the shadow of STI is gone then. */
static void try_pending(bool kvm_shadow)
{
	const struct {
		const char *name, *code;
		uint64_t leaf;
		struct outcome due, not_due;
	} cases[] = {
	    {"sti, nop", state_nop, 0, {INTERRUPT, BEHIND(nop), 0}, through},
	    {"sti, store", state_store, PTE_P | PTE_W, {INTERRUPT, BEHIND(store), 0}, through},
	    {"sti, store that faults", state_store, PTE_P, {VEC_PF, 1, PFEC_P | PFEC_W}, {VEC_PF, 1, PFEC_P | PFEC_W}},
	    {"sti, xorps", state_unknown, 0, {INTERRUPT, BEHIND(unknown), 0}, through},
	    {"sti, cli", state_cli, 0, through, through},
	    {"sti, sti", state_sti, 0, {INTERRUPT, BEHIND(sti), 0}, through},
	};
	const uint64_t cr4 = get_cr4();

	set_cr4(cr4 | CR4_OSFXSR);
	for (unsigned i = 0; i < 2 * sizeof(cases) / sizeof(*cases); i++) {
		const bool due = i % 2;

		if (kvm_shadow && due && cases[i / 2].code == state_store)
			continue;
		map_page(cases[i / 2].leaf);
		if (due)
			make_due();
		try_state(cases[i / 2].name, cases[i / 2].code, TEST_VA + TEST_DATA, RFLAGS_FIXED, false,
		          due ? cases[i / 2].due : cases[i / 2].not_due, false);
		drain();
	}
	set_cr4(cr4);
}

static void set_watch(uint64_t address, uint64_t dr7)
{
	__asm__ volatile("mov %0, %%dr0\n\tmov %1, %%dr6\n\tmov %2, %%dr7"
	                 :
	                 : "r"(address), "r"(0xffff0ff0ull), "r"(dr7));
}

/* Debug traps: behind the instruction, and behind the next one where MOV SS holds them back. */
static void try_traps(bool known)
{
	static uint16_t selector = GNOMON_BOOT_DS;
	const struct {
		const char *name, *code;
		bool watch;
		uint64_t behind;
	} cases[] = {{"step", state_step, false, BEHIND(step)},
	             {"step, mov ss, nop", state_step_ss, false, BEHIND(step_ss)},
	             {"step, mov ss, xorps", state_step_ss_unknown, false, BEHIND(step_ss_unknown)},
	             {"watched read", state_watch, true, BEHIND(watch)},
	             {"watched mov ss, nop", state_watch_ss, true, BEHIND(watch_ss)}};
	const uint64_t cr4 = get_cr4();

	set_cr4(cr4 | CR4_OSFXSR);
	for (unsigned i = 0; i < 2 * sizeof(cases) / sizeof(*cases); i++) {
		const bool due = i % 2 || !cases[i / 2].watch;

		if ((!cases[i / 2].watch && i % 2) || (cases[i / 2].code == state_watch_ss && !known))
			continue;
		if (cases[i / 2].watch)
			set_watch((uint64_t)&selector, due ? DR7_WATCHES : 0);
		try_state(cases[i / 2].name, cases[i / 2].code, (uint64_t)&selector, RFLAGS_FIXED, false,
		          due ? (struct outcome){VEC_DB, cases[i / 2].behind, 0} : through, false);
		if (cases[i / 2].watch)
			set_watch(0, 0);
	}
	set_cr4(cr4);
}

uint64_t states_try(const struct states_judge *judge, uint64_t *ret_differences)
{
	plain = !judge->stac;
	observe_mode(&(struct mode){.wp = true, .nxe = true});
	__asm__ volatile("mov %%cr0, %0" : "=r"(cr0));
	cr0_now = cr0;
	if (!plain)
		try_units(judge->qemu);
	try_alignment(judge->qemu);
	if (!plain) {
		try_pending(judge->kvm_shadow);
		try_traps(judge->known);
	}
	*ret_differences = wrong;
	return tried;
}
