/* SPDX-License-Identifier: MIT */
/* Which cases, the comparison, and the report. */
#include <gnomon/abi.h>
#include <gnomon/x86.h>

#include "../../guest/fdt.h"
#include "oracle.h"

#define QUICK_STRIDE 317 /* one case in so many: about 5,000 */
#define MIX          0x9e3779b97f4a7c15 /* 2^64 / golden ratio */
#define SHOWN        10  /* differences in words */
#define DIFFERENT    1
#define BAD_ARGS     2

static struct {
	uint64_t from, count, stride;
	bool stac;     /* STAC works at CPL 0 here */
	bool qemu_npt; /* QEMU's nested walk reports a reserved bit without P in the error code: accept that */
} options = {.count = ~0ull, .stride = QUICK_STRIDE, .stac = true};

__attribute__((used)) void *memset(void *to, int byte, size_t len);
__attribute__((used)) void *memcpy(void *to, const void *from, size_t len);
void main(const struct fdt *fdt) __attribute__((noreturn));

/* What a freestanding compiler may call on its own. */
void *memset(void *to, int byte, size_t len)
{
	void *p = to;

	__asm__ volatile("rep stosb" : "+D"(p), "+c"(len) : "a"(byte) : "memory");
	return to;
}

void *memcpy(void *to, const void *from, size_t len)
{
	void *p = to;

	__asm__ volatile("rep movsb" : "+D"(p), "+S"(from), "+c"(len) : : "memory");
	return to;
}

void print(const char *text)
{
	for (; *text; text++)
		__asm__ volatile("outb %0, %1" : : "a"(*text), "d"((uint16_t)GNOMON_PORT_SERIAL));
}

static void print_base(uint64_t value, unsigned base)
{
	char digits[21], *p = digits + sizeof(digits);

	*--p = 0;
	do
		*--p = "0123456789abcdef"[value % base];
	while (value /= base);
	print(p);
}

void print_number(uint64_t value)
{
	print_base(value, 10);
}

void print_hex(uint64_t value)
{
	print("0x");
	print_base(value, 16);
}

void end(int status)
{
	__asm__ volatile("outb %b0, %1" : : "a"(status), "i"(GNOMON_PORT_EXIT));
	for (;;)
		__asm__ volatile("pause");
}

static bool take_word(const char **args, const char *word)
{
	const char *p = *args;

	while (*word && *p == *word)
		p++, word++;
	if (*word || (*p && *p != ' '))
		return false;
	while (*p == ' ')
		p++;
	*args = p;
	return true;
}

static uint64_t take_number(const char **args)
{
	uint64_t n = 0;

	while (**args >= '0' && **args <= '9')
		n = 10 * n + *(*args)++ - '0';
	while (**args == ' ')
		(*args)++;
	return n;
}

static void parse(const char *args)
{
	while (*args) {
		if (take_word(&args, "quick")) {
			options.stride = QUICK_STRIDE;
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
			options.qemu_npt = true;
		} else {
			print("usage: oracle [quick | full | stride N] [from N] [count M] [no-stac] [qemu-npt]\n");
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
static bool same(const struct test_case *c, const struct result *want, const struct result *got)
{
	uint32_t error = got->error;

	if (got->odd || want->fault != got->fault || want->cr2 != got->cr2)
		return false;
	if (options.qemu_npt && want->error & PFEC_RSVD)
		error |= PFEC_P;
	if (want->error != error)
		return false;
	for (int level = 4; level >= 1; level--) {
		uint64_t ignored = got->fault && level > c->leaf && (c->entry[level] & PTE_P) ? PTE_A : 0;

		if ((want->entry[level] ^ got->entry[level]) & ~ignored)
			return false;
	}
	return true;
}

static void report(const struct test_case *c, const struct result *want, const struct result *got)
{
	case_print(c);
	print("\n  predicted: ");
	result_print(want);
	print("\n  observed:  ");
	result_print(got);
	print("\n");
}

/* False: the case cannot be tried here. */
static bool possible(const struct test_case *c)
{
	if (c->mode.ac && !options.stac)
		return false;
	/* Bit 51 is a part of the address where addresses have 52 bits. */
	return maxphyaddr < 52 || !((c->entry[c->leaf] | c->entry[c->upper]) & 1ull << 51);
}

/* One case of each stride, by a fixed hash: every n-th would meet the same few pairs of entries again and again. */
static uint64_t pick(uint64_t n)
{
	uint64_t h = (n + 1) * MIX;

	h = (h ^ h >> 29) * MIX;
	return n + (h >> 32) % options.stride;
}

void main(const struct fdt *fdt)
{
	uint64_t cases = 0, differences = 0, skipped = 0;
	uint32_t len;
	const char *args = fdt_property(fdt, FDT_NAME("chosen"), FDT_NAME("bootargs"), &len);

	parse(args ? args : "");
	observe_init();
	for (uint64_t n = options.from; n < cases_total() && cases + skipped < options.count; n += options.stride) {
		struct result want, got;
		struct test_case c;

		if (pick(n) >= cases_total())
			break;
		case_decode(pick(n), &c);
		if (!possible(&c)) {
			skipped++;
			continue;
		}
		predict(&c, &want);
		observe(&c, &got);
		cases++;
		if (!same(&c, &want, &got) && differences++ < SHOWN)
			report(&c, &want, &got);
	}
	if (skipped) {
		print("oracle skipped=");
		print_number(skipped);
		print("\n");
	}
	print("oracle cases=");
	print_number(cases);
	print(" differences=");
	print_number(differences);
	print("\n");
	end(differences || !cases ? DIFFERENT : 0);
}
