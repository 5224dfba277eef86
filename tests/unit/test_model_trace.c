/* SPDX-License-Identifier: MIT */
/* Where addresses come from: generators beside their definition, the benchmark's workloads in the guest's order, traces. */
#include <criterion/criterion.h>
#include <criterion/redirect.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "../../guest/arena.h"
#include "bench/workload/apps_build.h"
#include "model/trace/source.h"
#include "model/trace/write.h"

#define BASE 0x40000000ull

TestSuite(model_trace);

/* ---- generators ---- */

static struct model_source *generator(enum model_pattern pattern, uint64_t bytes, uint64_t seed)
{
	struct model_source *s = NULL;

	cr_assert_eq(model_source_generate(pattern, BASE, bytes, seed, &s), 0);
	return s;
}

static uint64_t next(struct model_source *s)
{
	uint64_t va = 0;
	size_t nr = 0;

	cr_assert_eq(model_source_next(s, 1, &va, &nr), 0);
	cr_assert_eq(nr, 1);
	return va;
}

Test(model_trace, generators_stay_in_their_range_and_repeat)
{
	static const uint64_t sizes[] = {4096, 3 * 4096, 1ull << 20, 1ull << 46};

	for (int p = 0; p < MODEL_NR_PATTERNS; p++) {
		for (size_t i = 0; i < 4; i++) {
			struct model_source *a = generator(p, sizes[i], 7), *b = generator(p, sizes[i], 7);

			for (int n = 0; n < 20000; n++) {
				const uint64_t va = next(a);

				cr_assert_eq(va, next(b));
				cr_assert(va - BASE < sizes[i], "pattern %d, %llx", p, (unsigned long long)va);
			}
			model_source_destroy(a);
			model_source_destroy(b);
		}
	}
}

Test(model_trace, uniform_is_even)
{
	enum { PAGES = 64, N = 640000 };
	struct model_source *s = generator(MODEL_UNIFORM, PAGES * 4096, 3);
	double count[PAGES] = {0}, chi = 0;

	for (int i = 0; i < N; i++)
		count[(next(s) - BASE) / 4096]++;
	for (int i = 0; i < PAGES; i++)
		chi += (count[i] - N / PAGES) * (count[i] - N / PAGES) / (N / PAGES);
	cr_assert_lt(chi, 63 + 5 * sqrt(2 * 63.0), "chi square %f of 63 degrees", chi);
	model_source_destroy(s);
}

static int descending(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;

	return (x < y) - (x > y);
}

Test(model_trace, zipf_has_its_weights)
{
	enum { PAGES = 100, N = 1000000 };
	struct model_source *s = generator(MODEL_ZIPF, PAGES * 4096, 3);
	double count[PAGES] = {0}, sum = 0;

	for (int i = 0; i < PAGES; i++)
		sum += pow(i + 1, -0.99);
	for (int i = 0; i < N; i++)
		count[(next(s) - BASE) / 4096]++;
	qsort(count, PAGES, sizeof(*count), descending);
	for (int i = 0; i < 10; i++) {
		const double want = N * pow(i + 1, -0.99) / sum;

		cr_assert_lt(fabs(count[i] - want), 6 * sqrt(want), "rank %d: %f, not %f", i + 1, count[i], want);
	}
	model_source_destroy(s);
}

Test(model_trace, stride_and_sequential_go_in_order)
{
	struct model_source *stride = generator(MODEL_STRIDE, 3 * 4096, 1), *seq = generator(MODEL_SEQUENTIAL, 4096, 1);

	for (uint64_t i = 0; i < 10; i++)
		cr_assert_eq((next(stride) - BASE) / 4096, i % 3);
	for (uint64_t i = 0; i < 130; i++)
		cr_assert_eq(next(seq), BASE + i % 64 * 64);
	model_source_destroy(stride);
	model_source_destroy(seq);
}

/* ---- the benchmark's workloads ---- */

#define WORKING_SET (1ull << 20)

static void *arena(void)
{
	void *at = mmap((void *)ARENA_AT, WORKING_SET, PROT_READ | PROT_WRITE,
	                MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	cr_assert_neq(at, MAP_FAILED);
	return at;
}

Test(model_trace, chase_is_the_ring_that_the_guest_follows)
{
	void *memory = arena(), **p;
	struct model_source *s;

	arena_build(ARENA_4K, WORKING_SET / 4096, 0, 5);
	p = arena_line(ARENA_4K, 3, 0);
	cr_assert_eq(model_source_arena(ARENA_NO_APP, memory, WORKING_SET, BASE, 3, &s), 0);
	for (int i = 0; i < 1000; i++, p = *p)
		cr_assert_eq(next(s), BASE + (uint64_t)p - ARENA_AT);
	model_source_destroy(s);
}

/* What gups reads, once more: any other order, or seed, would differ at once. */
Test(model_trace, gups_reads_the_words_that_the_guest_reads)
{
	void *memory = arena();
	struct model_source *s;
	uint64_t random = 12345, last = UINT64_MAX;

	app_build(ARENA_GUPS, memory, WORKING_SET, 1);
	cr_assert_eq(model_source_arena(ARENA_GUPS, memory, WORKING_SET, BASE, random, &s), 0);
	for (int i = 0; i < 10000; i++) {
		const uint64_t at = app_below(chase_random(&random), WORKING_SET / 8) * 8;

		if (at / 64 != last)
			cr_assert_eq(next(s), BASE + at, "operation %d", i);
		last = at / 64;
	}
	model_source_destroy(s);
}

/* The instrumented object leaves memory and state as the guest's does. */
Test(model_trace, traced_applications_do_what_they_do_in_a_guest)
{
	void *memory = arena(), *copy = malloc(WORKING_SET);

	for (enum arena_app app = ARENA_GUPS; app < ARENA_NR_APPS; app++) {
		uint64_t state = 99, sum = 0, lines = 0;
		struct model_source *s;

		app_build(app, memory, WORKING_SET, 4);
		cr_assert_eq(model_source_arena(app, memory, WORKING_SET, BASE, state, &s), 0);
		for (int i = 0; i < 5000; i++) {
			const uint64_t at = next(s) - BASE;

			cr_assert_lt(at, WORKING_SET);
			lines += at / 64;
		}
		cr_assert_gt(lines, 0);
		model_source_destroy(s);
		/* Twice the same operations of gups leave the table as it was. */
		memcpy(copy, memory, WORKING_SET);
		sum = arena_app_run(app, memory, WORKING_SET, &state, 100);
		cr_assert(sum || app == ARENA_GUPS);
	}
	free(copy);
}

Test(model_trace, scan_reads_each_line_of_a_page_once)
{
	void *memory = arena();
	struct model_source *s;

	app_build(ARENA_SCAN, memory, WORKING_SET, 1);
	cr_assert_eq(model_source_arena(ARENA_SCAN, memory, WORKING_SET, BASE, 2, &s), 0);
	for (uint64_t i = 0; i < 640; i++)
		cr_assert_eq(next(s), BASE + 2 * 4096 + i * 64, "line %llu", (unsigned long long)i);
	model_source_destroy(s);
}

/* ---- traces ---- */

struct bytes {
	const char *at;
	size_t left, most; /* most: a read gives no more */
};

static ssize_t read_bytes(void *ctx, void *buf, size_t size)
{
	struct bytes *b = ctx;
	size_t n = b->left < size ? b->left : size;

	n = n < b->most ? n : b->most;
	memcpy(buf, b->at, n);
	b->at += n;
	b->left -= n;
	return (ssize_t)n;
}

/* All addresses, or -errno. `most`: of a read. */
static int read_all(const char *text, size_t len, size_t most, uint64_t *ret_va, size_t room, size_t *ret_nr)
{
	struct bytes b = {text, len, most};
	const struct trace_input input = {"t", read_bytes, &b};
	struct model_source *s = NULL;
	size_t nr, all = 0;
	int r = model_source_trace(&input, &s);

	while (r == 0) {
		r = model_source_next(s, room - all < 3 ? room - all : 3, ret_va + all, &nr);
		if (r == 0 && !nr)
			break;
		all += r == 0 ? nr : 0;
	}
	model_source_destroy(s);
	*ret_nr = all;
	return r;
}

static const char lackey[] =
    "==12== Lackey, an example Valgrind tool\n==12== \nI  04001000,3\n L 1ffefffe58,8\n S 1ffefffe50,4\n"
    " M 0421c7cc,4\n\n--12-- warning\n L 1ffe,4\nI  0400100a,5\n L 7fff,2\n==12== Counted\n";
static const uint64_t lackey_va[] = {0x1ffefffe58, 0x1ffefffe50, 0x421c7cc, 0x1ffe, 0x2001, 0x7fff, 0x8000};

Test(model_trace, lackey_is_read_whatever_pieces_it_comes_in)
{
	for (size_t most = 1; most < 300; most += most < 20 ? 1 : 50) {
		uint64_t va[64];
		size_t nr;

		cr_assert_eq(read_all(lackey, sizeof(lackey) - 1, most, va, 64, &nr), 0);
		cr_assert_eq(nr, sizeof(lackey_va) / 8, "%zu addresses", nr);
		cr_assert_arr_eq(va, lackey_va, sizeof(lackey_va));
	}
}

/* The same from a machine that ends lines by CR LF; a CR anywhere else is no part of an access. */
Test(model_trace, lackey_with_other_line_ends)
{
	static char text[2 * sizeof(lackey)];
	uint64_t va[64];
	size_t len = 0, nr;

	for (const char *p = lackey; *p; p++) {
		if (*p == '\n')
			text[len++] = '\r';
		text[len++] = *p;
	}
	for (size_t most = 1; most <= len; most++) {
		cr_assert_eq(read_all(text, len, most, va, 64, &nr), 0, "pieces of %zu", most);
		cr_assert_eq(nr, sizeof(lackey_va) / 8, "%zu addresses", nr);
		cr_assert_arr_eq(va, lackey_va, sizeof(lackey_va));
	}
}

Test(model_trace, long_words_of_valgrind_are_skipped)
{
	static char text[300000];
	uint64_t va[8];
	size_t nr;

	memset(text, 'x', sizeof(text));
	memcpy(text, "==1== ", 6);
	memcpy(text + sizeof(text) - 11, "\n L 1234,8\n", 11);
	cr_assert_eq(read_all(text, sizeof(text), SIZE_MAX, va, 8, &nr), 0);
	cr_assert_eq(nr, 1);
	cr_assert_eq(va[0], 0x1234);
}

static char *binary(const uint64_t *va, size_t nr, size_t *ret_len)
{
	char *text = NULL;
	struct trace_writer w = {.to = open_memstream(&text, ret_len)};

	trace_write_head(&w);
	trace_write(&w, va, nr);
	trace_write_end(&w);
	fclose(w.to);
	return text;
}

Test(model_trace, binary_comes_back_as_it_was_written)
{
	static const uint64_t va[] = {0, 1, 0xffff800000000000, 0x7fffffffffff, UINT64_MAX, 0xff00000000000000};
	size_t len, nr;
	char *text = binary(va, 6, &len);
	uint64_t got[8];

	cr_assert_eq(len, 16 + 6 * 8 + 16);
	for (size_t most = 1; most < 100; most++) {
		cr_assert_eq(read_all(text, len, most, got, 8, &nr), 0);
		cr_assert_eq(nr, 6);
		cr_assert_arr_eq(got, va, sizeof(va));
	}
	free(text);
}

/* Each is refused with these words. */
static void refuse(const char *text, size_t len, const char *words)
{
	char said[1024] = "";
	static uint64_t va[8192];
	size_t nr;

	cr_redirect_stderr();
	cr_assert_eq(read_all(text, len, SIZE_MAX, va, 8192, &nr), -EINVAL);
	fflush(stderr);
	said[fread(said, 1, sizeof(said) - 1, cr_get_redirected_stderr())] = 0;
	cr_assert_not_null(strstr(said, words), "says '%s', not '%s'", said, words);
}

#define REFUSED(name, text, words)                                                                                     \
	Test(model_trace, refused_##name)                                                                              \
	{                                                                                                              \
		refuse(text, sizeof(text) - 1, words);                                                                 \
	}

REFUSED(empty, "", "the trace is empty")
REFUSED(no_access, "==1== nothing\nI  1000,4\n", "there is no access in the trace")
REFUSED(cut_line, " L 1000,8\n L 20", "line 2: the trace is cut short: its last line has no end")
REFUSED(not_hex, " L 1000,8\n L xyz,8\n", "line 2: the address is not hexadecimal")
REFUSED(hex_prefix, " L 0x1000,8\n", "the address is not hexadecimal")
REFUSED(behind_all, " L ffffffffffffffff,2\n", "line 1: the access goes beyond the last address")
REFUSED(no_comma, " L 1000 8\n", "the address is not hexadecimal")
REFUSED(beyond_64_bits, " L 11112222333344445,8\n", "the address is not hexadecimal")
REFUSED(no_size, " L 1000,\n", "the size is not a number from 1 to 4096")
REFUSED(size_0, " L 1000,0\n", "the size is not")
REFUSED(size_large, " L 1000,4097\n", "the size is not")
REFUSED(cr_alone, " L 1000,8\r\r\n", "line 1: the size is not")
REFUSED(cr_and_no_end, " L 1000,8\r", "the trace is cut short")
REFUSED(other_words, "hello\n", "line 1: this is no access as lackey writes it")
REFUSED(not_canonical, " L 0100000000000000,8\n", "line 1: the address is not canonical")
REFUSED(not_canonical_end, " L 00fffffffffffffe,8\n", "line 1: the address is not canonical")
REFUSED(garbage, "\x7f\x45LF\2\1\1\0\0\n", "this is no access")
REFUSED(zeros, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", "cut short")
REFUSED(head_cut, "\x93GNTR", "offset 0: the head of the trace is cut short")
REFUSED(other_magic, "\x93PNG\r\n\x1a\n12345678", "offset 0: this is neither")
REFUSED(version, TRACE_MAGIC "\2\0\0\0\0\0\0\0", "offset 8: the trace has a version")
REFUSED(reserved, TRACE_MAGIC "\1\0\0\0\1\0\0\0", "offset 12: what is reserved")
REFUSED(no_end, TRACE_MAGIC "\1\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0",
        "offset 24: the trace is cut short: its end is not there")
REFUSED(address_cut, TRACE_MAGIC "\1\0\0\0\0\0\0\0\1\0\0\0", "cut short within an address")
REFUSED(binary_not_canonical, TRACE_MAGIC "\1\0\0\0\0\0\0\0\1\0\0\0\0\0\0\x7f",
        "offset 16: the address is not canonical")
REFUSED(end_without_number, TRACE_MAGIC "\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x80", "its end does not tell")
REFUSED(no_addresses, TRACE_MAGIC "\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x80\0\0\0\0\0\0\0\0", "there is no access")
REFUSED(other_number, TRACE_MAGIC "\1\0\0\0\0\0\0\0\5\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x80\2\0\0\0\0\0\0\0",
        "another number")
REFUSED(more, TRACE_MAGIC "\1\0\0\0\0\0\0\0\5\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x80\1\0\0\0\0\0\0\0xxxxxxxx",
        "goes on behind")
REFUSED(one_byte_more, TRACE_MAGIC "\1\0\0\0\0\0\0\0\5\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x80\1\0\0\0\0\0\0\0x",
        "goes on behind")

Test(model_trace, refused_long_line)
{
	static char text[200000];

	memset(text, 'x', sizeof(text));
	refuse(text, sizeof(text), "line 1: the line is too long");
}

/* Cut anywhere, a trace of either format is refused, but where what is left is a whole text. */
Test(model_trace, cut_anywhere_is_refused)
{
	static const uint64_t va[] = {0x1000, 0x2000};
	uint64_t got[8];
	size_t len, nr;
	char *text = binary(va, 2, &len);

	cr_redirect_stderr();
	for (size_t n = 0; n < len; n++)
		cr_assert_eq(read_all(text, n, SIZE_MAX, got, 8, &nr), -EINVAL, "%zu bytes are taken", n);
	for (size_t n = 0; n < sizeof(lackey) - 1; n++)
		cr_assert_eq(read_all(lackey, n, SIZE_MAX, got, 8, &nr) == 0,
		             n && lackey[n - 1] == '\n' && memmem(lackey, n, " L ", 3), "%zu bytes", n);
	free(text);
}
