/* SPDX-License-Identifier: MIT */
#include "enclave/image.h"

#include <stdlib.h>

#include "enclave/internal.h"

#define ID 1u

/* Each page of a segment, with what the file has for it. */
static enum gnomon_enclave_status add_segment(struct enclaves *all, const struct gnomon_enclave_segment *s)
{
	enum gnomon_enclave_status status = GNOMON_ENCLAVE_OK;
	uint8_t content[PAGE_SIZE];

	_Static_assert(PAGE_SIZE == GNOMON_ENCLAVE_IMAGE_PAGE, "one size of page");
	for (uint64_t va = s->first; status == GNOMON_ENCLAVE_OK && va < s->end; va += PAGE_SIZE) {
		gnomon_enclave_image_page(s, va, content);
		status = enclave_add(all, ID, va, s->rights, content);
		if (status == GNOMON_ENCLAVE_OK)
			status = enclave_extend(all, ID, va);
	}
	return status;
}

static enum gnomon_enclave_status build(struct enclaves *all, const struct gnomon_enclave_image *image)
{
	enum gnomon_enclave_status s = enclave_create(all, ID, &image->create);

	for (unsigned i = 0; s == GNOMON_ENCLAVE_OK && i < image->nr; i++)
		s = add_segment(all, &image->segment[i]);
	return s == GNOMON_ENCLAVE_OK ? enclave_init(all, ID, NULL) : s;
}

/* Room for the pages and for the tables of the view. */
static uint64_t memory_for(const struct gnomon_enclave_create *create)
{
	const struct enclaves none = {.config = {.nr_fixed = 0}};

	return create->size + enclave_view_tables(&none, create) * PAGE_SIZE;
}

enum gnomon_enclave_status enclave_image_build(const struct gnomon_enclave_image *image, struct enclave_info *ret_info)
{
	enum gnomon_enclave_status s = GNOMON_ENCLAVE_NO_MEMORY;
	struct enclaves_config config = {.levels = 1};
	struct enclaves *all;

	if (image->create.size > ENCLAVE_IMAGE_MAX)
		return s;
	config.size = memory_for(&image->create);
	config.buffers = maddr_init(config.size);
	config.memory = calloc(1, config.size);
	all = config.memory ? enclaves_create(&config) : NULL;
	if (all)
		s = build(all, image);
	if (s == GNOMON_ENCLAVE_OK)
		BUG_ON(!enclave_look(all, ID, ret_info));
	enclaves_destroy(all);
	free(config.memory);
	return s;
}
