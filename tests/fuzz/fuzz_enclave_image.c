/* SPDX-License-Identifier: MIT */
/*
 * A hostile file of an enclave: it is refused with a sentence, or what comes out keeps the header's promises, lies in
 * the file, and is what the enclaves' rules take from CREATE to INIT. Large ones are looked at, but not built.
 *
 * Input: the file.
 */
#include <stdlib.h>
#include <string.h>

#include "enclave/image.h"

#define BUILT_MAX (64 * PAGE_SIZE)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
	if (!condition)
		abort();
}

static void look_at_segment(const struct gnomon_enclave_segment *s)
{
	uint8_t page[PAGE_SIZE];
	uint64_t sum = 0;

	require(page_offset(s->first | s->end) == 0 && s->first < s->end);
	require(s->first >= GNOMON_ENCLAVE_LOWEST && s->end <= GNOMON_ENCLAVE_HIGHEST);
	require(s->va >= s->first && s->va < s->end && s->size <= s->end - s->va);
	require(s->rights & GNOMON_ENCLAVE_R && s->rights != 7);
	for (uint64_t i = 0; i < s->size; i++) /* all of them can be read */
		sum += s->bytes[i];
	for (uint64_t n = 0; n < 3; n++) {
		const uint64_t va = n == 2 ? s->end - PAGE_SIZE : s->first + n * PAGE_SIZE;

		gnomon_enclave_image_page(s, va < s->end ? va : s->first, page);
		sum += page[0];
	}
	require(sum < ~0ull);
}

static void look_at(const struct gnomon_enclave_image *im)
{
	const struct gnomon_enclave_segment *last = &im->segment[im->nr - 1];

	require(im->nr >= 2 && im->nr <= GNOMON_ENCLAVE_IMAGE_SEGMENTS);
	for (unsigned i = 0; i < im->nr; i++) {
		look_at_segment(&im->segment[i]);
		require(i == 0 || im->segment[i].first >= im->segment[i - 1].end);
	}
	require(last->size == 0 && last->rights == (GNOMON_ENCLAVE_R | GNOMON_ENCLAVE_W));
	require(last->first > im->segment[im->nr - 2].end); /* an absent page stops what overflows it */
	require(im->create.base == im->segment[0].first && im->create.base + im->create.size == last->end);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *file = malloc(size ? size : 1); /* aligned, and exactly as long */
	struct gnomon_enclave_image image;
	struct enclave_info info;
	const char *wrong;

	require(file);
	if (size)
		memcpy(file, data, size);
	wrong = gnomon_enclave_image_open(file, size, &image);
	if (wrong) {
		require(*wrong);
	} else {
		look_at(&image);
		if (image.create.size <= BUILT_MAX)
			require(enclave_image_build(&image, &info) == GNOMON_ENCLAVE_OK);
	}
	free(file);
	return 0;
}
