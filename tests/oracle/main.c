/* SPDX-License-Identifier: MIT */
/* Which cases, the comparison, and the report. */
#include <gnomon/abi.h>
#include <gnomon/x86.h>

#include "../../guest/fdt.h"
#include "oracle.h"

#define QUICK     5000 /* cases, about */
#define DRAWS     4
#define MIX       0x9e3779b97f4a7c15 /* 2^64 / golden ratio */
#define SHOWN     10                 /* differences in words */
#define DIFFERENT 1
#define BAD_ARGS  2

static struct {
	uint64_t from, count, stride;
	bool stac;     /* STAC works at CPL 0 here */
	bool qemu_npt; /* QEMU's nested walk: P missing beside RSVD, A set in a 1 GiB leaf that denies */
	bool known;    /* a watched MOV SS: its trap comes too early, in shadow mode and in QEMU */
	bool qemu;     /* checks no alignment, looks at TS before EM */
	/* KVM's shadow MMU keeps what it made under the other EFER.NXE; a fault of its own ends the shadow of STI. */
	bool kvm_shadow;
} options = {.count = ~0ull, .stac = true};

static uint64_t cases, differences, skipped;

void main(const struct fdt *fdt) __attribute__((noreturn));

static void parse(const char *args)
{
	while (*args) {
		if (take_word(&args, "quick")) {
			options.stride = cases_total() / QUICK;
		} else if (take_word(&args, "full")) {
			options.stride = 1;
		} else if (take_word(&args, "stride")) {
			options.stride = take_number(&args);
		} else if (take_word(&args, "from")) {
			options.from = take_number(&args);
			options.stride = 1;
		} else if (take_word(&args, "count")) {
			options.count = take_number(&args);
		} else if (take_word(&args, "no-stac")) {
			options.stac = false;
		} else if (take_word(&args, "qemu-npt")) {
			options.qemu = options.qemu_npt = true;
		} else if (take_word(&args, "qemu")) {
			options.qemu = true;
		} else if (take_word(&args, "known")) {
			options.known = true;
		} else if (take_word(&args, "kvm-shadow")) {
			options.kvm_shadow = true;
		} else {
			print("usage: oracle [quick | full | stride N] [from N] [count M] [no-stac] [qemu | "
			      "qemu-npt] [kvm-shadow] [known]\n");
			end(BAD_ARGS);
		}
	}
	if (options.stride == 0)
		end(BAD_ARGS);
}

/*
 * A of an upper entry is not judged after a fault: a CPU may set it as soon as it goes through the entry
 * (SDM 3 4.8) or only when the access is allowed; hosts differ. D, and A of the leaf, are.
 */
static bool same(int leaf, const struct result *want, const struct result *got)
{
	uint32_t error = got->error;

	if (got->odd || want->fault != got->fault || want->cr2 != got->cr2)
		return false;
	if (options.qemu_npt && want->error & PFEC_RSVD)
		error |= PFEC_P;
	if (want->error != error)
		return false;
	for (int level = 4; level >= 1; level--) {
		const bool any_a = level > leaf || (leaf == 3 && level == 3 && options.qemu_npt);
		uint64_t ignored = got->fault && any_a && (want->entry[level] & PTE_P) ? PTE_A : 0;

		if ((want->entry[level] ^ got->entry[level]) & ~ignored)
			return false;
	}
	return true;
}

static void report(const struct test_case *c, const struct access *a, const struct result *want,
                   const struct result *got)
{
	case_print(c);
	print(a == &c->first ? "\n  the access before, predicted: " : "\n  predicted: ");
	result_print(want);
	print("\n  observed:  ");
	result_print(got);
	print("\n");
}

/* Predicts and makes one access where the path holds `entry`, which it brings up to date. */
static bool judge(const struct test_case *c, const struct access *a, uint64_t *entry)
{
	uint64_t path[LEVELS];
	struct result want, got;

	for (int level = 0; level < LEVELS; level++)
		path[level] = entry[level];
	if (a->neighbour && c->leaf == 1)
		path[1] = neighbour_entry(a->user);
	predict(a, c->leaf, path, &want);
	observe(a, c->number, c->leaf, path, &got);
	observe_read(entry);
	if (same(c->leaf, &want, &got))
		return true;
	if (differences < SHOWN)
		report(c, a, &want, &got);
	return false;
}

static bool try_case(const struct test_case *c)
{
	const bool tables = c->warm == WARM_TABLES;
	uint64_t entry[LEVELS];
	bool good = true;

	for (int level = 0; level < LEVELS; level++)
		entry[level] = tables ? c->old_entry[level] : c->entry[level];
	observe_mode(&c->first.mode);
	observe_set(entry, c->warm == WARM_NEIGHBOUR ? &c->first.user : NULL);
	observe_invalidate(&c->last, c->reload);
	if (c->warm == WARM_NEIGHBOUR)
		observe_invalidate(&c->first, false);
	if (c->warm != WARM_NONE)
		good = judge(c, &c->first, entry);
	observe_mode(&c->last.mode);
	if (tables) {
		for (int level = 0; level < LEVELS; level++)
			entry[level] = c->entry[level];
		observe_set(entry, NULL);
	}
	/* A change of mode alone need not reach what the TLB holds. */
	if (tables || c->warm == WARM_MODE)
		observe_invalidate(&c->last, false);
	return judge(c, &c->last, entry) && good;
}

static void print_count(const char *what, uint64_t value)
{
	print(what);
	print_number(value);
}

/* A TLB may hold the old leaf, but for the old place only. */
static bool try_anew(uint64_t number)
{
	struct test_case c;
	struct access linking;
	const int level = anew_decode(number, &c, &linking);
	bool good;

	observe_mode(&c.last.mode);
	observe_link(level, false);
	observe_invalidate(&c.last, false);
	observe_set(c.old_entry, &linking.user);
	observe_invalidate(&c.first, c.reload);
	good = judge(&c, &c.first, c.old_entry);
	observe_set(c.entry, NULL);
	observe_link(level, true);
	if (linking.neighbour)
		good = judge(&c, &linking, c.entry) && good;
	good = judge(&c, &c.last, c.entry) && good;
	observe_invalidate(&c.first, false);
	good = judge(&c, &c.first, c.entry) && good;
	if (!good && differences < SHOWN) {
		print("  linked anew at level ");
		print_number(level);
		print("\n");
	}
	return good;
}

static void try_all_anew(void)
{
	const uint64_t before = differences;

	for (uint64_t n = 0; n < anew_total; n++)
		differences += !try_anew(n);
	observe_link(2, false);
	observe_link(3, false);
	observe_link(4, false);
	print_count("oracle anew=", anew_total);
	print_count(" differences=", differences - before);
	print("\n");
}

/* True when the walk reaches the leaf: the rights decide. */
static bool reaches_leaf(const struct test_case *c)
{
	struct access a = c->last;
	struct result r;

	predict(&a, c->leaf, c->entry, &r);
	return !r.fault || ((r.error & PFEC_P) && !(r.error & PFEC_RSVD));
}

/*
 * One case of each stride, by a fixed hash: every n-th would meet the same few pairs of entries again and again. Of
 * some draws the first that reaches the leaf, because most combinations end at a missing entry or a reserved bit.
 */
static void pick(uint64_t n, struct test_case *ret_case)
{
	for (uint64_t draw = 0; draw < DRAWS; draw++) {
		uint64_t h = (n * DRAWS + draw + 1) * MIX;

		h = (h ^ h >> 29) * MIX;
		case_decode(n + (h >> 32) % options.stride, ret_case);
		if (reaches_leaf(ret_case))
			break;
	}
}

/* False: the case cannot be tried here, or its judge is known to err. */
static bool wanted(const struct test_case *c)
{
	return c->possible && (options.stac || !c->last.mode.ac) &&
	       !(options.kvm_shadow && c->warm == WARM_MODE && !c->last.mode.nxe);
}

void main(const struct fdt *fdt)
{
	uint32_t len;
	const char *args = fdt_property(fdt, FDT_NAME("chosen"), FDT_NAME("bootargs"), &len);

	options.stride = cases_total() / QUICK;
	parse(args ? args : "");
	observe_init(options.stac);
	if (!options.from) {
		const struct states_judge judge = {options.qemu, options.stac, options.known, options.kvm_shadow};
		uint64_t wrong, states = states_try(&judge, &wrong);

		print_count("oracle states=", states);
		print_count(" differences=", wrong);
		print("\n");
		differences += wrong;
		try_all_anew();
	}
	for (uint64_t n = options.from; n + options.stride <= cases_total() && cases + skipped < options.count;
	     n += options.stride) {
		struct test_case c;

		pick(n, &c);
		if (!wanted(&c)) {
			skipped++;
			continue;
		}
		cases++;
		differences += !try_case(&c);
	}
	if (skipped) {
		print_count("oracle skipped=", skipped);
		print("\n");
	}
	print_count("oracle cases=", cases);
	print_count(" differences=", differences);
	print("\n");
	end(differences || !cases ? DIFFERENT : 0);
}
