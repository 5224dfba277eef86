/* SPDX-License-Identifier: MIT */
/* What happened, for people: the last steps of an arena, and a difference. */
#include <gnomon/x86.h>

#include "stress.h"

#define DIFFERENT 1

static void print_access(const struct access *x)
{
	static const char *const widths[] = {" 1 byte", " 2 bytes", " 4 bytes", " 8 bytes"};

	print(x->user ? "user " : "kernel ");
	print(op_names[x->op]);
	print(x->op == OP_FETCH ? "" : widths[x->width]);
	print(" page ");
	print_hex(page_address(x->page));
	print(" (");
	print_number(x->page);
	print(") slot ");
	print_number(x->offset / 8);
	print(" byte ");
	print_number(x->offset % 8);
	print(x->ac ? " AC=1" : "");
	if (!op_writes(x->op))
		return;
	print(" rax ");
	print_hex(x->rax);
	print(" rcx ");
	print_hex(x->rcx);
	print(" rdx ");
	print_hex(x->rdx);
}

static void print_record(const struct arena *a, const struct record *r)
{
	print("stream ");
	print_number(a->id);
	print(" throw ");
	print_number(r->throw);
	print(" cpu ");
	print_number(r->cpu);
	print(": ");
	if (r->is_access) {
		print_access(&r->access);
		print(r->a == ~0ull ? ": no fault" : ": #PF ");
		if (r->a != ~0ull)
			print_hex(r->a);
	} else {
		print(r->what);
		print(" ");
		print_hex(r->a);
		print(" ");
		print_hex(r->b);
	}
	print("\n");
}

static void keep(struct arena *a, const struct record *r)
{
	a->history[a->steps++ % HISTORY] = *r;
	if (a->id == options.trace_stream && a->throw >= options.trace_from && a->throw <= options.trace_to)
		print_record(a, r);
}

void arena_record(struct cpu *cpu, const char *what, uint64_t a, uint64_t b)
{
	keep(cpu->arena, &(struct record){.what = what, .throw = cpu->arena->throw, .a = a, .b = b, .cpu = cpu->id});
}

void arena_record_access(struct cpu *cpu, const struct access *access, uint64_t error)
{
	keep(cpu->arena,
	     &(struct record){
	         .throw = cpu->arena->throw, .a = error, .cpu = cpu->id, .is_access = true, .access = *access});
}

static void print_end(const struct end *e)
{
	print(e->fault ? "#PF, error code " : "no fault, frame ");
	print_hex(e->fault ? e->error : e->frame);
	print(e->old ? " (by an older entry)" : e->now ? "" : " (by another root's global page)");
}

static void print_tables(struct arena *a, const struct end *e)
{
	for (unsigned i = 0; i < e->length; i++) {
		print("\n    level ");
		print_number(4 - i);
		print(": frame ");
		print_number(e->path[i] / SLOTS);
		print(" index ");
		print_number(slot_index[e->path[i] % SLOTS]);
		print(": was ");
		print_hex(*want_pointer(a, e->path[i]));
		print(", holds ");
		print_hex(*word_pointer(a, e->path[i]));
	}
}

static void take_console(void)
{
	static bool taken;

	while (__atomic_exchange_n(&taken, true, __ATOMIC_ACQUIRE))
		__asm__ volatile("pause");
}

static void print_mode(const struct cpu *cpu)
{
	const struct mode *m = &cpu->mode;

	print(m->wp ? " WP=1" : " WP=0");
	print(m->nxe ? " NXE=1" : " NXE=0");
	print(m->smep ? " SMEP=1" : " SMEP=0");
	print(m->smap ? " SMAP=1" : " SMAP=0");
	print(m->pge ? " PGE=1" : " PGE=0");
	print(" root ");
	print_number(cpu->arena->tlb[cpu->id].root);
	print("\n");
}

static void finish(struct cpu *cpu, const char *what) __attribute__((noreturn));

static void finish(struct cpu *cpu, const char *what)
{
	const struct arena *a = cpu->arena;

	print("the last steps:\n");
	for (uint64_t i = a->steps < HISTORY ? 0 : a->steps - HISTORY; i < a->steps; i++)
		print_record(a, &a->history[i % HISTORY]);
	print("stress seed=");
	print_number(options.seed);
	print(" stream=");
	print_number(a->id);
	print(" throw=");
	print_number(a->throw);
	print(" cpu=");
	print_number(cpu->id);
	print_mode(cpu);
	print(what);
	print("\n");
	end(DIFFERENT);
}

void report_access(struct cpu *cpu, const struct access *access, const struct end *ends, unsigned count, bool exact)
{
	uint64_t cr2;

	__asm__ volatile("mov %%cr2, %0" : "=r"(cr2));
	take_console();
	print("difference: ");
	print_access(access);
	for (unsigned i = 0; i < count; i++) {
		print(i == 0 ? exact ? "\n  predicted: " : "\n  predicted now: " : "\n  possible: ");
		print_end(&ends[i]);
		print_tables(cpu->arena, &ends[i]);
		if (!ends[i].fault && access->op != OP_FETCH) {
			word_t word = ends[i].frame * SLOTS + access->offset / 8;

			print("\n    data: was ");
			print_hex(*want_pointer(cpu->arena, word));
			print(", holds ");
			print_hex(*word_pointer(cpu->arena, word));
		}
	}
	print("\n  seen: vector ");
	print_number(cpu->vector);
	print(" error code ");
	print_hex(cpu->error);
	print(" CR2 ");
	print_hex(cr2);
	print(" RIP ");
	print_hex(cpu->rip);
	print(" RAX ");
	print_hex(cpu->rax);
	print("\n");
	finish(cpu, "an access ended in another way than the tables say");
}

void fail(struct cpu *cpu, const char *what)
{
	take_console();
	finish(cpu, what);
}
