/* SPDX-License-Identifier: MIT */
/* Cases and what became of them, in words. */
#include <gnomon/x86.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "check.h"

static const char *const gpr_names[16] = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
                                          "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15"};

const char *vector_name(uint64_t vector)
{
	static const char *const names[] = {"#DE", "#DB", "NMI", "#BP", "#OF", "#BR", "#UD", "#NM", "#DF", "9",
	                                    "#TS", "#NP", "#SS", "#GP", "#PF", "15",  "#MF", "#AC", "#MC", "#XM"};

	return vector < sizeof(names) / sizeof(*names) ? names[vector]
	       : vector == VECTOR_SYSCALL              ? "SYSCALL"
	                                               : "another vector";
}

void disassemble(const struct generated *gen, char *to, size_t len)
{
	ZydisDecodedOperand op[ZYDIS_MAX_OPERAND_COUNT];
	ZydisDecodedInstruction z;
	ZydisFormatter formatter;

	snprintf(to, len, "unknown to Zydis");
	ZydisFormatterInit(&formatter, ZYDIS_FORMATTER_STYLE_INTEL);
	if (ZYAN_SUCCESS(ZydisDecoderDecodeFull(decoder, gen->bytes, INSN_MAX, &z, op)))
		ZydisFormatterFormatInstruction(&formatter, &z, op, z.operand_count_visible, to, len, gen->c.rip, NULL);
}

static void print_registers(const uint64_t *gpr)
{
	for (unsigned i = 0; i < 16; i++)
		fprintf(stderr, "%s%-3s %016llx%s", i % 4 ? "  " : "#     ", gpr_names[i], (unsigned long long)gpr[i],
		        i % 4 == 3 ? "\n" : "");
}

void report_case(const struct generated *gen)
{
	char text[128];

	disassemble(gen, text, sizeof(text));
	fprintf(stderr, "#   ");
	for (unsigned i = 0; i < gen->length; i++)
		fprintf(stderr, "%02x ", gen->bytes[i]);
	fprintf(stderr, "  %s\n#   before: rip %llx, rflags %llx, FPU image %u%s%s%s\n", text,
	        (unsigned long long)gen->c.rip, (unsigned long long)gen->c.rflags, gen->c.fpu,
	        gen->c.how & HOW_ENTER ? ", by the kernel" : "", gen->c.how & HOW_FLUSH ? ", CR3 reloaded" : "",
	        gen->c.how & HOW_FORMER ? ", page 12 was a table" : "");
	print_registers(gen->c.gpr);
	if (gen->c.flip_cr0 | gen->c.flip_cr4)
		fprintf(stderr, "#     the other way: %x of CR0, %x of CR4\n", gen->c.flip_cr0, gen->c.flip_cr4);
	if (gen->c.patch_at) {
		fprintf(stderr, "#     memory at %llx:", (unsigned long long)gen->c.patch_at);
		for (unsigned i = 0; i < 8; i++)
			fprintf(stderr, " %016llx", (unsigned long long)gen->c.patch[i]);
		fprintf(stderr, "\n");
	}
}

void report_result(const char *side, const struct insn_result *r)
{
	const struct trapped *t = &r->trapped;

	fprintf(stderr, "#   %s: %s, error code %llx, CR2 %llx, rip %llx, rflags %llx\n", side, vector_name(t->vector),
	        (unsigned long long)t->error, (unsigned long long)t->cr2, (unsigned long long)t->rip,
	        (unsigned long long)t->rflags);
}

struct text {
	char *to;
	size_t len, used;
	bool values; /* not only what differs, but how */
};

static void __attribute__((format(printf, 2, 3))) say(struct text *t, const char *fmt, ...)
{
	va_list args;
	int n;

	va_start(args, fmt);
	n = vsnprintf(t->to + t->used, t->len - t->used, fmt, args);
	va_end(args);
	if (n > 0)
		t->used = t->used + n < t->len ? t->used + n : t->len - 1;
}

static void compare_word(struct text *t, const char *name, uint64_t x, uint64_t y)
{
	if (x == y)
		return;
	say(t, "%s%s", t->used ? ", " : "", name);
	if (t->values)
		say(t, " %llx not %llx", (unsigned long long)y, (unsigned long long)x);
}

static void compare_memory(struct text *t, const struct insn_result *x, const struct insn_result *y)
{
	if (t->values)
		compare_word(t, "changed words", x->changes, y->changes);
	for (unsigned i = 0; i < CHANGES && (i < x->changes || i < y->changes); i++) {
		const struct change none = {0, 0}, *a = i < x->changes ? &x->change[i] : &none,
		                    *c = i < y->changes ? &y->change[i] : &none;
		char name[40];

		if (a->at == c->at && a->value == c->value)
			continue;
		snprintf(name, sizeof(name), t->values ? "memory at %llx" : "memory",
		         (unsigned long long)(a->at ? a->at : c->at));
		if (a->at == c->at || !a->at || !c->at || !t->values)
			compare_word(t, name, a->value, c->value);
		else
			say(t, "%smemory at %llx, not at %llx", t->used ? ", " : "", (unsigned long long)c->at,
			    (unsigned long long)a->at);
		return; /* the first tells */
	}
}

static void compare_fpu(struct text *t, const struct block *b, const struct insn_result *x, const struct insn_result *y)
{
	char name[40];

	for (unsigned at = 0; at < FPU_BYTES; at += 8) {
		const char *part = at < 32 ? "x87/MXCSR" : at < 160 ? "ST" : at < 416 ? "XMM" : NULL;
		uint64_t p, q;

		for (unsigned r = 0; r < FPU_RANGES; r++)
			if (at - b->fpu_range[r].at < b->fpu_range[r].len)
				part = "AVX";
		memcpy(&p, x->fpu + at, 8);
		memcpy(&q, y->fpu + at, 8);
		if (!part || p == q)
			continue;
		snprintf(name, sizeof(name), t->values ? "%s (save area %u)" : "%s", part, at);
		compare_word(t, name, p, q);
		return;
	}
}

void describe_difference(const struct block *b, const struct insn_result *x, const struct insn_result *y, bool values,
                         char *to, size_t len)
{
	const struct trapped *p = &x->trapped, *q = &y->trapped;
	struct text t = {to, len, 0, values};

	*to = 0;
	if (p->vector != q->vector)
		say(&t, "%s not %s", vector_name(q->vector), vector_name(p->vector));
	compare_word(&t, "error code", p->error, q->error);
	compare_word(&t, "CR2", p->cr2, q->cr2);
	compare_word(&t, "rip", p->rip, q->rip);
	compare_word(&t, "rflags", p->rflags, q->rflags);
	for (unsigned i = 0; i < 16; i++)
		compare_word(&t, gpr_names[i], p->gpr[i], q->gpr[i]);
	compare_word(&t, "CS in the frame", p->cs, q->cs);
	compare_word(&t, "SS in the frame", p->ss, q->ss);
	compare_word(&t, "segment registers", p->selectors, q->selectors);
	compare_word(&t, "FS base", p->fs_base, q->fs_base);
	compare_word(&t, "GS base", p->gs_base, q->gs_base);
	compare_memory(&t, x, y);
	compare_fpu(&t, b, x, y);
}
