/* SPDX-License-Identifier: MIT */
/* query-enclaves over made-up enclaves: the shape of the reply, and why there is none. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "machine/machine.h"
#include "platform/enclave.h"

struct platform_enclaves {
	int result;
	const struct enclave_summary *summary;
	unsigned nr;
	uint8_t key[32];
};

int platform_enclaves_look(struct platform_enclaves *e, void (*fn)(void *ctx, const struct enclave_summary *summary),
                           void *ctx)
{
	for (unsigned i = 0; i < e->nr; i++)
		fn(ctx, &e->summary[i]);
	return e->result;
}

int platform_enclaves_third_stage(struct platform_enclaves *e, struct platform_third_stage *ret)
{
	*ret = (struct platform_third_stage){.levels = 2, .memory = 1 << 20, .bytes = 8192};
	return e->result;
}

const uint8_t *platform_enclaves_key(const struct platform_enclaves *e)
{
	return e->key;
}

bool platform_enclaves_locked(const struct platform_enclaves *e)
{
	return e->nr > 0;
}

static struct vm vm;
static struct machine machine = {.vm = &vm};
static struct control_error error;

static void expect_error(const char *words)
{
	cr_expect_null(machine_enclaves(&machine, &error));
	cr_expect_str_eq(error.class, ERROR_GENERIC);
	cr_expect_str_eq(error.desc, words);
}

static void expect_reply(const char *expected)
{
	json_t *reply = machine_enclaves(&machine, &error);
	char *text = json_dumps(reply, JSON_COMPACT);

	cr_assert(reply && text, "%s", error.desc);
	cr_expect_str_eq(text, expected);
	free(text);
	json_decref(reply);
}

Test(machine_enclaves, none_can_be)
{
	expect_error("This VM has no secure memory (gnomon run --enclave-memory)");
}

#define KEY "01000000000000000000000000000000000000000000000000000000000000ff"

Test(machine_enclaves, reply)
{
	static const struct enclave_summary two[] = {
	    {.id = 3,
	     .state = "called-out",
	     .create = {.base = 0x400000, .size = 0x9000},
	     .pages = 7,
	     .tables = 4,
	     .entries = 10,
	     .exits = {1, 2, 3, 4},
	     .sealed = true,
	     .measurement = {0xab, [31] = 0x0f}},
	    {.id = 64, .state = "building", .create = {.base = 0x7ffffffef000, .size = 0x1000}},
	};
	struct platform_enclaves all = {.summary = two, .key = {1, [31] = 0xff}};

	vm.enclaves = &all;
	expect_reply("{\"key\":\"" KEY "\",\"locked\":false,\"enclaves\":[]}");
	all.nr = 2;
	expect_reply(
	    "{\"key\":\"" KEY "\",\"locked\":true,\"enclaves\":["
	    "{\"id\":3,\"state\":\"called-out\",\"base\":4194304,\"size\":36864,\"pages\":7,\"tables\":4,"
	    "\"entries\":10,\"exits\":{\"exited\":1,\"called-out\":2,\"interrupted\":3,\"faulted\":4},"
	    "\"measurement\":\"ab0000000000000000000000000000000000000000000000000000000000000f\"},"
	    "{\"id\":64,\"state\":\"building\",\"base\":140737488285696,\"size\":4096,\"pages\":0,\"tables\":0,"
	    "\"entries\":0,\"exits\":{\"exited\":0,\"called-out\":0,\"interrupted\":0,\"faulted\":0}}]}");
}

/* Half a list would mislead. */
Test(machine_enclaves, monitor_is_gone)
{
	static const struct enclave_summary one = {.id = 1, .state = "ready"};
	struct platform_enclaves all = {.result = -EPIPE, .summary = &one, .nr = 1};

	vm.enclaves = &all;
	expect_error("The monitor, which has the enclaves, is gone");
}

/* Of their tables only sizes: of all, or of those that have an address. Frames of all count. */
Test(machine_enclaves, sizes)
{
	static const struct paging_ops nested = {.name = "nested"};
	static const struct enclave_summary two[] = {
	    {.id = 1, .state = "ready", .create = {.base = 0x10000, .size = 0x4000}, .pages = 3, .tables = 4},
	    {.id = 7, .state = "running", .create = {.base = 0x20000, .size = 0x1000}, .pages = 1, .tables = 5}};
	static const char expected[] =
	    "{\"stage\":\"enclave\",\"mode\":\"nested\",\"trees\":[],\"cut\":false,\"third-stage\":{\"levels\":2,"
	    "\"memory\":1048576,\"bytes\":8192,\"frames\":256,\"owned\":13},\"enclaves\":[{\"id\":7,\"state\":"
	    "\"running\",\"base\":\"0x20000\",\"size\":4096,\"pages\":1,\"tables\":5}]}";
	struct platform_enclaves all = {.summary = two, .nr = 2};
	struct control_tables wanted = {.stage = "enclave", .address = "0x20fff", .cpu = -1};
	json_t *reply;
	char *text;

	vm.paging = &nested;
	vm.enclaves = &all;
	reply = machine_enclave_tables(&machine, &wanted, &error);
	text = json_dumps(reply, JSON_COMPACT);
	cr_expect_str_eq(text, expected);
	free(text);
	json_decref(reply);
	wanted.address = "0x20g";
	cr_expect_null(machine_enclave_tables(&machine, &wanted, &error));
	cr_expect_str_eq(error.desc,
	                 "Parameter 'address' is no address of 64 bits: 0x and hexadecimal digits, or decimal ones");
	wanted.address = NULL;
	all.result = -ETIMEDOUT;
	cr_expect_null(machine_enclave_tables(&machine, &wanted, &error));
	cr_expect_str_eq(error.desc, "The monitor, which has the enclaves, does not answer");
	vm.enclaves = NULL;
	cr_expect_null(machine_enclave_tables(&machine, &wanted, &error));
}
