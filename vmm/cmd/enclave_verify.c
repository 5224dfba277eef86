/* SPDX-License-Identifier: MIT */
/* gnomon enclave verify: whether a report is genuine, by the public key alone. */
#include <errno.h>
#include <jansson.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/hex.h"
#include "cmd/enclave.h"
#include "cmd/input.h"
#include "cmd/options.h"
#include "cmd/put_json.h"
#include "enclave/report.h"
#include "vm/vm.h"

#define BYTES    32   /* of a key, a measurement and a nonce */
#define TEXT_MAX 4096 /* of a file with hex text */

_Static_assert(BYTES == ENCLAVE_PUBLIC_KEY, "one length of hex text");
_Static_assert(BYTES == GNOMON_ENCLAVE_MEASUREMENT, "one length of hex text");
_Static_assert(BYTES == GNOMON_ENCLAVE_NONCE, "one length of hex text");

struct options {
	uint8_t key[BYTES], measurement[BYTES], nonce[BYTES];
	struct enclave_expected expected; /* those that were given */
	bool json;
};

static const char help[] =
    "Usage: gnomon enclave verify --key HEX [OPTION...] REPORT\n"
    "Checks that REPORT was signed with the key of a run, and tells what it says. REPORT is a file with the 232\n"
    "bytes of a report, or with their hex text; - is standard input. Needs neither a guest nor /dev/kvm.\n"
    "HEX is 64 hex digits, or a file that has them and nothing else.\n"
    "\n"
    "  --key HEX          public key of the run, as `gnomon enclave list` shows it\n"
    "  --measurement HEX  refuse reports of enclaves with another measurement\n"
    "  --nonce HEX        refuse reports that answer another nonce\n"
    "  --json             print one JSON object; sizes are in bytes\n"
    "  --help\n"
    "\n"
    "Without --nonce a report may be an old one; without --measurement any enclave may have asked for it.\n"
    "Exit status: 0 genuine; 1 refused, or the host failed; 2 the arguments cannot be used.\n";

/* Hex text, or a file that has it. -errno, logged. */
static int take_bytes(const char *option, const char *value, uint8_t ret_bytes[BYTES])
{
	uint8_t *text;
	size_t size;
	int r;

	if (hex_read(value, strlen(value), ret_bytes, BYTES))
		return 0;
	if (access(value, F_OK) < 0) {
		log_error("%s: '%s' is neither %d hex digits nor a file", option, value, 2 * BYTES);
		return -EINVAL;
	}
	r = input_read(value, INPUT_STREAM, TEXT_MAX, &text, &size);
	if (r < 0)
		return r;
	if (size > TEXT_MAX || !hex_read((const char *)text, size, ret_bytes, BYTES)) {
		log_error("%s: %s has something else than %d hex digits", option, value, 2 * BYTES);
		r = -EINVAL;
	}
	free(text);
	return r;
}

/* 0: go on; 1: help was shown; -EINVAL and other -errno: logged. */
static int parse_options(int argc, char **argv, struct options *o)
{
	static const struct option options[] = {
	    {"key", required_argument, NULL, 'k'},   {"measurement", required_argument, NULL, 'm'},
	    {"nonce", required_argument, NULL, 'n'}, {"json", no_argument, NULL, 'j'},
	    {"help", no_argument, NULL, 'h'},        {0}};
	int opt, r = 0;

	while (r == 0 && (opt = option_next(argc, argv, options, false)) != OPTION_END) {
		if (opt == 'k') {
			r = take_bytes("--key", optarg, o->key);
			o->expected.public_key = o->key;
		} else if (opt == 'm') {
			r = take_bytes("--measurement", optarg, o->measurement);
			o->expected.measurement = o->measurement;
		} else if (opt == 'n') {
			r = take_bytes("--nonce", optarg, o->nonce);
			o->expected.nonce = o->nonce;
		} else if (opt == 'j') {
			o->json = true;
		} else {
			r = opt == OPTION_HELP ? 1 : -EINVAL;
		}
	}
	if (r == 1)
		fputs(help, stdout);
	if (r == 0 && (optind != argc - 1 || !o->expected.public_key)) {
		log_error("enclave verify: %s is expected (try `gnomon enclave verify --help`)",
		          optind != argc - 1 ? "one report" : "--key");
		r = -EINVAL;
	}
	return r;
}

/* Raw, or hex text. What is neither keeps its size, which no report has. -errno, logged. */
static int read_report(const char *path, struct gnomon_enclave_report *ret_report, size_t *ret_size)
{
	uint8_t *bytes;
	size_t size;
	const int r = input_read(path, INPUT_STREAM, TEXT_MAX, &bytes, &size);

	if (r < 0)
		return r;
	if (size == sizeof(*ret_report))
		memcpy(ret_report, bytes, size);
	else if (size <= TEXT_MAX && hex_read((const char *)bytes, size, ret_report, sizeof(*ret_report)))
		size = sizeof(*ret_report);
	*ret_size = size;
	free(bytes);
	return 0;
}

struct texts {
	char measurement[HEX_TEXT(GNOMON_ENCLAVE_MEASUREMENT)];
	char nonce[HEX_TEXT(GNOMON_ENCLAVE_NONCE)];
	char user_data[HEX_TEXT(GNOMON_ENCLAVE_USER_DATA)];
};

static void print_json(const struct gnomon_enclave_report *r, const struct texts *t)
{
	json_t *object = json_pack("{s:b, s:s, s:I, s:I, s:I, s:s, s:s}", "genuine", true, "measurement",
	                           t->measurement, "base", (json_int_t)r->base, "size", (json_int_t)r->size, "flags",
	                           (json_int_t)r->flags, "nonce", t->nonce, "user_data", t->user_data);

	put_json(object, JSON_INDENT(2));
	json_decref(object);
}

static void print(const struct gnomon_enclave_report *r, bool json)
{
	struct texts t;

	hex_write(t.measurement, r->measurement, sizeof(r->measurement));
	hex_write(t.nonce, r->nonce, sizeof(r->nonce));
	hex_write(t.user_data, r->user_data, sizeof(r->user_data));
	if (json) {
		print_json(r, &t);
		return;
	}
	puts("The report is genuine.");
	printf("measurement  %s\n", t.measurement);
	printf("base         %#llx\n", (unsigned long long)r->base);
	printf("size         %#llx\n", (unsigned long long)r->size);
	printf("flags        %#llx\n", (unsigned long long)r->flags);
	printf("nonce        %s\n", t.nonce);
	printf("user data    %s\n", t.user_data);
}

int enclave_verify_report(int argc, char **argv)
{
	struct options o = {.json = false};
	struct gnomon_enclave_report report = {.version = 0};
	const char *refusal;
	size_t size;
	const int r = parse_options(argc, argv, &o);

	if (r)
		return r > 0 ? 0 : STATUS_USAGE;
	if (read_report(argv[optind], &report, &size) < 0)
		return STATUS_USAGE;
	if (sodium_init() < 0) {
		log_error("enclave verify: libsodium cannot be used on this host");
		return STATUS_HOST_FAILURE;
	}
	refusal = enclave_report_refusal(&report, size, &o.expected);
	if (refusal) {
		log_error("report refused: %s", refusal);
		return 1;
	}
	print(&report, o.json);
	return 0;
}
