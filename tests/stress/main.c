/* SPDX-License-Identifier: MIT */
/* Arguments, and who steps when. */
#include <gnomon/abi.h>

#include "../../guest/fdt.h"
#include "stress.h"

#define ALONE    1792 /* steps of each CPU in its own arena, side by side; then */
#define TOGETHER 512  /* steps of all in the shared one, in turn; a few more, to end a throw */
#define BAD_ARGS 2

struct options options = {.seed = 1, .steps = 100000, .trace_stream = ~0ull};

void main(const struct fdt *fdt) __attribute__((noreturn));
void main_other(struct cpu *cpu) __attribute__((noreturn));

static void parse(const char *args)
{
	while (*args) {
		if (take_word(&args, "seed")) {
			options.seed = take_number(&args);
		} else if (take_word(&args, "steps")) {
			options.steps = take_number(&args);
		} else if (take_word(&args, "trace")) {
			options.trace_stream = take_number(&args);
			options.trace_from = take_number(&args);
			options.trace_to = take_number(&args);
		} else if (take_word(&args, "popf")) {
			options.ac = AC_POPF;
		} else if (take_word(&args, "stac")) {
			options.ac = AC_STAC;
		} else if (take_word(&args, "qemu-npt")) {
			options.qemu = options.qemu_npt = true;
		} else if (take_word(&args, "qemu")) {
			options.qemu = true;
		} else if (take_word(&args, "kvm-shadow")) {
			options.kvm_shadow = true;
		} else {
			print("usage: stress [seed N] [steps N] [trace STREAM FROM-THROW TO-THROW] [popf | stac] [qemu "
			      "| qemu-npt] [kvm-shadow]\n");
			end(BAD_ARGS);
		}
	}
}

/* All CPUs have come here. */
static void meet(void)
{
	static uint64_t arrived;
	uint64_t mine = __atomic_add_fetch(&arrived, 1, __ATOMIC_ACQ_REL);
	uint64_t all = (mine + cpus - 1) / cpus * cpus;

	while (__atomic_load_n(&arrived, __ATOMIC_ACQUIRE) < all)
		__asm__ volatile("pause");
}

/* Whose turn it is follows from its number. */
static unsigned owner(uint64_t turn)
{
	return mix(options.seed + turn * 0x2545f4914f6cdd1d) % cpus;
}

static void step_alone(struct cpu *cpu, uint64_t steps)
{
	while (cpu->arena->steps < steps)
		throw_dice(cpu);
}

/* While it is another's turn, a CPU does what others ask for, and looks whether the anchor holds. */
static void step_together(struct cpu *cpu, uint64_t steps)
{
	static uint64_t turns, done;

	for (;;) {
		const uint64_t turn = __atomic_load_n(&turns, __ATOMIC_ACQUIRE);

		if (__atomic_load_n(&done, __ATOMIC_ACQUIRE) >= steps)
			return;
		if (owner(turn) == cpu->id) {
			throw_dice(cpu);
			__atomic_store_n(&done, cpu->arena->steps, __ATOMIC_RELEASE);
			__atomic_store_n(&turns, turn + 1, __ATOMIC_RELEASE);
		} else {
			cpu_poll(cpu);
			arena_check_anchor(cpu);
			for (unsigned i = 0; i < 64; i++)
				__asm__ volatile("pause");
		}
	}
}

/* Into the shared arena one by one: entering writes to it. */
static void enter_shared(struct cpu *cpu)
{
	for (unsigned id = 0; id < cpus; id++) {
		meet();
		if (cpu->id == id)
			arena_enter(cpu, &arenas[SHARED], id);
	}
	meet();
}

static void rounds(struct cpu *cpu)
{
	const uint64_t of_a_round = cpus * ALONE + TOGETHER;
	const uint64_t count = (options.steps + of_a_round - 1) / of_a_round;

	for (uint64_t i = 0; i < count; i++) {
		arena_enter(cpu, &arenas[cpu->id], 0);
		step_alone(cpu, (i + 1) * ALONE);
		enter_shared(cpu);
		step_together(cpu, (i + 1) * TOGETHER);
		meet();
	}
	arena_check(cpu, &arenas[cpu->id], FRAMES);
	if (cpu->id == 0)
		arena_check(cpu, &arenas[SHARED], FRAMES);
	meet();
}

void main_other(struct cpu *cpu)
{
	cpu_init(cpu);
	rounds(cpu);
	for (;;)
		__asm__ volatile("pause");
}

void main(const struct fdt *fdt)
{
	uint32_t len;
	uint64_t done = 0;
	const int found = fdt_count(fdt, FDT_NAME("cpus"), FDT_PREFIX("cpu@"));
	const char *args = fdt_property(fdt, FDT_NAME("chosen"), FDT_NAME("bootargs"), &len);

	parse(args ? args : "");
	print("stress seed=");
	print_number(options.seed);
	print(" steps=");
	print_number(options.steps);
	print(" cpus=");
	cpus = found < 1 ? 1 : found > MAX_CPUS ? MAX_CPUS : found;
	print_number(cpus);
	print("\n");
	machine_init();
	scenes_init();
	for (unsigned id = 0; id <= SHARED; id++)
		arena_init(&arenas[id], id, ARENAS_BASE + ((uint64_t)id << ARENA_SHIFT));
	for (unsigned id = 0; id < cpus; id++)
		cpu_area(id)->id = id;
	cpu_init(cpu_area(0));
	arena_probe(cpu_area(0));
	for (unsigned id = 1; id < cpus; id++)
		cpu_start(id);
	rounds(cpu_area(0));
	for (unsigned id = 0; id <= SHARED; id++)
		done += arenas[id].steps;
	print("stress done=");
	print_number(done);
	print(" differences=0\n");
	end(0);
}
