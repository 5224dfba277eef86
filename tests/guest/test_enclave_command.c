/* SPDX-License-Identifier: MIT */
/* gnomon enclave as its users' scripts run it: what it prints, what it refuses, and with which status. No guest runs. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <jansson.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../unit/enclave_elf.h"
#include "../unit/enclave_world.h"
#include "../unit/fake_vm.h"
#include "base/hex.h"
#include "control/server.h"
#include "enclave/report.h"
#include "run_gnomon.h"

#define RW (GNOMON_ENCLAVE_R | GNOMON_ENCLAVE_W)
#define RX (GNOMON_ENCLAVE_R | GNOMON_ENCLAVE_X)

static struct run r;
static char dir[] = "/tmp/gnomon-enclave-XXXXXX";
static char path[64], key_path[64];

static void begin(void)
{
	cr_assert_not_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/file", dir);
	snprintf(key_path, sizeof(key_path), "%s/key", dir);
	ew_begin(2);
}

static void end(void)
{
	ew_end();
	unlink(path);
	unlink(key_path);
	cr_expect_eq(rmdir(dir), 0, "something was left in %s", dir);
}

TestSuite(enclave_command, .init = begin, .fini = end);

static void write_file(const char *to, const void *bytes, size_t len)
{
	int fd = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	cr_assert_geq(fd, 0);
	cr_assert_eq(write(fd, bytes, len), (ssize_t)len);
	close(fd);
}

static const char *hex(const void *bytes, size_t size)
{
	static char text[4][HEX_TEXT(sizeof(struct gnomon_enclave_report))];
	static unsigned next;
	char *t = text[next++ % 4];

	hex_write(t, bytes, size);
	return t;
}

/* stdout is one JSON object and nothing else. */
static json_t *parse_output(void)
{
	json_error_t error;
	json_t *root = json_loads(r.out, JSON_REJECT_DUPLICATES, &error);

	cr_assert(json_is_object(root), "line %d: %s\n%s", error.line, error.text, r.out);
	return root;
}

static long long number(const json_t *object, const char *key)
{
	cr_assert(json_is_integer(json_object_get(object, key)), "no number '%s' in\n%s", key, r.out);
	return json_integer_value(json_object_get(object, key));
}

static void expect_text(const json_t *object, const char *key, const char *expected)
{
	const char *text = json_string_value(json_object_get(object, key));

	cr_assert(text, "no text '%s' in\n%s", key, r.out);
	cr_expect_str_eq(text, expected);
}

/* ---- measure ---- */

static void add(uint64_t va, unsigned rights, const uint8_t *bytes, size_t size, size_t at)
{
	uint8_t page[PAGE_SIZE] = {0};

	if (size)
		memcpy(page + at, bytes, size);
	ew_ok(enclave_add(ew.all, 1, va, rights, page));
	ew_ok(enclave_extend(ew.all, 1, va));
}

/* What a guest would have built from enclave_elf_good(), each call written down. */
static const char *measured_by_hand(const struct image *m)
{
	const struct gnomon_enclave_create create = {
	    .base = 0x400000,
	    .size = 0x9000,
	    .entry = 0x400010,
	    .stack = 0x409000,
	    .buffer = 0x300000,
	    .buffer_size = 0x1000,
	};
	struct enclave_info info;

	ew_ok(enclave_create(ew.all, 1, &create));
	add(0x400000, RX, m->code, sizeof(m->code), 0);
	add(0x402000, RW, m->data, sizeof(m->data), 0x80);
	add(0x403000, RW, NULL, 0, 0);
	for (uint64_t va = 0x405000; va < 0x409000; va += PAGE_SIZE)
		add(va, RW, NULL, 0, 0);
	ew_ok(enclave_init(ew.all, 1, NULL));
	cr_assert(enclave_look(ew.all, 1, &info));
	return hex(info.measurement, sizeof(info.measurement));
}

Test(enclave_command, measure)
{
	const struct image m = enclave_elf_good();
	const char *measurement = measured_by_hand(&m);
	char expected[512];
	json_t *root, *pages;

	write_file(path, &m, sizeof(m));
	run_gnomon(&r, "enclave", "measure", path);
	expect_status(&r, 0);
	snprintf(expected, sizeof(expected),
	         "%s\nbase    0x400000\nsize    0x9000\nentry   0x400010\nstack   0x409000\nbuffer  0x300000, 4096 "
	         "bytes\npages   1 rx, 0 r, 6 rw\n",
	         measurement);
	cr_expect_str_eq(r.out, expected);
	run_gnomon(&r, "enclave", "measure", "--json", path);
	expect_status(&r, 0);
	root = parse_output();
	pages = json_object_get(root, "pages");
	expect_text(root, "measurement", measurement);
	cr_expect(number(root, "base") == 0x400000 && number(root, "size") == 0x9000);
	cr_expect(number(root, "entry") == 0x400010 && number(root, "stack") == 0x409000);
	cr_expect(number(root, "buffer") == 0x300000 && number(root, "buffer_size") == 0x1000);
	cr_expect(number(pages, "r") == 0 && number(pages, "rw") == 6 && number(pages, "rx") == 1);
	json_decref(root);
}

static void measure_refused(const char *words)
{
	run_gnomon(&r, "enclave", "measure", path);
	expect_refusal(&r, 2, words);
}

#define REFUSED(words, ...)                                                                                            \
	do {                                                                                                           \
		struct image m = enclave_elf_good();                                                                   \
		__VA_ARGS__;                                                                                           \
		write_file(path, &m, sizeof(m));                                                                       \
		measure_refused(words);                                                                                \
	} while (0)

Test(enclave_command, measure_refuses_hostile_files)
{
	const struct image good = enclave_elf_good();

	REFUSED("makes no enclave: it is no static ELF64", m.eh.e_type = ET_DYN);
	REFUSED("two segments share a page", m.ph[1].p_vaddr = EE_BASE);
	REFUSED("a segment lies where no enclave can be", m.ph[1].p_memsz = ~0ull);
	REFUSED("the most that is measured is 1024 MiB", m.ph[1].p_memsz = 1ull << 40);
	REFUSED("the most that is measured is 1024 MiB", m.ph[1].p_vaddr = 1ull << 40);
	write_file(path, &good, sizeof(good) - 1);
	measure_refused("reaches beyond the end of the file");
	write_file(path, &good, 0);
	measure_refused("is no static ELF64");
	cr_assert_eq(truncate(path, (256ll << 20) + 1), 0);
	measure_refused("is larger than 256 MiB");
	unlink(path);
	measure_refused("No such file");
	cr_assert_eq(mkfifo(path, 0600), 0);
	measure_refused("is not a regular file");
	run_gnomon(&r, "enclave", "measure", dir);
	expect_refusal(&r, 2, "is not a regular file");
}

/* ---- verify ---- */

static struct enclave_key key;
static struct gnomon_enclave_report report;
static const uint8_t nonce[GNOMON_ENCLAVE_NONCE] = "a nonce";
static const uint8_t data[GNOMON_ENCLAVE_USER_DATA] = "what the enclave says";

static void make_report(void)
{
	enclave_key_make(&key);
	ew_bring_to(3, ENCLAVE_RUNNING);
	ew_ok(enclave_report(ew.all, 3, &key, nonce, data, &report));
	write_file(path, &report, sizeof(report));
}

static const char *key_text(void)
{
	return hex(key.public, sizeof(key.public));
}

static void expect_genuine(void)
{
	char expected[1024];

	expect_status(&r, 0);
	snprintf(expected, sizeof(expected),
	         "The report is genuine.\nmeasurement  %s\nbase         0x10000000\nsize         0x4000\nflags        "
	         "0\nnonce        %s\nuser data    %s\n",
	         hex(report.measurement, sizeof(report.measurement)), hex(nonce, sizeof(nonce)),
	         hex(data, sizeof(data)));
	cr_expect_str_eq(r.out, expected);
}

static void stdin_is_the_file(void)
{
	dup2(open(path, O_RDONLY), STDIN_FILENO);
}

/* Raw bytes, hex text in lines, standard input. */
Test(enclave_command, verify)
{
	char lines[1024];
	json_t *root;
	size_t n = 0;

	make_report();
	run_gnomon(&r, "enclave", "verify", "--key", key_text(), path);
	expect_genuine();
	run_gnomon(&r, "enclave", "verify", path, "--key", key_text(), "--measurement",
	           hex(report.measurement, sizeof(report.measurement)), "--nonce", hex(nonce, sizeof(nonce)));
	expect_genuine();
	run_gnomon(&r, "enclave", "verify", "--json", "--key", key_text(), path);
	expect_status(&r, 0);
	root = parse_output();
	cr_expect(json_is_true(json_object_get(root, "genuine")));
	cr_expect(number(root, "base") == EW_BASE && number(root, "size") == 0x4000 && number(root, "flags") == 0);
	expect_text(root, "measurement", hex(report.measurement, sizeof(report.measurement)));
	expect_text(root, "nonce", hex(nonce, sizeof(nonce)));
	expect_text(root, "user_data", hex(data, sizeof(data)));
	json_decref(root);
	for (size_t i = 0; i < sizeof(report); i++)
		n += sprintf(lines + n, "%02X%s", ((const uint8_t *)&report)[i], i % 16 == 15 ? "\n" : " ");
	write_file(path, lines, n);
	run_gnomon(&r, "enclave", "verify", "--key", key_text(), path);
	expect_genuine();
	r.surroundings = stdin_is_the_file;
	run_gnomon(&r, "enclave", "verify", "--key", key_text(), "-");
	expect_genuine();
}

Test(enclave_command, verify_with_a_key_in_a_file)
{
	char text[80];

	make_report();
	snprintf(text, sizeof(text), "%s\n", key_text());
	write_file(key_path, text, strlen(text));
	run_gnomon(&r, "enclave", "verify", "--key", key_path, path);
	expect_genuine();
	write_file(key_path, text, strlen(text) - 2);
	run_gnomon(&r, "enclave", "verify", "--key", key_path, path);
	expect_refusal(&r, 2, "something else than 64 hex digits");
}

static void refused(const char *words)
{
	run_gnomon(&r, "enclave", "verify", "--key", key_text(), path);
	expect_refusal(&r, 1, words);
}

/* Each field changed by a bit: whatever it is, the signature is not this report's. */
Test(enclave_command, verify_refuses_forgeries)
{
#define FIELD(name) offsetof(struct gnomon_enclave_report, name)
	static const size_t fields[] = {FIELD(zero),      FIELD(base),        FIELD(size),
	                                FIELD(flags),     FIELD(measurement), FIELD(nonce),
	                                FIELD(user_data), FIELD(signature),   sizeof(report) - 1};
	struct gnomon_enclave_report forged;

	make_report();
	for (size_t i = 0; i < sizeof(fields) / sizeof(*fields); i++) {
		forged = report;
		((uint8_t *)&forged)[fields[i]] ^= 1;
		write_file(path, &forged, sizeof(forged));
		refused("gnomon: report refused: it is not signed with this key\n");
	}
	forged = report;
	forged.magic[0] ^= 1;
	write_file(path, &forged, sizeof(forged));
	refused("report refused: it is no report of an enclave");
	forged = report;
	forged.version++;
	write_file(path, &forged, sizeof(forged));
	refused("report refused: it is of another version");
	write_file(path, &report, sizeof(report) - 1);
	refused("report refused: it has not the size of a report");
	write_file(path, hex(&report, sizeof(report)), 2 * sizeof(report) - 1);
	refused("report refused: it has not the size of a report");
	cr_assert_eq(truncate(path, 1 << 20), 0);
	refused("report refused: it has not the size of a report");
}

Test(enclave_command, verify_refuses_what_was_not_expected)
{
	uint8_t other[32] = {1};

	make_report();
	run_gnomon(&r, "enclave", "verify", "--key", hex(other, sizeof(other)), path);
	expect_refusal(&r, 1, "report refused: it is not signed with this key");
	run_gnomon(&r, "enclave", "verify", "--key", key_text(), "--nonce", hex(other, sizeof(other)), path);
	expect_refusal(&r, 1, "report refused: it answers another nonce");
	run_gnomon(&r, "enclave", "verify", "--key", key_text(), "--measurement", hex(other, sizeof(other)), path);
	expect_refusal(&r, 1, "report refused: it is of an enclave with another measurement");
}

Test(enclave_command, usage)
{
	static const char digits[] = "0000000000000000000000000000000000000000000000000000000000000000";
	static const struct {
		const char *args[6], *words;
	} wrong[] = {
	    {{"enclave"}, "an action is expected"},
	    {{"enclave", "nonsense"}, "there is no action 'nonsense'"},
	    {{"enclave", "--json"}, "enclave: unrecognized option '--json'"},
	    {{"enclave", "measure"}, "one file is expected"},
	    {{"enclave", "measure", "/dev/null", "/dev/null"}, "one file is expected"},
	    {{"enclave", "measure", "--key"}, "enclave measure: unrecognized option '--key'"},
	    {{"enclave", "verify", "/dev/null"}, "--key is expected"},
	    {{"enclave", "verify", "--key", digits}, "one report is expected"},
	    {{"enclave", "verify", "--key", digits, "/nonexistent"}, "cannot open /nonexistent"},
	    {{"enclave", "verify", "--key", digits, "/"}, "cannot read /"},
	    {{"enclave", "verify", "--key", digits + 1, "/dev/null"}, "is neither 64 hex digits nor a file"},
	    {{"enclave", "verify", "--nonce", "", "/dev/null"}, "--nonce: '' is neither 64 hex digits nor a file"},
	    {{"enclave", "verify", "--measurement", "/dev/zero", "x"},
	     "/dev/zero has something else than 64 hex digits"},
	    {{"enclave", "list"}, "one socket is expected"},
	};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		run_args(&r, wrong[i].args);
		expect_refusal(&r, 2, wrong[i].words);
	}
}

/* ---- list ---- */

static struct fake_vm vm = {.running = true, .name = "kernel.elf", .has_enclaves = true};
static struct server server;

Test(enclave_command, list)
{
	json_t *root;

	cr_assert_eq(server_open(&server, path, &fake_ops, &vm), 0);
	cr_assert_eq(server_run(&server), 0);
	run_gnomon(&r, "enclave", "list", path);
	expect_status(&r, 0);
	cr_expect_str_eq(
	    r.out, " id  state          pages  tables (KiB)   entries    exited  called out  interrupted   faulted  "
	           "measurement\n"
	           "  3  ready              7            16        10        11          12           13        14  "
	           "0123456789abcdef\n"
	           " 64  building           0             0         0         0           0            0         0  -\n"
	           "public key of reports: c0ffee\n");
	run_gnomon(&r, "enclave", "list", "--json", path);
	expect_status(&r, 0);
	root = parse_output();
	cr_expect_eq(json_array_size(json_object_get(root, "enclaves")), 2u);
	expect_text(root, "key", "c0ffee");
	json_decref(root);
	vm.has_enclaves = false;
	run_gnomon(&r, "enclave", "list", path);
	expect_refusal(&r, 1, "query-enclaves: no secure memory");
	server_stop(&server, false, "host-qmp-quit");
	run_gnomon(&r, "enclave", "list", path);
	expect_refusal(&r, 1, "cannot connect");
}
