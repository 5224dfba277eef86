/* SPDX-License-Identifier: MIT */
/* Text in HTML and SVG. */
#ifndef GNOMON_BASE_MARKUP_H
#define GNOMON_BASE_MARKUP_H

#include <stdio.h>

/* Writes it so that it stays text, also between double quotes. */
void markup_text(const char *text, FILE *to);

#endif
