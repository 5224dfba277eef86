/* SPDX-License-Identifier: MIT */
/*
 * The same requests to QEMU and to Gnomon: replies of the same shape (members and types; values are each one's own)
 * and errors of the same class; where the words are QEMU's own for the protocol, the same words. QEMU without a
 * machine is the reference: `qemu-system-x86_64 -M none -qmp`.
 */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client/connection.h"
#include "run_gnomon.h"

#define ANSWER_MS 600000

/* Requests in this order, on one connection each. */
static const struct {
	const char *request;
	bool words; /* the error's words agree, too */
} requests[] = {
    {"{\"execute\":\"qmp_capabilities\"}", true},
    {"{\"execute\":\"query-version\"}", true},
    {"{\"execute\":\"query-version\",\"id\":[1,{\"a\":null,\"b\":\"\\u00e9\"}]}", true},
    {"{\"execute\":\"query-name\",\"id\":\"x\"}", true},
    {"{\"execute\":\"query-status\",\"id\":-1}", true},
    {"{\"execute\":\"query-status\",\"id\":1.5}", true},
    {"{\"execute\":\"query-status\",\"arguments\":{}}", true},
    {"{\"execute\":\"query-commands\"}", true},
    {"{\"execute\":\"stop\"}", true},
    {"{\"execute\":\"stop\"}", true},
    {"{\"execute\":\"query-status\"}", true},
    {"{\"execute\":\"cont\"}", true},
    {"{\"execute\":\"cont\"}", true},
    {"{\"execute\":\"system_reset\"}", true},
    {"{\"execute\":\"balloon\",\"arguments\":{\"value\":1048576}}", false},
    {"{\"execute\":\"balloon\",\"arguments\":{\"value\":-1}}", false},
    {"{\"execute\":\"balloon\",\"arguments\":{\"value\":\"1\"}}", true},
    {"{\"execute\":\"balloon\",\"arguments\":{\"value\":1.5}}", true},
    {"{\"execute\":\"balloon\",\"arguments\":{\"value\":null}}", true},
    {"{\"execute\":\"balloon\",\"arguments\":{\"value\":1,\"x\":2}}", true},
    {"{\"execute\":\"balloon\",\"arguments\":{\"x\":2}}", true},
    {"{\"execute\":\"balloon\",\"arguments\":{}}", true},
    {"{\"execute\":\"balloon\"}", true},
    {"{\"execute\":\"query-balloon\"}", false},
    {"{\"execute\":\"query-stats\"}", true},
    {"{\"execute\":\"query-stats\",\"arguments\":{\"target\":\"vcpu\",\"vcpus\":[]}}", true},
    {"{\"execute\":\"query-stats\",\"arguments\":{\"target\":\"foo\"}}", true},
    {"{\"execute\":\"query-stats\",\"arguments\":{\"target\":3}}", true},
    {"{\"execute\":\"query-stats\",\"arguments\":{\"target\":\"vm\",\"vcpus\":[\"a\"]}}", true},
    {"{\"execute\":\"query-stats\",\"arguments\":{\"target\":\"vcpu\",\"vcpus\":[1]}}", true},
    {"{\"execute\":\"query-stats\",\"arguments\":{\"target\":\"vcpu\",\"vcpus\":{}}}", true},
    {"{\"execute\":\"query-stats\",\"arguments\":{\"target\":\"vm\",\"providers\":[{\"provider\":\"zz\"}]}}", false},
    {"{\"execute\":\"query-stats\",\"arguments\":{\"target\":\"vm\",\"providers\":[{}]}}", false},
    {"{\"execute\":\"query-stats\",\"arguments\":{\"target\":\"vm\",\"providers\":[1]}}", true},
    {"{\"execute\":\"query-stats-schemas\",\"arguments\":{\"provider\":\"zz\"}}", true},
    {"{\"execute\":\"query-stats-schemas\",\"arguments\":{\"foo\":1}}", true},
    {"{\"execute\":\"nosuch\"}", true},
    {"{\"execute\":\"nosuch\",\"arguments\":{\"x\":1},\"id\":3}", true},
    {"{\"execute\":\"\"}", true},
    {"{\"execute\":\"query-status\",\"arguments\":{\"x\":1}}", true},
    {"{\"execute\":\"query-status\",\"arguments\":[]}", true},
    {"{\"execute\":\"query-status\",\"arguments\":null,\"id\":4}", true},
    {"{\"execute\":\"query-status\",\"foo\":1}", true},
    {"{\"execute\":1,\"id\":4}", true},
    {"{\"execute\":null}", true},
    {"{}", true},
    {"{\"id\":1}", true},
    {"{\"arguments\":{}}", true},
    {"[]", true},
    {"[{\"execute\":\"query-status\"}]", true},
    {"1 ", true},
    {"\"query-status\"", true},
    {"{'execute':'query-status','id':'a'}", true},
    {"{'execute':\"query-status\",'id':'a\"b'}", true},
    {"{\"execute\":\"query-status\",\"id\":\"a'b\"}", true},
    {"{\"execute\":\"query-status\",\"id\":\"a\\'b\"}", true},
    {"{'execute':'query-status','id':'a\\'b\\\"c\\/d\\\\'}", true},
    {"\r\n\t{'execute':'query-status',\r\n'id' : [ 'a' , { } ] }\r\n", true},
    {"{'execute':'query-status','id':-0}", true},
    {"{'execute':'query-status','id':1e3}", true},
    {"{'execute':'query-status','id':1E+2}", true},
    {"{'execute':'query-status','id':1e-400}", true},
    {"{'execute':'query-status','id':9223372036854775807}", true},
    {"{'execute':'query-status','id':18446744073709551615}", true},
    {"{'execute':'query-status','id':18446744073709551616}", true},
    {"{'execute':'query-status','id':-9223372036854775808}", true},
    {"{'execute':'query-status','id':-9223372036854775809}", true},
    {"{'execute':'query-status','id':12345678901234567890.5}", true},
    {"{'execute':'query-status','id':[18446744073709551615,{'a':-1e300}]}", true},
    {"{'execute':'query-status','id':null}", true},
    {"{'execute':'query-status','id':true}", true},
    {"{'execute':'query-status','id':[]}", true},
    {"{'execute':'query-status','id':{}}", true},
    {"{'execute':'query-status','id':''}", true},
    {"{'execute':'query-status','id':{'id':{'id':1}}}", true},
    {"{\"execute\":\"query-status\",\"\\u0069d\":9}", true},
    {"{\"\\u0065xecute\":\"query-status\",\"id\":9}", true},
    {"{'execute':'query-status','id':'\\u0000\\ud83d\\ude00\\u00e9\xc3\xa9'}", true},
    {"{'execute':'balloon','arguments':{'value':18446744073709551615},'id':7}", true},
    {"{'execute':'balloon','arguments':{'value':99999999999999999999},'id':7}", true},
    {"{'execute':'balloon','arguments':{'value':1e400},'id':7}", true},
    {"{'execute':'balloon','arguments':{'value':1e3},'id':7}", true},
    {"{'execute':'balloon','arguments':{'value':-0},'id':7}", false},
    {"{'execute':'nosuch','id':{'a':[1,{'b':null}],'c':'d'}}", true},
    {"{'execute':1,'id':{'a':'b'}}", true},
    {"{'exec-oob':'query-status','id':5}", true},
    {"{'id':5,'foo':{}}", true},
    {"{'':1,'id':5}", true},
    {"{'execute':'query-status','arguments':{'a':1},'id':'z'}", true},
    {"{'execute':'query-status','arguments':'a','id':'z'}", true},
    {"'query-status'", true},
    {"['a']", true},
    {"{'execute':'query-status','id':1,'id':2}", false},
    {"{'execute':'query-status','id':nul}", false},
    {"{'execute':'query-status','id':'\\x41'}", false},
    {"{'execute':'query-status','id':'\\ud83d'}", false},
    {"{'execute':'query-status','id':'\xc3'}", false},
    {"{execute:'query-status','id':3}", false},
    {"{'execute':'query-status' 'id':3}", false},
    {"{\"execute\":\"query-status\",}", false},
    {"{\"execute\" \"query-status\"}", false},
    {"{\"execute\":\"query-status\",\"execute\":\"stop\"}", false},
    {"}", false},
    {"{\"execute\":\"query-status\"}", true},
    {"{\"execute\":\"qmp_capabilities\"}", true},
};

struct side {
	const char *name;
	pid_t pid;
	struct connection c;
	bool is_qemu;
};

static char dir[64];

/* Starts a server and takes its greeting, without negotiating. */
static json_t *start(struct side *s, char *const *argv, const char *path)
{
	struct limit limit = {0};
	json_t *greeting = NULL;

	s->pid = fork();
	if (s->pid == 0) {
		int null = open("/dev/null", O_RDWR);

		dup2(null, 0);
		dup2(null, 1);
		dup2(null, 2);
		execvp(argv[0], argv);
		_exit(255);
	}
	while ((access(path, F_OK) < 0 || connection_greet(&s->c, path, ANSWER_MS, &greeting) < 0) &&
	       !limit_over(&limit))
		usleep(10000);
	cr_assert(greeting, "%s does not greet", s->name);
	return greeting;
}

static void end(struct side *s)
{
	connection_close(&s->c);
	kill(s->pid, SIGTERM);
	waitpid(s->pid, NULL, 0);
}

/* QEMU 7.2 greets a client twice who connects while it still sets up its monitor. */
static json_t *reply_to(struct side *s, const char *request)
{
	json_t *reply = NULL;
	bool greets;

	cr_assert_eq(connection_say(&s->c, request, strlen(request)), 0);
	do {
		json_decref(reply);
		reply = NULL;
		cr_assert_eq(connection_reply(&s->c, &reply), 0, "%s does not answer %s", s->name, request);
		greets = s->is_qemu && json_object_get(reply, "QMP");
	} while (greets);
	return reply;
}

static const char *text_of(const json_t *v)
{
	static char *text[2];
	static int turn;

	turn = !turn;
	free(text[turn]);
	text[turn] = json_dumps(v, JSON_ENCODE_ANY);
	return text[turn];
}

/* Same types, same members; of arrays, the first elements. */
static bool same_shape(const json_t *a, json_t *b)
{
	const bool both_boolean = json_is_boolean(a) && json_is_boolean(b);
	const bool both_number = json_is_number(a) && json_is_number(b);
	const char *key;
	json_t *value;

	if (json_typeof(a) != json_typeof(b) && !both_boolean && !both_number)
		return false;
	if (json_is_array(a) && json_array_size(a) && json_array_size(b))
		return same_shape(json_array_get(a, 0), json_array_get(b, 0));
	if (!json_is_object(a))
		return true;
	if (json_object_size(a) != json_object_size(b))
		return false;
	json_object_foreach (b, key, value)
		if (!json_object_get(a, key) || !same_shape(json_object_get(a, key), value))
			return false;
	return true;
}

/* The same value; QEMU writes 1e3 as 1000, and reads the largest numbers as reals. */
static bool same_value(const json_t *a, const json_t *b)
{
	const char *key;
	json_t *value;

	if (json_is_number(a) && json_is_number(b))
		return json_number_value(a) == json_number_value(b);
	if (!json_is_array(a) && !json_is_object(a))
		return json_equal(a, b);
	if (json_typeof(a) != json_typeof(b) || json_array_size(a) != json_array_size(b) ||
	    json_object_size(a) != json_object_size(b))
		return false;
	for (size_t i = 0; i < json_array_size(a); i++)
		if (!same_value(json_array_get(a, i), json_array_get(b, i)))
			return false;
	json_object_foreach ((json_t *)(uintptr_t)a, key, value)
		if (!json_object_get(b, key) || !same_value(value, json_object_get(b, key)))
			return false;
	return true;
}

/* Takes over both references. */
static void compare(const char *request, bool words, json_t *qemu, json_t *ours)
{
	const json_t *qe = json_object_get(qemu, "error"), *oe = json_object_get(ours, "error");

	cr_expect(same_shape(qemu, ours), "%s:\n  QEMU %s\n  ours %s", request, text_of(qemu), text_of(ours));
	cr_expect(!json_object_get(qemu, "id") || same_value(json_object_get(qemu, "id"), json_object_get(ours, "id")),
	          "%s: the id differs", request);
	if (qe)
		cr_expect(json_equal(json_object_get(qe, "class"), json_object_get(oe, "class")) &&
		              (!words || json_equal(json_object_get(qe, "desc"), json_object_get(oe, "desc"))),
		          "%s:\n  QEMU %s\n  ours %s", request, text_of(qemu), text_of(ours));
	json_decref(qemu);
	json_decref(ours);
}

/* Events by name and members, in the order in which they came, before or after their command's reply. */
static void compare_events(struct side *qemu, struct side *ours)
{
	size_t i;
	json_t *event;

	cr_assert_eq(json_array_size(qemu->c.events), json_array_size(ours->c.events), "%s, %s",
	             text_of(qemu->c.events), text_of(ours->c.events));
	cr_expect_gt(json_array_size(ours->c.events), 1u);
	json_array_foreach (ours->c.events, i, event) {
		json_t *theirs = json_array_get(qemu->c.events, i);

		cr_expect(same_shape(theirs, event), "%s, %s", text_of(theirs), text_of(event));
		cr_expect(json_equal(json_object_get(theirs, "event"), json_object_get(event, "event")));
	}
}

Test(differential, same_shapes_and_classes)
{
	char qemu_path[96], our_path[96], qmp[128];
	struct side qemu = {.name = "QEMU", .is_qemu = true}, ours = {.name = "Gnomon"};
	char *const qemu_argv[] = {
	    "qemu-system-x86_64", "-M", "none", "-nodefaults", "-display", "none", "-name", "x", "-qmp", qmp, NULL};
	char *const our_argv[] = {strdup(build_path("gnomon")), "run", "--timeout", "100", "--control", our_path,
	                          strdup(guest_path("spin")),   NULL};
	json_t *theirs, *mine;

	need_kvm();
	if (system("command -v qemu-system-x86_64 >/dev/null") != 0)
		cr_skip_test("no QEMU to compare with");
	strcpy(dir, "/tmp/gnomon-control-XXXXXX");
	cr_assert(mkdtemp(dir));
	snprintf(qemu_path, sizeof(qemu_path), "%s/qemu", dir);
	snprintf(our_path, sizeof(our_path), "%s/gnomon", dir);
	snprintf(qmp, sizeof(qmp), "unix:%s,server=on,wait=off", qemu_path);
	theirs = start(&qemu, qemu_argv, qemu_path);
	mine = start(&ours, our_argv, our_path);
	json_array_clear(json_object_get(json_object_get(theirs, "QMP"), "capabilities"));
	compare("greeting", false, theirs, mine);
	compare("before negotiation", true, reply_to(&qemu, "{\"execute\":\"stop\",\"id\":1}"),
	        reply_to(&ours, "{\"execute\":\"stop\",\"id\":1}"));
	for (size_t i = 0; i < sizeof(requests) / sizeof(*requests); i++)
		compare(requests[i].request, requests[i].words, reply_to(&qemu, requests[i].request),
		        reply_to(&ours, requests[i].request));
	compare_events(&qemu, &ours);
	end(&qemu);
	end(&ours);
	free(our_argv[0]);
	free(our_argv[6]);
	unlink(qemu_path);
	unlink(our_path);
	cr_expect_eq(rmdir(dir), 0);
}
