/* SPDX-License-Identifier: MIT */
/*
 * Random instructions at CPL 3. Whatever a program executes, its kernel must see what a CPU would have shown it: the
 * exception, or the registers and memory behind it. So instructions are made from Zydis' tables, all of them in all
 * forms of operands (forms.c, generate.c, operands.c), run one at a time by a program in a guest (loop.c, enter.S, its
 * kernel: guest.S, guest.c), and by the same program where something else judges: in a process of this host
 * (native.c), or in a guest in nested mode. A hash of each result is compared; where they differ, the case is run again
 * for all of it.
 *
 * What it protects: no program may end the VM, or get an exception that its kernel would not get from a CPU, by an
 * instruction that the emulator does not know, an address of no page (or the stub's), or a store to memory that is a
 * page table, or was one. What is not compared, and why: --list-excluded.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"

#define SHOWN 10
#define AGAIN 4096

static const char usage[] =
    "usage: insn-check [OPTION...] [GNOMON IMAGE [-- RUN-OPTION...]]\n"
    "Runs random instructions at CPL 3 in a guest and compares what they do with what a judge says. Without GNOMON a\n"
    "process of this host stands in for the guest as well.\n"
    "  --seed N         another series of cases (1)\n"
    "  --count N        so many cases (1000)\n"
    "  --from N         from this one on (0)\n"
    "  --stores         of these only the ones that may store to a page table\n"
    "  --case N         this one alone, with all that became of it\n"
    "  --paging MODE    the guest's: shadow (default) or nested\n"
    "  --judge JUDGE    native (a process, default) or nested (a guest)\n"
    "  --show N         so many differences in full (10); all are counted by kind\n"
    "  --plant KIND     falsifies one result of the side that is tested: see --self-test\n"
    "  --self-test      each kind of falsified result must be found, and nothing else\n"
    "  --coverage       which instructions are made, and which are not\n"
    "  --list-excluded  what is not compared, and why\n"
    "RUN-OPTIONs go to `gnomon run`. Exit status: 0 no difference, 1 some, 2 usage, 77 no /dev/kvm.\n";

struct options {
	uint64_t seed, from, count;
	const char *paging, *judge;
	unsigned shown;
	bool alone, self_test, stores;
	enum plant plant;
};

static uint64_t number(const char *text)
{
	char *end;
	const uint64_t n = strtoull(text, &end, 0);

	if (*text && !*end)
		return n;
	fprintf(stderr, "insn-check: \"%s\" is not a number\n", text);
	exit(CHECK_USAGE);
}

static void print_coverage(void)
{
	const struct forms *forms = forms_find();
	static uint8_t known[ZYDIS_MNEMONIC_MAX_VALUE + 1];
	unsigned n = 0;

	for (unsigned i = 0; i < forms->count; i++)
		known[forms->form[i].mnemonic] = 1;
	for (unsigned m = 1; m <= ZYDIS_MNEMONIC_MAX_VALUE; m++)
		n += known[m];
	printf("%u of Zydis' %u mnemonics, in %u forms of operands, %u opcodes. The others exist in 32-bit mode or on "
	       "Knights "
	       "Corner only, or want registers that differ (AMX):\n",
	       n, ZYDIS_MNEMONIC_MAX_VALUE, forms->shapes, forms->count);
	for (unsigned m = 1; m <= ZYDIS_MNEMONIC_MAX_VALUE; m++)
		if (!known[m])
			printf("%s ", ZydisMnemonicGetString(m));
	printf("\n");
}

static enum plant plant_named(const char *name)
{
	for (unsigned i = 0; i < PLANTS; i++)
		if (strcmp(name, plant_names[i]) == 0)
			return i;
	fprintf(stderr, "insn-check: --plant is one of");
	for (unsigned i = 1; i < PLANTS; i++)
		fprintf(stderr, " %s", plant_names[i]);
	fprintf(stderr, "\n");
	exit(CHECK_USAGE);
}

static void parse(int argc, char **argv, struct options *o)
{
	static const struct option longs[] = {{"stores", 0, 0, 'w'},   {"seed", 1, 0, 's'},
	                                      {"count", 1, 0, 'n'},    {"from", 1, 0, 'f'},
	                                      {"case", 1, 0, 'c'},     {"paging", 1, 0, 'p'},
	                                      {"judge", 1, 0, 'j'},    {"show", 1, 0, 'm'},
	                                      {"plant", 1, 0, 'x'},    {"list-excluded", 0, 0, 'l'},
	                                      {"coverage", 0, 0, 'v'}, {"self-test", 0, 0, 't'},
	                                      {"help", 0, 0, 'h'},     {0}};
	int c;

	while ((c = getopt_long(argc, argv, "+h", longs, NULL)) != -1) {
		switch (c) {
		case 's':
			o->seed = number(optarg);
			break;
		case 'n':
			o->count = number(optarg);
			break;
		case 'f':
			o->from = number(optarg);
			break;
		case 'c':
			o->from = number(optarg);
			o->count = 1;
			o->alone = true;
			break;
		case 'p':
			o->paging = optarg;
			break;
		case 'j':
			o->judge = optarg;
			break;
		case 'm':
			o->shown = number(optarg);
			break;
		case 'x':
			o->plant = plant_named(optarg);
			break;
		case 'w':
			o->stores = true;
			break;
		case 't':
			o->self_test = true;
			break;
		case 'l':
			exclusions_print();
			quirks_print();
			exit(0);
		case 'v':
			print_coverage();
			exit(0);
		case 'h':
			fputs(usage, stdout);
			exit(0);
		default:
			fputs(usage, stderr);
			exit(CHECK_USAGE);
		}
	}
}

static bool have_kvm(void)
{
	const char *device = getenv("GNOMON_KVM_DEVICE");

	return access(device ? device : "/dev/kvm", R_OK | W_OK) == 0;
}

static void skip_without_kvm(void)
{
	const char *must = getenv("GNOMON_MUST_HAVE_KVM");

	if (have_kvm())
		return;
	if (must && strcmp(must, "1") == 0) {
		printf("1..1\nnot ok 1 - no /dev/kvm\n");
		exit(CHECK_DIFFERENT);
	}
	printf("1..0 # SKIP no /dev/kvm\n");
	exit(0);
}

static void guest_side(struct side *side, const char *paging, char **args)
{
	if (strcmp(paging, "shadow") != 0 && strcmp(paging, "nested") != 0) {
		fputs(usage, stderr);
		exit(CHECK_USAGE);
	}
	*side = (struct side){.name = paging,
	                      .judge = strcmp(paging, "nested") == 0 ? JUDGE_NESTED : 0,
	                      .gnomon = args[0],
	                      .image = args[1],
	                      .run = guest_run};
}

/* Whether Linux has and uses it; `flag` begins with a blank. */
static bool has_flag(const char *flag)
{
	FILE *f = fopen("/proc/cpuinfo", "r");
	char line[8192];
	bool found = false;

	while (f && !found && fgets(line, sizeof(line), f))
		found = strncmp(line, "flags", 5) == 0 && strstr(line, flag);
	if (f)
		fclose(f);
	return found;
}

static int set_up(struct check *k, const struct options *o, char **args)
{
	const bool guest = args[0] && args[1];
	struct abilities judge, tested;
	int r;

	k->judge = (struct side){.name = "native", .judge = JUDGE_NATIVE, .run = native_run};
	k->tested = (struct side){.name = "native again", .run = native_run};
	if (guest) {
		skip_without_kvm();
		guest_side(&k->tested, o->paging, args);
		k->tested.options = (const char *const *)(args[2] && strcmp(args[2], "--") == 0 ? args + 3 : args + 2);
	}
	if (strcmp(o->judge, "native") != 0)
		guest_side(&k->judge, o->judge, args);
	generator_init(&k->generator, o->seed);
	r = side_abilities(&k->judge, &k->generator, &judge);
	if (r == 0)
		r = side_abilities(&k->tested, &k->generator, &tested);
	if (r < 0)
		return r;
	k->both.xfeatures = judge.xfeatures & tested.xfeatures;
	k->both.fsgsbase = judge.fsgsbase && tested.fsgsbase;
	k->wide = judge.xfeatures == tested.xfeatures;
	k->addresses_48 = !has_flag(" la57");
	k->split_locks = !has_flag(" split_lock_detect");
	k->stores_only = o->stores;
	k->shown = o->shown;
	k->mnemonics = calloc(ZYDIS_MNEMONIC_MAX_VALUE + 1, 1);
	k->shapes = calloc(k->generator.forms->shapes + 1, 1);
	return k->mnemonics && k->shapes ? 0 : -ENOMEM;
}

/* The command line, but for which cases. */
static void remember(char **argv, char **args, const struct options *o, struct check *k)
{
	static char behind[AGAIN];
	size_t n = 0;

	snprintf(k->again, sizeof(k->again), "%s --seed %llu --paging %s --judge %s", argv[0],
	         (unsigned long long)o->seed, o->paging, o->judge);
	for (char **a = args; *a && n < sizeof(behind); a++)
		n += snprintf(behind + n, sizeof(behind) - n, " %s", *a);
	k->again_behind = behind;
}

static unsigned count_set(const uint8_t *bytes, unsigned n)
{
	unsigned set = 0;

	for (unsigned i = 0; i < n; i++)
		set += bytes[i];
	return set;
}

static int run(struct check *k, const struct options *o)
{
	int r;

	k->always_shown = o->alone;
	k->plant = o->plant;
	k->plant_at = o->from;
	r = check_cases(k, o->from, o->count);
	summary_print();
	printf("1..1\n%sok 1 - %s against %s, seed %llu: %llu instructions, %llu left out, %u mnemonics in %u forms; "
	       "%llu differences, %llu excused, %llu unsteady\n",
	       r < 0 || k->different ? "not " : "", k->tested.name, k->judge.name, (unsigned long long)o->seed,
	       (unsigned long long)k->compared, (unsigned long long)k->left_out,
	       count_set(k->mnemonics, ZYDIS_MNEMONIC_MAX_VALUE + 1),
	       count_set(k->shapes, k->generator.forms->shapes + 1), (unsigned long long)k->different,
	       (unsigned long long)k->excused, (unsigned long long)k->unsteady);
	return r < 0 ? CHECK_FAILED : k->different ? CHECK_DIFFERENT : 0;
}

int main(int argc, char **argv)
{
	struct options o = {.seed = 1, .count = 1000, .paging = "shadow", .judge = "native", .shown = SHOWN};
	static struct check k;
	char **args;

	parse(argc, argv, &o);
	args = argv + optind;
	if (args[0] && !args[1]) {
		fputs(usage, stderr);
		return CHECK_USAGE;
	}
	remember(argv, args, &o, &k);
	if (set_up(&k, &o, args) < 0)
		return CHECK_FAILED;
	return o.self_test ? self_test(&k) : run(&k, &o);
}
