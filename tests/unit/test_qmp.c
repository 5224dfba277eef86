/* SPDX-License-Identifier: MIT */
/* What a QMP server answers: QEMU's shapes, classes and words, from a VM made of a few variables. */
#include "qmp_session.h"

TestSuite(qmp, .init = setup);

/* Nothing but qmp_capabilities before qmp_capabilities; that one once. Its words are QEMU's. */
Test(qmp, negotiation)
{
	session.negotiated = false;
	EXPECT("{\"execute\":\"query-status\"}",
	       ERR("CommandNotFound", "Expecting capabilities negotiation with 'qmp_capabilities'"));
	EXPECT("{\"execute\":\"nosuch\",\"id\":1}",
	       "{\"error\":{\"class\":\"CommandNotFound\",\"desc\":\"Expecting capabilities negotiation with "
	       "'qmp_capabilities'\"},\"id\":1}");
	EXPECT("{\"execute\":\"qmp_capabilities\",\"arguments\":{\"foo\":1}}",
	       ERR("GenericError", "Parameter 'foo' is unexpected"));
	EXPECT("{\"execute\":\"qmp_capabilities\",\"arguments\":{\"enable\":[\"oob\"]}}",
	       ERR("GenericError", "Parameter 'enable[0]' does not accept value 'oob'"));
	cr_expect_not(session.negotiated);
	cr_expect_str_eq(ask("{\"execute\":\"qmp_capabilities\",\"arguments\":{\"enable\":[]}}"), "{\"return\":{}}");
	EXPECT("{\"execute\":\"qmp_capabilities\"}",
	       ERR("CommandNotFound", "Capabilities negotiation is already complete, command ignored"));
}

/* The members of a request, each wrong in each way. */
Test(qmp, shape_of_requests)
{
	EXPECT("[]", ERR("GenericError", "QMP input must be a JSON object"));
	EXPECT("1", ERR("GenericError", "QMP input must be a JSON object"));
	EXPECT("null", ERR("GenericError", "QMP input must be a JSON object"));
	EXPECT("{}", ERR("GenericError", "QMP input lacks member 'execute'"));
	EXPECT("{\"execute\":1}", ERR("GenericError", "QMP input member 'execute' must be a string"));
	EXPECT("{\"execute\":\"query-status\",\"arguments\":[]}",
	       ERR("GenericError", "QMP input member 'arguments' must be an object"));
	EXPECT("{\"execute\":\"query-status\",\"arguments\":null}",
	       ERR("GenericError", "QMP input member 'arguments' must be an object"));
	EXPECT("{\"execute\":\"query-status\",\"foo\":1}", ERR("GenericError", "QMP input member 'foo' is unexpected"));
	EXPECT("{\"exec-oob\":\"query-status\"}", ERR("GenericError", "QMP input member 'exec-oob' is unexpected"));
	EXPECT("{\"execute\":\"nosuch\"}", ERR("CommandNotFound", "The command nosuch has not been found"));
	EXPECT("{\"execute\":\"\"}", ERR("CommandNotFound", "The command  has not been found"));
	EXPECT("{\"execute\":\"query-name\",\"arguments\":{\"x\":1}}",
	       ERR("GenericError", "Parameter 'x' is unexpected"));
	/* The name as a whole, not up to a NUL. */
	EXPECT("{\"execute\":\"stop\\u0000x\"}", ERR("CommandNotFound", "The command stop has not been found"));
	cr_expect_eq(vm.stops, 0);
}

/* Any value goes as id and comes back as it was, with errors too. */
Test(qmp, id_is_echoed)
{
	EXPECT("{\"execute\":\"stop\",\"id\":[1,{\"a\":null}]}", "{\"return\":{},\"id\":[1,{\"a\":null}]}");
	EXPECT("{\"execute\":\"cont\",\"id\":\"\\u00e9\"}", "{\"return\":{},\"id\":\"\xc3\xa9\"}");
	EXPECT("{\"id\":7}",
	       "{\"error\":{\"class\":\"GenericError\",\"desc\":\"QMP input lacks member 'execute'\"},\"id\":7}");
	EXPECT("{\"execute\":\"quit\",\"id\":null}", "{\"return\":{},\"id\":null}");
	EXPECT("{'execute':'nosuch','id':{'a':\"'\"}}", "{\"error\":{\"class\":\"CommandNotFound\",\"desc\":\"The "
	                                                "command nosuch has not been found\"},\"id\":{\"a\":\"'\"}}");
}

/* Numbers that no variable here holds come back digit for digit, and are no integers to a command. */
Test(qmp, big_numbers)
{
	static const char *const ids[] = {"18446744073709551615", "-9223372036854775809", "1e400", "-1E+999",
	                                  "[1,{\"a\":99999999999999999999}]"};
	char request[256], reply[256];

	for (size_t i = 0; i < sizeof(ids) / sizeof(*ids); i++) {
		snprintf(request, sizeof(request), "{\"execute\":\"stop\",\"id\": %s }", ids[i]);
		snprintf(reply, sizeof(reply), "{\"return\": {}, \"id\": %s}\n", ids[i]);
		EXPECT(request, reply);
	}
	EXPECT("{\"execute\":\"balloon\",\"arguments\":{\"value\":18446744073709551615},\"id\":1}",
	       "{\"error\":{\"class\":\"GenericError\",\"desc\":\"Invalid parameter type for 'value', expected: "
	       "integer\"},\"id\":1}");
	EXPECT("{\"execute\":\"balloon\",\"arguments\":{\"value\":-1e400},\"id\":1}",
	       "{\"error\":{\"class\":\"GenericError\",\"desc\":\"Invalid parameter type for 'value', expected: "
	       "integer\"},\"id\":1}");
}

/* A name of thousands of bytes, cut within a character, still gives a reply that is JSON. */
Test(qmp, long_names)
{
	static char request[4096];
	const char *reply;

	for (int shift = 0; shift < 2; shift++) {
		size_t n = sprintf(request, "{\"execute\":\"%s", shift ? "x" : "");

		for (int i = 0; i < 1000; i++)
			n += sprintf(request + n, "\xc3\xa9");
		sprintf(request + n, "\"}");
		reply = ask(request);
		cr_expect(strstr(reply, "\"CommandNotFound\""), "%s", reply);
	}
}

/* stop and cont act once, tell all clients once, and answer each time. */
Test(qmp, stop_and_cont)
{
	EXPECT("{\"execute\":\"query-status\"}",
	       "{\"return\":{\"status\":\"running\",\"singlestep\":false,\"running\":true}}");
	EXPECT("{\"execute\":\"stop\"}", "{\"return\":{}}");
	EXPECT("{\"execute\":\"query-status\"}",
	       "{\"return\":{\"status\":\"paused\",\"singlestep\":false,\"running\":false}}");
	EXPECT("{\"execute\":\"cont\"}", "{\"return\":{}}");
	EXPECT("{\"execute\":\"cont\"}", "{\"return\":{}}");
	cr_expect(vm.stops == 1 && vm.conts == 1);
	cr_expect_str_eq(events, "STOP RESUME ");
	vm.stop_fails = true;
	EXPECT("{\"execute\":\"stop\"}", ERR("GenericError", "vCPU 1 does not stop"));
	cr_expect_str_eq(events, "STOP RESUME ");
}

Test(qmp, simple_commands)
{
	cr_expect(strstr(ask("{\"execute\":\"query-version\"}"), "{\"return\":{\"qemu\":{\"micro\":"));
	EXPECT("{\"execute\":\"query-name\"}", "{\"return\":{\"name\":\"kernel.elf\"}}");
	vm.name = "\xff";
	EXPECT("{\"execute\":\"query-name\"}", "{\"return\":{}}");
	EXPECT("{\"execute\":\"quit\"}", "{\"return\":{}}");
	cr_expect(vm.quit);
	cr_expect_str_eq(ask("{\"execute\":\"system_reset\"}"), "{\"return\":{}}");
	cr_expect_eq(vm.resets, 1);
	cr_expect_str_eq(events, "RESET ");
}

/* Every command of the table is listed, has help, and is listed once. */
Test(qmp, query_commands)
{
	const char *list = ask("{\"execute\":\"query-commands\"}");

	cr_expect(strstr(list, "{\"name\":\"qmp_capabilities\"}"));
	for (const struct qmp_command *c = qmp_commands; c->name; c++) {
		char item[64];

		snprintf(item, sizeof(item), "{\"name\":\"%s\"}", c->name);
		cr_assert(strstr(list, item), "%s is not listed", c->name);
		cr_expect_null(strstr(strstr(list, item) + 1, item), "%s is listed twice", c->name);
		cr_expect(c->help && *c->help, "%s has no help", c->name);
	}
}

/* What QEMU says without a balloon device, and with one. */
Test(qmp, balloon)
{
	EXPECT("{\"execute\":\"query-balloon\"}", ERR("DeviceNotActive", "No balloon device has been activated"));
	EXPECT("{\"execute\":\"balloon\"}", ERR("GenericError", "Parameter 'value' is missing"));
	EXPECT("{\"execute\":\"balloon\",\"arguments\":{\"x\":2}}",
	       ERR("GenericError", "Parameter 'value' is missing"));
	EXPECT("{\"execute\":\"balloon\",\"arguments\":{\"value\":1,\"x\":2}}",
	       ERR("GenericError", "Parameter 'x' is unexpected"));
	EXPECT("{\"execute\":\"balloon\",\"arguments\":{\"value\":\"a\"}}",
	       ERR("GenericError", "Invalid parameter type for 'value', expected: integer"));
	EXPECT("{\"execute\":\"balloon\",\"arguments\":{\"value\":1.5}}",
	       ERR("GenericError", "Invalid parameter type for 'value', expected: integer"));
	EXPECT("{\"execute\":\"balloon\",\"arguments\":{\"value\":-1}}",
	       ERR("DeviceNotActive", "No balloon device has been activated"));
	vm.has_balloon = true;
	vm.balloon = (struct control_balloon){.actual = 1 << 20, .target = 1 << 20};
	EXPECT("{\"execute\":\"balloon\",\"arguments\":{\"value\":-1}}",
	       ERR("GenericError", "Parameter 'value' expects a size"));
	EXPECT("{\"execute\":\"balloon\",\"arguments\":{\"value\":0}}",
	       ERR("GenericError", "Parameter 'target' expects a size"));
	EXPECT("{\"execute\":\"balloon\",\"arguments\":{\"value\":4096}}", "{\"return\":{}}");
	EXPECT("{\"execute\":\"query-balloon\"}", "{\"return\":{\"actual\":1048576,\"target\":4096}}");
	EXPECT("{\"execute\":\"query-balloon-stats\"}", "{\"return\":{\"fake\":1}}");
}

/* A slice is whole pages, and more than none of them. */
Test(qmp, slices)
{
	static const char *const bad[] = {"{\"gpa\":1,\"size\":4096}", "{\"gpa\":0,\"size\":0}",
	                                  "{\"gpa\":0,\"size\":4097}", "{\"gpa\":-4096,\"size\":4096}",
	                                  "{\"gpa\":0,\"size\":-4096}"};
	char request[128];

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		snprintf(request, sizeof(request), "{\"execute\":\"reclaim\",\"arguments\":%s}", bad[i]);
		cr_expect(strstr(ask(request), "\"GenericError\""), "%s gave %s", request, ask(request));
	}
	cr_expect_eq(vm.last, 0);
	EXPECT("{\"execute\":\"reclaim\",\"arguments\":{\"gpa\":2097152,\"size\":65536}}", "{\"return\":{}}");
	cr_expect(vm.last == 'c' && vm.gpa == 2097152 && vm.size == 65536);
	EXPECT("{\"execute\":\"release\",\"arguments\":{\"gpa\":4096,\"size\":8192}}", "{\"return\":{}}");
	cr_expect(vm.last == 'l' && vm.gpa == 4096 && vm.size == 8192);
	EXPECT("{\"execute\":\"reclaim\",\"arguments\":{\"gpa\":2097152}}",
	       ERR("GenericError", "Parameter 'size' is missing"));
}

#define STATS(args) "{\"execute\":\"query-stats\",\"arguments\":{" args "}}"

/* QEMU's shapes: a list by provider, for vCPUs also by path; filters by name, path and provider. */
Test(qmp, query_stats)
{
	EXPECT(STATS("\"target\":\"vm\""),
	       "{\"return\":[{\"provider\":\"kvm\",\"stats\":[{\"name\":\"pages_4k\",\"value\":11}]}]}");
	EXPECT(STATS("\"target\":\"vcpu\",\"vcpus\":[\"/machine/cpu[1]\"]"),
	       "{\"return\":[{\"provider\":\"gnomon\",\"stats\":[{\"name\":\"exits\",\"value\":101},"
	       "{\"name\":\"stall\",\"value\":5}],\"qom-path\":\"/machine/cpu[1]\"}]}");
	EXPECT(
	    STATS("\"target\":\"vcpu\",\"providers\":[{\"provider\":\"gnomon\",\"names\":[\"exits\"]}]"),
	    "{\"return\":[{\"provider\":\"gnomon\",\"stats\":[{\"name\":\"exits\",\"value\":100}],"
	    "\"qom-path\":\"/machine/cpu[0]\"},{\"provider\":\"gnomon\",\"stats\":[{\"name\":\"exits\",\"value\":101}],"
	    "\"qom-path\":\"/machine/cpu[1]\"}]}");
	EXPECT(STATS("\"target\":\"vcpu\",\"providers\":[{\"provider\":\"kvm\"}]"), "{\"return\":[]}");
	EXPECT(STATS("\"target\":\"vcpu\",\"vcpus\":[]"), "{\"return\":[]}");
}

Test(qmp, query_stats_refuses)
{
	static char request[16384];
	size_t n;

	EXPECT("{\"execute\":\"query-stats\"}", ERR("GenericError", "Parameter 'target' is missing"));
	EXPECT(STATS("\"target\":\"foo\""), ERR("GenericError", "Parameter 'target' does not accept value 'foo'"));
	EXPECT(STATS("\"target\":3"), ERR("GenericError", "Invalid parameter type for 'target', expected: string"));
	EXPECT(STATS("\"target\":\"vm\",\"vcpus\":[\"a\"]"), ERR("GenericError", "Parameter 'vcpus' is unexpected"));
	EXPECT(STATS("\"target\":\"vcpu\",\"vcpus\":[1]"),
	       ERR("GenericError", "Invalid parameter type for 'vcpus[0]', expected: string"));
	EXPECT(STATS("\"target\":\"vcpu\",\"vcpus\":{}"),
	       ERR("GenericError", "Invalid parameter type for 'vcpus', expected: array"));
	EXPECT(STATS("\"target\":\"vm\",\"providers\":[3]"),
	       ERR("GenericError", "Invalid parameter type for 'providers[0]', expected: object"));
	EXPECT(STATS("\"target\":\"vm\",\"providers\":[{\"provider\":\"zz\"}]"),
	       ERR("GenericError", "Parameter 'provider' does not accept value 'zz'"));
	EXPECT(STATS("\"target\":\"vm\",\"providers\":[{\"provider\":\"kvm\",\"x\":1}]"),
	       ERR("GenericError", "Parameter 'x' is unexpected"));
	/* Lists are short enough that comparing everything with everything delays nobody. */
	n = sprintf(request, "{\"execute\":\"query-stats\",\"arguments\":{\"target\":\"vcpu\",\"vcpus\":[\"\"");
	for (int i = 0; i < 512; i++)
		n += sprintf(request + n, ",\"\"");
	sprintf(request + n, "]}}");
	EXPECT(request, ERR("GenericError", "Parameter 'vcpus' has more than 512 elements"));
}

Test(qmp, query_stats_schemas)
{
	EXPECT("{\"execute\":\"query-stats-schemas\",\"arguments\":{\"provider\":\"gnomon\"}}",
	       "{\"return\":[{\"provider\":\"gnomon\",\"target\":\"vm\",\"stats\":[]},"
	       "{\"provider\":\"gnomon\",\"target\":\"vcpu\",\"stats\":[{\"name\":\"exits\",\"type\":\"cumulative\","
	       "\"description\":\"e\"},{\"name\":\"stall\",\"type\":\"peak\",\"unit\":\"seconds\",\"base\":10,"
	       "\"exponent\":-9,\"description\":\"s\"}]}]}");
	EXPECT("{\"execute\":\"query-stats-schemas\",\"arguments\":{\"provider\":\"zz\"}}",
	       ERR("GenericError", "Parameter 'provider' does not accept value 'zz'"));
}

Test(qmp, dump_tables)
{
	cr_expect(strncmp(ask("{\"execute\":\"dump-tables\"}"), "{\"return\":[\"guest\",", 19) == 0);
	cr_expect(strncmp(ask("{\"execute\":\"dump-tables\",\"arguments\":{\"stage\":\"stage2\"}}"),
	                  "{\"return\":[\"stage2\",", 20) == 0);
	EXPECT("{\"execute\":\"dump-tables\",\"arguments\":{\"stage\":\"x\"}}",
	       ERR("GenericError", "Parameter 'stage' does not accept value 'x'"));
}

/* The first words of a server, key by key. */
Test(qmp, greeting)
{
	json_t *greeting = message_greeting();
	const json_t *qmp_key = json_object_get(greeting, "QMP");

	cr_expect_eq(json_object_size(greeting), 1u);
	cr_expect(json_is_array(json_object_get(qmp_key, "capabilities")));
	cr_expect(
	    json_is_integer(json_object_get(json_object_get(json_object_get(qmp_key, "version"), "qemu"), "major")));
	cr_expect(json_is_string(json_object_get(json_object_get(qmp_key, "version"), "package")));
	json_decref(greeting);
}
