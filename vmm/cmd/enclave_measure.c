/* SPDX-License-Identifier: MIT */
/* gnomon enclave measure: what an enclave built from a file will be, by the rules that will build it. */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/hex.h"
#include "cmd/enclave.h"
#include "cmd/input.h"
#include "cmd/options.h"
#include "cmd/put_json.h"
#include "enclave/image.h"
#include "vm/vm.h"

#define FILE_MAX (256u << 20)

#define R  GNOMON_ENCLAVE_R
#define RW (GNOMON_ENCLAVE_R | GNOMON_ENCLAVE_W)
#define RX (GNOMON_ENCLAVE_R | GNOMON_ENCLAVE_X)

typedef unsigned long long ull;

static const char help[] =
    "Usage: gnomon enclave measure [--json] FILE\n"
    "Computes the measurement of the enclave that a guest builds from FILE, a static ELF64 executable\n"
    "(include/gnomon/enclave_image.h). Needs neither a guest nor /dev/kvm.\n"
    "\n"
    "  --json  print one JSON object; sizes are in bytes\n"
    "  --help\n"
    "\n"
    "Exit status: 0 done; 1 the host failed; 2 FILE or the arguments cannot be used.\n";

static uint64_t pages(const struct gnomon_enclave_image *image, unsigned rights)
{
	uint64_t nr = 0;

	for (unsigned i = 0; i < image->nr; i++)
		if (image->segment[i].rights == rights)
			nr += (image->segment[i].end - image->segment[i].first) / GNOMON_ENCLAVE_IMAGE_PAGE;
	return nr;
}

static void print_json(const struct gnomon_enclave_image *image, const char *measurement)
{
	const struct gnomon_enclave_create *c = &image->create;
	json_t *object = json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:{s:I, s:I, s:I}}", "measurement", measurement,
	                           "base", (json_int_t)c->base, "size", (json_int_t)c->size, "entry",
	                           (json_int_t)c->entry, "stack", (json_int_t)c->stack, "buffer", (json_int_t)c->buffer,
	                           "buffer_size", (json_int_t)c->buffer_size, "pages", "r", (json_int_t)pages(image, R),
	                           "rw", (json_int_t)pages(image, RW), "rx", (json_int_t)pages(image, RX));

	put_json(object, JSON_INDENT(2));
	json_decref(object);
}

static void print_text(const struct gnomon_enclave_image *image, const char *measurement)
{
	const struct gnomon_enclave_create *c = &image->create;

	printf("%s\n", measurement);
	printf("base    %#llx\n", (ull)c->base);
	printf("size    %#llx\n", (ull)c->size);
	printf("entry   %#llx\n", (ull)c->entry);
	printf("stack   %#llx\n", (ull)c->stack);
	printf("buffer  %#llx, %llu bytes\n", (ull)c->buffer, (ull)c->buffer_size);
	printf("pages   %llu rx, %llu r, %llu rw\n", (ull)pages(image, RX), (ull)pages(image, R),
	       (ull)pages(image, RW));
}

/* The exit status. */
static int measure(const char *path, const uint8_t *file, size_t size, bool json)
{
	char measurement[HEX_TEXT(GNOMON_ENCLAVE_MEASUREMENT)];
	struct gnomon_enclave_image image;
	struct enclave_info info;
	enum gnomon_enclave_status s;
	const char *wrong = gnomon_enclave_image_open(file, size, &image);

	if (wrong) {
		log_error("%s makes no enclave: %s", path, wrong);
		return STATUS_USAGE;
	}
	if (image.create.size > ENCLAVE_IMAGE_MAX) {
		log_error("%s makes an enclave of %llu MiB; the most that is measured is %llu MiB", path,
		          (ull)image.create.size >> 20, (ull)ENCLAVE_IMAGE_MAX >> 20);
		return STATUS_USAGE;
	}
	s = enclave_image_build(&image, &info);
	if (s == GNOMON_ENCLAVE_NO_MEMORY) {
		log_errno(ENOMEM, "cannot measure %s", path);
		return STATUS_HOST_FAILURE;
	}
	if (s != GNOMON_ENCLAVE_OK) {
		log_error("%s makes no enclave: %s", path, enclave_status_words(s));
		return STATUS_USAGE;
	}
	hex_write(measurement, info.measurement, sizeof(info.measurement));
	if (json)
		print_json(&image, measurement);
	else
		print_text(&image, measurement);
	return 0;
}

int enclave_measure_file(int argc, char **argv)
{
	uint8_t *file;
	size_t size;
	bool json;
	int status, r = option_json_and_word(argc, argv, help, "one file", &json);

	if (r)
		return r > 0 ? 0 : STATUS_USAGE;
	if (input_read(argv[optind], INPUT_REGULAR, FILE_MAX, &file, &size) < 0)
		return STATUS_USAGE;
	status = measure(argv[optind], file, size, json);
	free(file);
	return status;
}
