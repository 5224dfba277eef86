/* SPDX-License-Identifier: MIT */
/* The parts of model_design_parse (catalogue.h). All return 0, or -errno with the sentence written. */
#ifndef GNOMON_MODEL_DESIGN_PARSE_H
#define GNOMON_MODEL_DESIGN_PARSE_H

#include "model/design/catalogue.h"

/* A piece of the text: "%.*s", part.len, part.at. */
struct part {
	const char *at;
	int len;
};

struct parser {
	const struct model_config *config;
	char *why; /* MODEL_WHY_MAX */
};

/* Writes the sentence and returns -err. */
int model_parse_refuse(const struct parser *p, int err, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

bool model_parse_begins(struct part part, const char *word);

/* NAME, NAME4, NAME:18+18 or NAME:name=value,...: the arguments, all in range, and the design. */
int must_check model_parse_args(const struct parser *p, struct part part, struct model_args *ret_args);

#endif
