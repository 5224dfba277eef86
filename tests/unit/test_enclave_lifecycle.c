/* SPDX-License-Identifier: MIT */
/*
 * The lifecycle of enclaves. What is protected here: each call in each state does what the lifecycle says, whatever its
 * arguments are.
 */
#include <string.h>

#include "enclave_world.h"

static void begin(void)
{
	ew_begin(4);
}

TestSuite(enclave_lifecycle, .init = begin, .fini = ew_end);

static const uint64_t no_args[GNOMON_ENCLAVE_ARGS];
static struct gnomon_enclave_left left;

/* A call that is right in the state that it is for. */
static enum gnomon_enclave_status make_call(enum gnomon_enclave_call call, unsigned id)
{
	const struct gnomon_enclave_create create = ew_create(4);

	switch (call) {
	case GNOMON_ENCLAVE_CREATE:
		return enclave_create(ew.all, id, &create);
	case GNOMON_ENCLAVE_ADD:
		return enclave_add(ew.all, id, EW_BASE + 3 * PAGE_SIZE, GNOMON_ENCLAVE_R, ew_page(3));
	case GNOMON_ENCLAVE_EXTEND:
		return enclave_extend(ew.all, id, EW_BASE + 2 * PAGE_SIZE);
	case GNOMON_ENCLAVE_INIT:
		return enclave_init(ew.all, id, NULL);
	case GNOMON_ENCLAVE_ENTER:
		return enclave_enter(ew.all, id, EW_BASE + 8, no_args);
	case GNOMON_ENCLAVE_RESUME:
		return enclave_resume(ew.all, id, ew_ticket, 0);
	case GNOMON_ENCLAVE_REMOVE:
		return enclave_remove(ew.all, id, EW_BASE + PAGE_SIZE);
	case GNOMON_ENCLAVE_DESTROY:
		return enclave_destroy(ew.all, id);
	case GNOMON_ENCLAVE_EXIT:
		return enclave_exit(ew.all, id, 0, &left);
	case GNOMON_ENCLAVE_CALL_OUT:
		return enclave_call_out(ew.all, id, 1, no_args, &left);
	case GNOMON_ENCLAVE_REPORT:
	case GNOMON_ENCLAVE_KEY:
		return enclave_allows(enclave_context(ew.all, id) ? ENCLAVE_RUNNING : ENCLAVE_READY, call);
	default:
		return enclave_interrupted(ew.all, id, &left);
	}
}

/* Where a call that succeeds leads. */
static enum enclave_state next(enum enclave_state from, enum gnomon_enclave_call call)
{
	switch (call) {
	case GNOMON_ENCLAVE_CREATE:
		return ENCLAVE_BUILDING;
	case GNOMON_ENCLAVE_INIT:
	case GNOMON_ENCLAVE_EXIT:
		return ENCLAVE_READY;
	case GNOMON_ENCLAVE_ENTER:
	case GNOMON_ENCLAVE_RESUME:
		return ENCLAVE_RUNNING;
	case GNOMON_ENCLAVE_DESTROY:
		return ENCLAVE_NONE;
	case GNOMON_ENCLAVE_CALL_OUT:
		return ENCLAVE_CALLED_OUT;
	case GNOMON_ENCLAVE_AEX:
		return ENCLAVE_INTERRUPTED;
	default:
		return from;
	}
}

/* All combinations, against the picture in enclave.h. */
Test(enclave_lifecycle, each_call_in_each_state)
{
	/* none, building, ready, running, called out, interrupted: the calls that are possible */
	static const char *const possible[GNOMON_ENCLAVE_NR_CALLS] = {
	    [GNOMON_ENCLAVE_CREATE] = "N",    [GNOMON_ENCLAVE_ADD] = "B",        [GNOMON_ENCLAVE_EXTEND] = "B",
	    [GNOMON_ENCLAVE_INIT] = "B",      [GNOMON_ENCLAVE_ENTER] = "Y",      [GNOMON_ENCLAVE_RESUME] = "CI",
	    [GNOMON_ENCLAVE_REMOVE] = "BYCI", [GNOMON_ENCLAVE_DESTROY] = "BYCI", [GNOMON_ENCLAVE_EXIT] = "R",
	    [GNOMON_ENCLAVE_CALL_OUT] = "R",  [GNOMON_ENCLAVE_REPORT] = "R",     [GNOMON_ENCLAVE_AEX] = "R",
	    [GNOMON_ENCLAVE_KEY] = "R",
	};

	for (enum gnomon_enclave_call call = 0; call < GNOMON_ENCLAVE_NR_CALLS; call++) {
		for (enum enclave_state state = 0; state < ENCLAVE_NR_STATES; state++) {
			const bool can = strchr(possible[call], "NBYRCI"[state]);
			enum gnomon_enclave_status s;

			ew_bring_to(5, state);
			s = make_call(call, 5);
			ew_audit();
			cr_expect_eq(s == GNOMON_ENCLAVE_OK, can, "call %d, %s: %s", call, enclave_state_name(state),
			             enclave_status_words(s));
			cr_expect_eq(ew_state(5), can ? next(state, call) : state, "call %d, %s", call,
			             enclave_state_name(state));
			enclaves_destroy(ew.all);
			free(ew.memory);
			ew_begin(4);
		}
	}
}

/* An identifier that no enclave can have. */
Test(enclave_lifecycle, bad_identifiers)
{
	static const unsigned bad[] = {0, GNOMON_ENCLAVE_MAX + 1, 0x80000000, ~0u};

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		for (enum gnomon_enclave_call call = 0; call <= GNOMON_ENCLAVE_DESTROY; call++)
			ew_expect(make_call(call, bad[i]), GNOMON_ENCLAVE_BAD_ID);
		cr_expect_null(enclave_context(ew.all, bad[i]));
		cr_expect_not(enclave_look(ew.all, bad[i], &(struct enclave_info){0}));
	}
}

/* As make_call(), with each argument wrong. */
static enum gnomon_enclave_status make_wrong_call(enum gnomon_enclave_call call, unsigned id)
{
	const struct gnomon_enclave_create nothing = {.base = 1, .buffer = 1, .flags = ~0ull};
	const struct enclave_batch nowhere = {.va = 1, .pages = ~0ull, .rights = 0, .flags = ~0ull};
	const uint8_t wrong[GNOMON_ENCLAVE_MEASUREMENT] = {0};

	switch (call) {
	case GNOMON_ENCLAVE_CREATE:
		return enclave_create(ew.all, id, &nothing);
	case GNOMON_ENCLAVE_ADD:
		return enclave_add_batch(ew.all, id, &nowhere, ew_page(3));
	case GNOMON_ENCLAVE_EXTEND:
		return enclave_extend(ew.all, id, 1);
	case GNOMON_ENCLAVE_INIT:
		return enclave_init(ew.all, id, wrong);
	case GNOMON_ENCLAVE_ENTER:
		return enclave_enter(ew.all, id, 1, no_args);
	case GNOMON_ENCLAVE_RESUME:
		return enclave_resume(ew.all, id, ew_ticket + 1, 0);
	case GNOMON_ENCLAVE_REMOVE:
		return enclave_remove(ew.all, id, 1);
	default:
		return enclave_destroy(ew.all, id);
	}
}

/* Of a wrong identifier or state and wrong arguments, the identifier's error, or the state's. */
Test(enclave_lifecycle, identifier_and_state_come_first)
{
	for (enum gnomon_enclave_call call = 0; call <= GNOMON_ENCLAVE_DESTROY; call++) {
		for (enum enclave_state state = 0; state < ENCLAVE_NR_STATES; state++) {
			const enum gnomon_enclave_status s = enclave_allows(state, call);

			ew_bring_to(5, state);
			ew_expect(make_wrong_call(call, 0), GNOMON_ENCLAVE_BAD_ID);
			if (s != GNOMON_ENCLAVE_OK)
				ew_expect(make_wrong_call(call, 5), s);
			else if (call != GNOMON_ENCLAVE_DESTROY) /* which has no arguments */
				cr_expect_neq(make_wrong_call(call, 5), GNOMON_ENCLAVE_OK, "call %d", call);
			cr_expect_eq(ew_state(5), state, "call %d, %s", call, enclave_state_name(state));
			enclaves_destroy(ew.all);
			free(ew.memory);
			ew_begin(4);
		}
	}
}
