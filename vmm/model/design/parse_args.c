/* SPDX-License-Identifier: MIT */
/* One design's name and arguments. */
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/design/parse.h"

int model_parse_refuse(const struct parser *p, int err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(p->why, MODEL_WHY_MAX, fmt, ap);
	va_end(ap);
	return -err;
}

bool model_parse_begins(struct part part, const char *word)
{
	return part.len >= (int)strlen(word) && memcmp(part.at, word, strlen(word)) == 0;
}

static void add_text(char *text, size_t size, const char *more)
{
	const size_t used = strlen(text);

	snprintf(text + used, size - used, "%s%s", used ? ", " : "", more);
}

/* NULL: there is none, and the sentence is written. */
static const struct model_design *find_design(const struct parser *p, struct part part, int letters)
{
	char all[MODEL_WHY_MAX] = "";

	for (size_t i = 0; model_design(i); i++) {
		const char *name = model_design(i)->name;

		if ((int)strlen(name) == letters && model_parse_begins(part, name))
			return model_design(i);
		add_text(all, sizeof(all), name);
	}
	(void)model_parse_refuse(p, EINVAL, "no design '%.*s'; there are %.150s, shadow and agile", part.len, part.at,
	                         all);
	return NULL;
}

/* Reads the digits at *at. */
static int read_number(struct part part, int *at)
{
	int n = 0;

	while (*at < part.len && isdigit((unsigned char)part.at[*at]) && n < 1000)
		n = 10 * n + part.at[(*at)++] - '0';
	return n;
}

static int check_number(const struct parser *p, struct part part, const struct model_design *design, int number)
{
	char all[MODEL_WHY_MAX] = "", one[16];

	for (int i = 0; i < MODEL_NUMBERS && design->numbers[i]; i++) {
		if (design->numbers[i] == number)
			return 0;
		snprintf(one, sizeof(one), "%d", design->numbers[i]);
		add_text(all, sizeof(all), one);
	}
	return model_parse_refuse(p, EINVAL, "%.*s: the %s of '%s' may be %s", part.len, part.at, design->number,
	                          design->name, all);
}

static int read_widths(const struct parser *p, struct part part, int at, struct model_args *args)
{
	for (int n = 0; at < part.len && n < PT_LEVELS_MAX; n++, at++) {
		const int width = read_number(part, &at);

		if (!width || width > UINT8_MAX || (at < part.len && part.at[at] != '+'))
			return model_parse_refuse(p, EINVAL, "%.*s: widths are 1 to 27 bits, with + between them",
			                          part.len, part.at);
		args->width[n] = width;
	}
	return at >= part.len ? 0
	                      : model_parse_refuse(p, EINVAL, "%.*s: there are %d levels at most", part.len, part.at,
	                                           PT_LEVELS_MAX);
}

/* One name=value. */
static int read_param(const struct parser *p, const struct model_design *design, char *text, struct model_args *args)
{
	const struct model_param *param = design->param;
	char *value = strchr(text, '='), *end;
	double number;

	if (value)
		*value++ = '\0';
	while (param < design->param + MODEL_PARAMS && param->name && strcmp(param->name, text) != 0)
		param++;
	if (param == design->param + MODEL_PARAMS || !param->name)
		return model_parse_refuse(p, EINVAL, "%s has no parameter '%s'", design->name, text);
	number = value ? strtod(value, &end) : 0;
	if (!value || end == value || *end || !(number >= param->low && number <= param->high))
		return model_parse_refuse(p, EINVAL, "%s: %s is %.10g to %.10g, not '%s'", design->name, param->what,
		                          param->low, param->high, value ? value : "");
	args->value[param - design->param] = number;
	return 0;
}

static int read_params(const struct parser *p, struct part part, int at, const struct model_design *design,
                       struct model_args *args)
{
	char text[MODEL_WHY_MAX], *rest = text, *one;

	snprintf(text, sizeof(text), "%.*s", part.len - at, part.at + at);
	while ((one = strsep(&rest, ","))) {
		const int r = read_param(p, design, one, args);

		if (r < 0)
			return r;
	}
	return 0;
}

int model_parse_args(const struct parser *p, struct part part, struct model_args *ret_args)
{
	const struct model_design *design;
	struct model_args args = {0};
	const char *wrong;
	int at = 0, letters, r = 0;

	while (at < part.len && isalpha((unsigned char)part.at[at]))
		at++;
	letters = at;
	design = find_design(p, part, letters);
	if (!design)
		return -EINVAL;
	for (int i = 0; i < MODEL_PARAMS; i++)
		args.value[i] = design->param[i].standard;
	args.design = design;
	args.number = read_number(part, &at);
	if (design->number)
		r = check_number(p, part, design, args.number);
	if (r == 0 && at < part.len && part.at[at] == ':')
		r = design->has_widths ? read_widths(p, part, at + 1, &args)
		                       : read_params(p, part, at + 1, design, &args);
	else if (r == 0 && (at < part.len || (at > letters && !design->number)))
		r = model_parse_refuse(p, EINVAL, "%.*s: ':' and parameters may follow '%s', nothing else", part.len,
		                       part.at, design->name);
	if (r < 0)
		return r;
	wrong = design->check ? design->check(&args) : NULL;
	if (wrong)
		return model_parse_refuse(p, EINVAL, "%.*s: %s has %s", part.len, part.at, design->name, wrong);
	*ret_args = args;
	return 0;
}
