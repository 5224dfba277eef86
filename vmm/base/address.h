/* SPDX-License-Identifier: MIT */
/* An address of 64 bits as text. */
#ifndef GNOMON_BASE_ADDRESS_H
#define GNOMON_BASE_ADDRESS_H

#include <stdint.h>

#include "base/log.h"

/* What is wrong with a text that is none. */
#define ADDRESS_EXPECTED "no address of 64 bits: 0x and hexadecimal digits, or decimal ones"

/* "0xffffffff80200000", "4194304"; no sign, no blank, no unit. -EINVAL. */
int must_check address_parse(const char *text, uint64_t *ret_address);

#endif
