/* SPDX-License-Identifier: MIT */
#include "control/dialect.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct translation {
	const char *at, *end; /* what is left of the text */
	char *json, *id;      /* so far; there is room for all that can come */
	size_t len, id_len;
	unsigned depth;
	size_t string; /* where the last string begins in `json` */
	bool in_id, has_id;
};

static void put_json(struct translation *t, const char *text, size_t len)
{
	memcpy(t->json + t->len, text, len);
	t->len += len;
}

static void put_id(struct translation *t, const char *text, size_t len)
{
	if (!t->in_id || (t->id_len == 0 && *text == ' '))
		return;
	memcpy(t->id + t->id_len, text, len);
	t->id_len += len;
}

static void put(struct translation *t, const char *text, size_t len)
{
	put_json(t, text, len);
	put_id(t, text, len);
}

/* The printable character that "uXXXX" at `p` stands for, if it needs no escape: names are compared as text. Else 0. */
static char plain_character(const char *p, const char *end)
{
	char hex[5] = "";
	long c;

	if (end - p < 5 || *p != 'u' || !isxdigit((unsigned char)p[1]) || !isxdigit((unsigned char)p[2]) ||
	    !isxdigit((unsigned char)p[3]) || !isxdigit((unsigned char)p[4]))
		return 0;
	memcpy(hex, p + 1, 4);
	c = strtol(hex, NULL, 16);
	return c >= ' ' && c < 0x7f && c != '"' && c != '\\' ? (char)c : 0;
}

static void put_escape(struct translation *t)
{
	const char plain = plain_character(t->at + 1, t->end);

	if (plain) {
		put(t, &plain, 1);
		t->at += 6;
	} else if (t->end - t->at > 1 && t->at[1] == '\'') {
		put(t, "'", 1);
		t->at += 2;
	} else {
		put(t, t->at, t->end - t->at > 1 ? 2 : 1);
		t->at += t->end - t->at > 1 ? 2 : 1;
	}
}

static void put_string(struct translation *t)
{
	const char quote = *t->at++;

	t->string = t->len;
	put(t, "\"", 1);
	while (t->at < t->end && *t->at != quote) {
		if (*t->at == '\\') {
			put_escape(t);
			continue;
		}
		if (*t->at == '"')
			put(t, "\\", 1);
		put(t, t->at++, 1);
	}
	t->at += t->at < t->end;
	put(t, "\"", 1);
}

static const char *skip_digits(const char *p)
{
	while (isdigit((unsigned char)*p))
		p++;
	return p;
}

enum number { NO_NUMBER, INTEGER, REAL };

/* By the grammar of RFC 8259, section 6; `p` ends with a NUL. */
static enum number classify(const char *p)
{
	const char *digits = p + (*p == '-'), *q = skip_digits(digits);
	enum number is = INTEGER;

	if (q == digits || (*digits == '0' && q > digits + 1))
		return NO_NUMBER;
	if (*q == '.') {
		digits = q + 1;
		q = skip_digits(digits);
		if (q == digits)
			return NO_NUMBER;
		is = REAL;
	}
	if (*q == 'e' || *q == 'E') {
		digits = q + 1 + (q[1] == '-' || q[1] == '+');
		q = skip_digits(digits);
		if (q == digits)
			return NO_NUMBER;
		is = REAL;
	}
	return *q ? NO_NUMBER : is;
}

static void put_number(struct translation *t)
{
	const size_t len = strspn(t->at, "+-.eE0123456789");
	const size_t before = t->len;
	enum number is;

	put(t, t->at, len);
	t->at += len;
	t->json[t->len] = 0;
	is = classify(t->json + before);
	errno = 0;
	if (is == NO_NUMBER || (is == INTEGER && (strtoll(t->json + before, NULL, 10), errno == 0)))
		return;
	if (isinf(strtod(t->json + before, NULL))) {
		const bool negative = t->json[before] == '-';

		t->len = before;
		put_json(t, negative ? "-1e308" : "1e308", negative ? 6 : 5);
	} else if (is == INTEGER) {
		put_json(t, ".0", 2);
	}
}

/* A bracket, colon or comma: of the outermost object they begin and end the member "id". */
static void put_structure(struct translation *t)
{
	static const char id[] = "\"id\"";
	const char c = *t->at++;
	bool begins;

	t->depth -= c == '}' || c == ']';
	if (t->in_id && (t->depth == 0 || (t->depth == 1 && c == ','))) {
		t->in_id = false;
		while (t->id_len && t->id[t->id_len - 1] == ' ')
			t->id_len--;
	}
	begins = t->depth == 1 && c == ':' && *t->json == '{' && t->len - t->string >= strlen(id) &&
	         memcmp(t->json + t->string, id, strlen(id)) == 0;
	put(t, &c, 1);
	t->depth += c == '{' || c == '[';
	if (begins) {
		t->in_id = t->has_id = true;
		t->id_len = 0;
	}
}

static void put_token(struct translation *t)
{
	if (*t->at == '"' || *t->at == '\'')
		put_string(t);
	else if (*t->at == '-' || isdigit((unsigned char)*t->at))
		put_number(t);
	else if (*t->at && strchr("{}[]:,", *t->at))
		put_structure(t);
	else if (isspace((unsigned char)*t->at))
		put(t, (t->at++, " "), 1);
	else
		put(t, t->at++, 1);
}

int dialect_to_json(const char *text, size_t len, struct dialect *ret)
{
	/* A byte becomes two at most, a number grows by two. The text gets an end for those who look for one. */
	const size_t room = 2 * len + 4;
	char *copy = malloc(len + 1);
	struct translation t = {.json = malloc(room), .id = malloc(room)};

	if (!copy || !t.json || !t.id) {
		free(copy);
		free(t.json);
		free(t.id);
		return -ENOMEM;
	}
	memcpy(copy, text, len);
	copy[len] = 0;
	t.at = copy;
	t.end = copy + len;
	while (t.at < t.end)
		put_token(&t);
	t.id[t.id_len] = 0;
	free(copy);
	if (!t.has_id) {
		free(t.id);
		t.id = NULL;
	}
	*ret = (struct dialect){.json = t.json, .len = t.len, .id = t.id};
	return 0;
}
