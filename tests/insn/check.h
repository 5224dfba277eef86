/* SPDX-License-Identifier: MIT */
/* The checker's parts; main.c tells what they are for. */
#ifndef INSN_CHECK_H
#define INSN_CHECK_H

#include <Zydis/Zydis.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "insn.h"

#define CHECK_DIFFERENT 1
#define CHECK_USAGE     2
#define CHECK_FAILED    125
#define CHECK_SKIPPED   77

#define PAGE_BYTES   4096
#define INSN_MAX     15
#define OUTPUT_BYTES (sizeof(struct hello) + BLOCK_CASES * (8 + sizeof(struct insn_result)))

/* --- dice.c: numbers that follow from a seed --- */
struct dice {
	uint64_t state;
};
struct dice dice_init(uint64_t seed, uint64_t stream);
uint64_t dice_u64(struct dice *d);
/* From 0 to sides - 1. */
unsigned dice_throw(struct dice *d, unsigned sides);
static inline bool dice_one_in(struct dice *d, unsigned sides)
{
	return dice_throw(d, sides) == 0;
}
/* Random, with the edges of every width more often than chance would have them. */
uint64_t dice_value(struct dice *d);

/* --- forms.c: what there is to be encoded, by asking the decoder for every opcode --- */
enum form_group { GROUP_INTEGER, GROUP_FPU, GROUP_VECTOR, FORM_GROUPS };

/* One opcode with the prefixes that choose it, with a register or with memory. */
struct form {
	uint8_t encoding; /* ZydisInstructionEncoding */
	uint8_t map;      /* ZydisOpcodeMap */
	uint8_t opcode;
	uint8_t pp; /* 0, 0x66, 0xf3, 0xf2 */
	uint8_t w, l, b;
	uint8_t group; /* enum form_group */
	bool has_modrm, memory, vsib, masked;
	uint8_t regs; /* values of ModRM.reg that mean this */
	uint8_t rms;  /* of ModRM.rm, without memory */
	uint16_t mnemonic;
	uint32_t shape; /* which operands: equal for equal ones */
};

/* The forms of one mnemonic in one group. */
struct form_run {
	unsigned first, count;
};

struct forms {
	struct form *form; /* sorted by group and mnemonic */
	unsigned count;
	unsigned shapes;
	struct form_run run[FORM_GROUPS][ZYDIS_MNEMONIC_MAX_VALUE + 1];
	unsigned mnemonics[FORM_GROUPS];
};
extern const ZydisDecoder *decoder;
const struct forms *forms_find(void);
/* Bytes that say `f`, most often, with random operands; random bytes behind. */
void form_encode(const struct form *f, struct dice *d, uint8_t bytes[INSN_MAX]);

/* --- memory.c: what lies in the pages under test, and whether the guest maps an address --- */
void memory_fill(uint64_t seed, uint8_t pages[TEST_PAGES][PAGE_BYTES]);
void memory_fpu_images(uint64_t seed, uint64_t xfeatures, uint8_t images[FPU_IMAGES][FPU_BYTES]);
/* A value for 8 bytes: floating-point numbers, pointers, edges. */
uint64_t memory_word(struct dice *d);
/* Whether a page lies there for the guest, be it only for its kernel. */
bool guest_maps(uint64_t address);

/* --- generate.c --- */
enum judge { JUDGE_NATIVE = 1, JUDGE_NESTED = 2 };

struct generated {
	struct insn_case c;
	uint64_t number;
	uint8_t bytes[INSN_MAX];
	uint8_t length; /* of what was made; the CPU may see another */
	bool decodes;
	uint16_t mnemonic;      /* if it decodes */
	uint32_t shape;         /* of the form it was made from */
	unsigned not_judged_by; /* enum judge, bits */
	const char *why_not;
	bool wide;       /* encoded by VEX, EVEX or XOP, or XSAVE's: only with XSAVE in programs */
	bool stores;     /* perhaps to a table under test */
	bool split_lock; /* a locked access may cross cache lines */
	bool at_half;    /* an address may lie at the end of the lower half: what lies behind, the host decides */
};

struct generator {
	uint64_t seed;
	const struct forms *forms;
	uint8_t pages[TEST_PAGES][PAGE_BYTES];
};
void generator_init(struct generator *g, uint64_t seed);
void generate(const struct generator *g, uint64_t number, struct generated *ret_case);

/* --- exclude.c --- */
struct exclusion {
	uint16_t mnemonic;
	unsigned judges; /* who cannot judge it */
	const char *why;
};
const struct exclusion *exclusion_find(uint16_t mnemonic);
void exclusions_print(void);
/* generate.c: which cases of other instructions are left out, and why. */
extern const char exclusions_of_cases[];
/* Flags that the manuals leave undefined behind the instruction. */
uint64_t undefined_flags(const ZydisDecodedInstruction *z);

/* --- block.c: what is handed to the program --- */
/* What a side's programs have. */
struct abilities {
	uint64_t xfeatures; /* of x87, SSE, AVX, AVX-512; 0: no XSAVE */
	bool fsgsbase;
};
/* A block of the cases `first` to `first + count - 1`. Its memory belongs to this file, until the next. */
struct block *block_make(const struct generator *g, const struct generated *cases, unsigned count,
                         const struct abilities *both);
struct insn_case *block_case(struct block *b, unsigned index);

/* --- the sides: where cases are run --- */
struct run;
struct side {
	const char *name; /* "native", "nested", "shadow" */
	enum judge judge; /* which of them this is; 0: it is judged */
	const char *gnomon, *image;
	const char *const *options; /* of `gnomon run`, NULL-terminated */
	int (*run)(const struct side *side, const struct block *b, struct run *ret_run);
};

/* One run of a block. */
struct run {
	const uint8_t *output; /* what the program printed; until the next run */
	size_t output_len;
	bool ended; /* all cases were run; else: */
	char why[200];
};
/* native.c and guest_run.c. 0, or -errno, logged: the cases have not been run and cannot be. */
int native_run(const struct side *side, const struct block *b, struct run *ret_run);
int guest_run(const struct side *side, const struct block *b, struct run *ret_run);

/* --- cases.c: all cases of a block on one side --- */
enum fate { FATE_LEFT_OUT, FATE_RAN, FATE_ENDED };
struct outcome {
	enum fate fate;
	uint64_t hash;
	struct insn_result *result; /* with HOW_DETAIL */
	char *why;                  /* FATE_ENDED: how the run ended in this case */
};
void outcomes_free(struct outcome *outcomes, unsigned count);
/* What the program says of itself. */
int side_abilities(const struct side *side, const struct generator *g, struct abilities *ret_abilities);
/*
 * Runs the cases that HOW_SKIP does not leave out. A run that ends early is begun anew behind the case that ended it.
 * Returns 0 or -errno.
 */
int side_cases(const struct side *side, struct block *b, struct outcome *ret_outcomes);
/* --- report.c --- */
void report_case(const struct generated *gen);
void report_result(const char *side, const struct insn_result *r);
const char *vector_name(uint64_t vector);
/* What of `y` is not as in `x`, in a line; with `values` also how. */
void describe_difference(const struct block *b, const struct insn_result *x, const struct insn_result *y, bool values,
                         char *to, size_t len);
void disassemble(const struct generated *gen, char *to, size_t len);

/* --- quirks.c: of the host on which this runs --- */
/* Whether nobody can tell what this case must do here. */
bool quirk_leaves_out(const struct side *tested, const struct generated *gen);
/* Takes flags out of a case that nobody can tell here. */
void quirk_mask(const struct side *tested, struct generated *gen);
/* Why `found` may be other than what the judge says, or NULL. */
const char *quirk_excuses(const struct side *tested, const struct generated *gen, const struct insn_result *judge,
                          const struct insn_result *found);
void quirks_print(void);

/* --- summary.c: differences by kind --- */
void summary_add(const char *kind, const struct generated *gen);
void summary_print(void);

/* --- compare.c --- */
struct check {
	struct generator generator;
	struct side judge, tested;
	struct abilities both;
	bool wide;                /* what needs XSAVE can be judged */
	bool stores_only;         /* cases that may store to a table under test, no others */
	bool addresses_48;        /* the judge's, if it is this host */
	bool split_locks;         /* that CPU raises nothing for them */
	unsigned shown;           /* so many differences in full */
	enum plant plant;         /* in the side that is tested, */
	uint64_t plant_at;        /* from this case on */
	bool always_shown;        /* also a case in which there is no difference */
	char again[512];          /* a command line that makes such a check, up to which case, */
	const char *again_behind; /* and from there on */
	/* Counts. */
	uint64_t compared, left_out, different, excused, unsteady;
	uint8_t *mnemonics, *shapes; /* those met: 1 */
	char kind[240];              /* the last difference's */
};
/* Runs cases on both sides and reports where they differ. `first` to `first + count - 1` lie in one block. */
int check_block(struct check *k, uint64_t first, unsigned count);
/* The same of any number. */
int check_cases(struct check *k, uint64_t first, uint64_t count);
/* selftest.c: whether falsified results are found, one kind after the other, in TAP. Returns the exit status. */
int self_test(struct check *k);
extern const char *const plant_names[PLANTS];

#endif
