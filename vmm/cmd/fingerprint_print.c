/* SPDX-License-Identifier: MIT */
#include "cmd/fingerprint_print.h"

#include <gnomon/addr.h>
#include <stdio.h>
#include <string.h>

#include "base/hex.h"
#include "base/output.h"
#include "base/plain.h"
#include "cmd/put_json.h"

static long long number(const json_t *object, const char *name)
{
	return json_integer_value(json_object_get(object, name));
}

/* The server's words may hold anything. */
static const char *text(const json_t *object, const char *name, char ret_text[HEX_TEXT(SHARE_KEY)])
{
	const char *value = json_string_value(json_object_get(object, name));

	snprintf(ret_text, HEX_TEXT(SHARE_KEY), "%s", value ? value : "-");
	plain_string(ret_text);
	return ret_text;
}

/* The hash by which the server names subtrees that are `what` at this level. */
static bool is_known(const json_t *reply, const char *what, int level, const char *hex)
{
	const char *known = json_string_value(json_array_get(json_object_get(reply, what), (size_t)level));

	return known && strcmp(known, hex) == 0;
}

static bool has_changed(const struct fingerprint_level *now, const struct fingerprint_level *before, uint64_t i)
{
	return i >= before->n || !share_digest_equal(&now->digest[i], &before->digest[i]);
}

/* Neighbours with one hash are one line. */
static void print_level(const json_t *reply, const struct fingerprint_level *now,
                        const struct fingerprint_level *before)
{
	const uint64_t span = PAGE_SIZE << 9 * now->level;

	for (uint64_t i = 0, next; i < now->n; i = next) {
		char hex[HEX_TEXT(SHARE_DIGEST)];
		unsigned long long first, last;

		next = i + 1;
		if (!has_changed(now, before, i))
			continue;
		while (next < now->n && share_digest_equal(&now->digest[i], &now->digest[next]) &&
		       has_changed(now, before, next))
			next++;
		first = i * span;
		last = next * span - 1;
		hex_write(hex, now->digest[i].byte, SHARE_DIGEST);
		printf("  0x%012llx-0x%012llx  %s\n", first, last,
		       is_known(reply, "absent", now->level, hex) ? "absent"
		       : is_known(reply, "zero", now->level, hex) ? "zero"
		                                                  : hex);
	}
}

int fingerprint_print_text(json_t *reply, int64_t us, const struct fingerprint_level *now,
                           const struct fingerprint_level *before)
{
	const json_t *round = json_object_get(reply, "round");
	const long long pages = number(round, "pages"), work = number(round, "us");
	char root[HEX_TEXT(SHARE_KEY)], algorithm[HEX_TEXT(SHARE_KEY)];

	printf("%s %s: %lld pages looked at, %lld hashed, %lld changed, in %.1f ms: %.0f pages/s",
	       text(reply, "root", root), text(reply, "algorithm", algorithm), pages, number(round, "hashed"),
	       number(round, "changed"), us / 1e3, work > 0 ? pages * 1e6 / work : 0.0);
	if (json_is_true(json_object_get(reply, "exact")))
		printf("; the guest stood still for %.1f ms", number(reply, "paused-us") / 1e3);
	putchar('\n');
	print_level(reply, now, before);
	return output_error();
}

static json_t *level_object(const struct fingerprint_level *now, const struct fingerprint_level *before)
{
	const uint64_t span = PAGE_SIZE << 9 * now->level;
	json_t *list = json_array();

	for (uint64_t i = 0; i < now->n; i++) {
		char hex[HEX_TEXT(SHARE_DIGEST)];
		const uint64_t gpa = i * span;

		if (!has_changed(now, before, i))
			continue;
		hex_write(hex, now->digest[i].byte, SHARE_DIGEST);
		json_array_append_new(
		    list, json_pack("{s:I, s:I, s:s}", "gpa", (json_int_t)gpa, "size", (json_int_t)span, "hash", hex));
	}
	return list;
}

int fingerprint_print_json(json_t *reply, int64_t us, const struct fingerprint_level *now,
                           const struct fingerprint_level *before)
{
	json_t *out = json_copy(reply);

	json_object_del(out, "done");
	json_object_set_new(out, "us", json_integer(us));
	if (now->n) {
		json_object_set_new(out, "level", json_integer(now->level));
		json_object_set_new(out, before->n ? "changed" : "hashes", level_object(now, before));
	}
	put_json(out, JSON_COMPACT);
	json_decref(out);
	return output_error();
}
