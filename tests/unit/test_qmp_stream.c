/* SPDX-License-Identifier: MIT */
/* Bytes cut into JSON values: wherever a read ends, whatever a client sends, and never more memory than promised. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "control/stream.h"

/* What came out of a stream, as text: a value as jansson writes it, or "!" and the error; each on a line. */
struct out {
	char *text;
	size_t len;
	unsigned values, errors;
};

static void put(struct out *o, const char *mark, const char *text)
{
	const size_t n = strlen(mark) + strlen(text) + 1;

	o->text = realloc(o->text, o->len + n + 1);
	o->len += sprintf(o->text + o->len, "%s%s\n", mark, text);
}

static void feed(struct json_stream *s, const char *data, size_t len, struct out *o)
{
	for (;;) {
		json_t *value = NULL;
		enum stream_result r = stream_take(s, &data, &len, &value);

		if (r == STREAM_MORE) {
			cr_assert_eq(len, 0, "bytes were left");
			return;
		}
		if (r == STREAM_VALUE) {
			char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);

			put(o, "", text);
			free(text);
			json_decref(value);
			o->values++;
		} else {
			put(o, "!", s->error);
			o->errors++;
		}
	}
}

/* The whole text at once. */
static struct out all(const char *text)
{
	struct json_stream s = {0};
	struct out o = {.text = strdup("")};

	feed(&s, text, strlen(text), &o);
	stream_reset(&s);
	return o;
}

#define EXPECT(input, output)                                                                                          \
	do {                                                                                                           \
		struct out o_ = all(input);                                                                            \
		cr_expect_str_eq(o_.text, output, "%s gave %s", input, o_.text);                                       \
		free(o_.text);                                                                                         \
	} while (0)

/* Values need no newline behind them, and nothing between them; a number needs its end. */
Test(qmp_stream, cuts)
{
	EXPECT("{}", "{}\n");
	EXPECT("{}{\"a\":1}[2]\"x\"true ", "{}\n{\"a\":1}\n[2]\n\"x\"\ntrue\n");
	EXPECT(" \r\n\t{ \"a\" : [ 1 , { } ] } ", "{\"a\":[1,{}]}\n");
	EXPECT("12 13{}14[]", "12\n13\n{}\n14\n[]\n");
	EXPECT("12", "");
	EXPECT("{\"a\":\"}]\\\"{\\\\\"}{}", "{\"a\":\"}]\\\"{\\\\\"}\n{}\n");
	EXPECT("{\"a\\u0022}\":\"\\u0000\"}", "{\"a\\\"}\":\"\\u0000\"}\n");
}

/* As QEMU reads it: either quote, either quote escaped in either, numbers of any size. */
Test(qmp_stream, dialect)
{
	EXPECT("{'a':'b'}", "{\"a\":\"b\"}\n");
	EXPECT("{'a\"b':\"c'd\"}", "{\"a\\\"b\":\"c'd\"}\n");
	EXPECT("['\\'','\\\"',\"\\'\",\"\\\"\",'\\\\']", "[\"'\",\"\\\"\",\"'\",\"\\\"\",\"\\\\\"]\n");
	EXPECT("'x'\"y\"'}{'", "\"x\"\n\"y\"\n\"}{\"\n");
	EXPECT("{'\\u0061':'\\u0022\\u005c\\u00e9'}", "{\"a\":\"\\\"\\\\\xc3\xa9\"}\n");
	EXPECT("[ 9223372036854775807,-9223372036854775808,-0 ]", "[9223372036854775807,-9223372036854775808,0]\n");
	EXPECT("[9223372036854775808,-9223372036854775809]", "[9.2233720368547758e18,-9.2233720368547758e18]\n");
	EXPECT("[1e400,-1e400,1e-400,1E2]", "[1e308,-1e308,0.0,100.0]\n");
	EXPECT("1e400 '", "1e308\n");
	/* What was an error without that stays one: a blank between two numbers is none within one. */
	EXPECT("[1 2]", "!JSON parse error, ']' expected near '2'\n");
	EXPECT("['a' 'b']", "!JSON parse error, ']' expected near '\"b\"'\n");
}

/* The id of a value, and only of the outermost object; "-" when there is none. */
static void expect_id(const char *text, const char *id)
{
	struct json_stream s = {0};
	size_t len = strlen(text);
	json_t *value = NULL;

	cr_assert_eq(stream_take(&s, &text, &len, &value), STREAM_VALUE, "%s: %s", text, s.error);
	cr_expect_str_eq(s.id ? s.id : "-", id, "%s", text);
	json_decref(value);
	stream_reset(&s);
}

Test(qmp_stream, ids)
{
	expect_id("{}", "-");
	expect_id("[\"id\",{\"id\":1}]", "-");
	expect_id("{\"a\":{\"id\":1}}", "-");
	expect_id("{\"a\":\"id\",\"b\":1}", "-");
	expect_id("{\"ids\":1,\"i\":2}", "-");
	expect_id("{\"id\":1}", "1");
	expect_id("{ 'id' : 'x' , 'a' : 1 }", "\"x\"");
	expect_id("{\"\\u0069\\u0064\":\r\n\t[ 1 ,\n{ } ] }", "[ 1 , { } ]");
	expect_id("{\"a\":{\"id\":1},\"id\":{\"id\":[\"}\",2]},\"b\":[3]}", "{\"id\":[\"}\",2]}");
	expect_id("{\"id\":\"\"}", "\"\"");
	expect_id("{\"id\":\"a\\u0000b\"}", "\"a\\u0000b\"");
	expect_id("{\"id\":123456789012345678901234567890.5e-7}", "123456789012345678901234567890.5e-7");
}

/* An error costs the value that holds it; the next one is read as if nothing had been. */
Test(qmp_stream, goes_on_behind_errors)
{
	static const char *const broken[] = {"{\"a\"}",
	                                     "{\"a\":1,}",
	                                     "{a:1}",
	                                     "[1 2]",
	                                     "{]",
	                                     "[}",
	                                     "]",
	                                     "}",
	                                     ",",
	                                     ":",
	                                     "{\"a\":1,\"a\":2}",
	                                     "nul ",
	                                     "01 ",
	                                     "1.e400 ",
	                                     ".5 ",
	                                     "+99999999999999999999 ",
	                                     "099999999999999999999 ",
	                                     "{'a\":1}\n",
	                                     "['\\q']",
	                                     "'a\nb",
	                                     "\"a\nb",
	                                     "{\"a\":\"\xc3\x28\"}",
	                                     "{\"x\xff",
	                                     "\xff",
	                                     "[\"\\q\"]",
	                                     "[\"\\ud800\"]",
	                                     "{\"a\x01\"",
	                                     "{\"\\u0000\":1}",
	                                     "\x80 "};

	for (size_t i = 0; i < sizeof(broken) / sizeof(*broken); i++) {
		struct json_stream s = {0};
		struct out o = {.text = strdup("")};

		feed(&s, broken[i], strlen(broken[i]), &o);
		cr_expect(o.errors >= 1 && o.values == 0, "%s gave %s", broken[i], o.text);
		o.values = 0;
		feed(&s, "\n\xff{\"id\":7}", 10, &o);
		cr_expect_eq(o.values, 1, "behind %s: %s", broken[i], o.text);
		for (const char *p = o.text; *p; p++)
			cr_expect(*p == '\n' || (*p >= ' ' && *p <= '~'), "a message that is not ASCII: %s", o.text);
		stream_reset(&s);
		free(o.text);
	}
	/* Without help from the client, where the end of the broken value is in plain sight. */
	EXPECT("{]{}", "!JSON parse error, expecting value\n{}\n");
	EXPECT("}{}", "!JSON parse error, expecting value\n{}\n");
	EXPECT("{\"a\":\"cut\n{}", "!JSON parse error, expecting value\n{}\n");
}

/* Reads end anywhere: every way to cut the text in two, and byte by byte, gives the same. */
Test(qmp_stream, cut_at_each_byte)
{
	static const char text[] =
	    "{\"execute\":\"x\",\"id\":[1,\"\\\"\\u00e9\xc3\xa9\"]}12 {]\"s\"null \xff[{\"a\":{}},\"\n[[]]{}";
	struct out whole = all(text);
	const size_t n = strlen(text);

	cr_assert_gt(whole.values, 4);
	cr_assert_gt(whole.errors, 2);
	for (size_t cut = 0; cut <= n; cut++) {
		struct json_stream s = {0};
		struct out o = {.text = strdup("")};

		feed(&s, text, cut, &o);
		feed(&s, text + cut, n - cut, &o);
		cr_expect_str_eq(o.text, whole.text, "cut at %zu: %s", cut, o.text);
		stream_reset(&s);
		free(o.text);
	}
	struct json_stream s = {0};
	struct out o = {.text = strdup("")};

	for (size_t i = 0; i < n; i++)
		feed(&s, text + i, 1, &o);
	cr_expect_str_eq(o.text, whole.text);
	stream_reset(&s);
	free(o.text);
	free(whole.text);
}

/* A text that stops at each byte leaves nothing behind but what reset frees (the sanitizer looks). */
Test(qmp_stream, ends_at_each_byte)
{
	static const char text[] = "{\"execute\":\"query-status\",\"arguments\":{\"a\":[1,2,{}]}}";

	for (size_t end = 0; end < sizeof(text) - 1; end++) {
		struct json_stream s = {0};
		struct out o = {.text = strdup("")};

		feed(&s, text, end, &o);
		cr_expect_str_eq(o.text, "", "%zu bytes gave %s", end, o.text);
		stream_reset(&s);
		free(o.text);
	}
}

static void repeat(struct json_stream *s, const char *what, size_t times, struct out *o)
{
	for (size_t i = 0; i < times; i++)
		feed(s, what, strlen(what), o);
}

/* The bound on nesting is exact, holds for mixed brackets, and what lies beyond it is one error, not ten thousand. */
Test(qmp_stream, depth)
{
	static const struct {
		const char *open, *close;
		size_t times; /* brackets = times * depth of `open` */
		unsigned values, errors;
	} cases[] = {{"[", "]", 1024, 1, 0},          {"[", "]", 1025, 0, 1},        {"{\"a\":", "}", 1025, 0, 1},
	             {"[", "]", 10000, 0, 1},         {"{\"a\":[", "]}", 512, 1, 0}, {"{\"a\":[", "]}", 513, 0, 1},
	             {"{\"a\":[", "]}", 100000, 0, 1}};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct json_stream s = {0};
		struct out o = {.text = strdup("")};

		repeat(&s, cases[i].open, cases[i].times, &o);
		if (cases[i].open[0] == '{')
			feed(&s, cases[i].open[5] == '[' ? "" : "1", cases[i].open[5] != '[', &o);
		repeat(&s, cases[i].close, cases[i].times, &o);
		cr_expect_eq(o.values, cases[i].values, "case %zu: %u values", i, o.values);
		cr_expect_eq(o.errors, cases[i].errors, "case %zu: %.300s", i, o.text);
		feed(&s, "{\"after\":1}", 11, &o);
		cr_expect_eq(o.values, cases[i].values + 1, "case %zu: deaf afterwards", i);
		stream_reset(&s);
		free(o.text);
	}
}

/* 100 MB in one string, in one number and in many members: one error each, and no more memory than the bound. */
Test(qmp_stream, size)
{
	static char chunk[1 << 20];
	static const struct {
		const char *begin, *end;
		char fill;
	} cases[] = {{"{\"a\":\"", "\"}", 'x'}, {"", " ", '1'}, {"[", "]", ' '}, {"\"", "\"", '\\'}};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct json_stream s = {0};
		struct out o = {.text = strdup("")};

		memset(chunk, cases[i].fill, sizeof(chunk));
		feed(&s, cases[i].begin, strlen(cases[i].begin), &o);
		for (int n = 0; n < 100; n++) {
			feed(&s, chunk, sizeof(chunk), &o);
			cr_assert_leq(s.room, 2 * STREAM_MAX_BYTES, "it took %zu bytes", s.room);
		}
		feed(&s, cases[i].end, strlen(cases[i].end), &o);
		cr_expect_str_eq(o.text, "!JSON message size limit exceeded\n", "case %zu: %.300s", i, o.text);
		feed(&s, "{}", 2, &o);
		cr_expect_eq(o.values, 1, "case %zu: deaf afterwards", i);
		stream_reset(&s);
		free(o.text);
	}
}

/* The largest message that is taken, and one byte more. A message that breaks the bound with its last byte counts. */
Test(qmp_stream, size_is_exact)
{
	static char text[STREAM_MAX_BYTES + 2];

	for (size_t n = STREAM_MAX_BYTES; n <= STREAM_MAX_BYTES + 1; n++) {
		struct json_stream s = {0};
		struct out o = {.text = strdup("")};

		memset(text, 'x', n);
		text[0] = text[n - 1] = '"';
		feed(&s, text, n, &o);
		cr_expect_eq(o.values, n == STREAM_MAX_BYTES, "%zu bytes", n);
		cr_expect_eq(o.errors, n > STREAM_MAX_BYTES, "%zu bytes", n);
		feed(&s, "[]", 2, &o);
		cr_expect_eq(o.values + o.errors, 2u, "%zu bytes: deaf afterwards", n);
		cr_expect_leq(s.room, 4096u, "a large buffer was kept");
		stream_reset(&s);
		free(o.text);
	}
}
