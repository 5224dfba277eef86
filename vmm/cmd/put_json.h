/* SPDX-License-Identifier: MIT */
#ifndef GNOMON_CMD_PUT_JSON_H
#define GNOMON_CMD_PUT_JSON_H

#include <jansson.h>

/* Prints any JSON value and a newline on stdout, laid out by jansson's `flags`. output_end() tells of what is lost. */
void put_json(const json_t *value, size_t flags);

#endif
