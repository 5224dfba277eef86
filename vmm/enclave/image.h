/* SPDX-License-Identifier: MIT */
/*
 * What an enclave that is built from a file will be, known beforehand: the calls that a guest kernel makes for it, made
 * in memory that is given up afterwards.
 */
#ifndef GNOMON_ENCLAVE_IMAGE_BUILD_H
#define GNOMON_ENCLAVE_IMAGE_BUILD_H

#include <gnomon/enclave_image.h>

#include "enclave/enclave.h"

/* The largest create.size that is tried, in bytes: the memory that it takes is the host's. */
#define ENCLAVE_IMAGE_MAX (1ull << 30)

/*
 * *ret_info is what enclave_look() tells after INIT. Otherwise it is untouched; NO_MEMORY: it would be larger than
 * ENCLAVE_IMAGE_MAX, or the host has not as much.
 */
enum gnomon_enclave_status enclave_image_build(const struct gnomon_enclave_image *image, struct enclave_info *ret_info);

#endif
