/* SPDX-License-Identifier: MIT */
/* A kernel that builds enclaves wrongly, and gives memory that it has not. */
#include "attacks.h"
#include "lib.h"

#define ID    3
#define SPARE FRAME(30)

/* Each call in the states that a kernel can bring an enclave to by itself. */
void attack_calls(void)
{
	expect("add to none", add(ID, BASE, RX, SPARE), GNOMON_ENCLAVE_ABSENT);
	expect("enter none", enter(0, ID, SAMPLE_SUM, 1, 1), GNOMON_ENCLAVE_ABSENT);
	expect("destroy none", destroy(ID), GNOMON_ENCLAVE_ABSENT);
	build(ID, 0);
	expect("create again", create(ID, FRAME(8)), GNOMON_ENCLAVE_EXISTS);
	expect("enter before init", enter(0, ID, SAMPLE_SUM, 1, 1), GNOMON_ENCLAVE_NOT_SEALED);
	expect("resume before init", resume(0, ID, 1, 0), GNOMON_ENCLAVE_NOT_SEALED);
	expect("measure twice", extend(ID, BASE), GNOMON_ENCLAVE_MEASURED);
	expect("measure nothing", extend(ID, BASE + 2 * PAGE), GNOMON_ENCLAVE_NO_PAGE);
	request[0].id = ID;
	request[0].flags = GNOMON_ENCLAVE_EXPECT;
	request[0].expected[5] = 1;
	expect("init as another", call(0, GNOMON_ENCLAVE_INIT), GNOMON_ENCLAVE_BAD_MEASUREMENT);
	request[0].flags = 2;
	expect("init with a flag", call(0, GNOMON_ENCLAVE_INIT), GNOMON_ENCLAVE_BAD_FLAGS);
	expect("init", init(ID), GNOMON_ENCLAVE_OK);
	expect("init again", init(ID), GNOMON_ENCLAVE_SEALED);
	expect("add after init", add(ID, BASE + 2 * PAGE, RW, SPARE), GNOMON_ENCLAVE_SEALED);
	expect("measure after init", extend(ID, BASE + PAGE), GNOMON_ENCLAVE_SEALED);
	expect("resume what was not entered", resume(0, ID, 0, 0), GNOMON_ENCLAVE_NOT_LEFT);
	expect("enter", enter(0, ID, SAMPLE_SUM, 1, 2), GNOMON_ENCLAVE_OK);
	expect("remove", remove_page(ID, BASE + PAGE), GNOMON_ENCLAVE_OK);
	expect("remove again", remove_page(ID, BASE + PAGE), GNOMON_ENCLAVE_NO_PAGE);
	expect("destroy", destroy(ID), GNOMON_ENCLAVE_OK);
	expect("destroy again", destroy(ID), GNOMON_ENCLAVE_ABSENT);
	for (unsigned what = GNOMON_ENCLAVE_EXIT; what < GNOMON_ENCLAVE_NR_CALLS + 2; what++)
		expect("a call that is no kernel's", call(0, what), GNOMON_ENCLAVE_BAD_CALL);
	expect("no identifier", destroy(0), GNOMON_ENCLAVE_BAD_ID);
	expect("an identifier too large", destroy(GNOMON_ENCLAVE_MAX + 1), GNOMON_ENCLAVE_BAD_ID);
	expect("an identifier of 32 bits", destroy(~0u), GNOMON_ENCLAVE_BAD_ID);
}

static enum gnomon_enclave_status create_as(uint64_t base, uint64_t size, uint64_t buffer, uint64_t buffer_size,
                                            uint64_t gpa)
{
	request[0] = (struct gnomon_enclave_request){
	    .id = ID, .gpa = gpa, .create = {base, size, base, base + PAGE, buffer, buffer_size, 0}};
	return call(0, GNOMON_ENCLAVE_CREATE);
}

/* What is wrong alone, and two things wrong together: the first in the order of the declaration is told. */
void attack_errors(void)
{
	const uint64_t far = 1ull << 63;

	expect("size 0", create_as(BASE, 0, 0, 0, 0), GNOMON_ENCLAVE_BAD_RANGE);
	expect("size 2^63", create_as(BASE, far, 0, 0, 0), GNOMON_ENCLAVE_BAD_RANGE);
	expect("size beyond secure memory", create_as(BASE, 1ull << 40, 0, 0, 0), GNOMON_ENCLAVE_NO_MEMORY);
	expect("size of part of a page", create_as(BASE, PAGE + 1, 0, 0, 0), GNOMON_ENCLAVE_BAD_RANGE);
	expect("base at 0", create_as(0, PAGE, 0, 0, 0), GNOMON_ENCLAVE_BAD_RANGE);
	expect("base in the upper half", create_as(far, PAGE, 0, 0, 0), GNOMON_ENCLAVE_BAD_RANGE);
	expect("buffer in the enclave", create_as(BASE, 2 * PAGE, BASE + PAGE, PAGE, FRAME(0)),
	       GNOMON_ENCLAVE_BAD_BUFFER);
	expect("buffer too large", create_as(BASE, PAGE, BUFFER, GNOMON_ENCLAVE_BUFFER_MAX + PAGE, FRAME(0)),
	       GNOMON_ENCLAVE_BAD_BUFFER);
	expect("buffer outside memory", create_as(BASE, PAGE, BUFFER, PAGE, 0x8000000000), GNOMON_ENCLAVE_BAD_BUFFER);
	expect("buffer at a device", create_as(BASE, PAGE, BUFFER, PAGE, GNOMON_VIRTIO_BASE),
	       GNOMON_ENCLAVE_BAD_BUFFER);
	expect("buffer of part of a page", create_as(BASE, PAGE, BUFFER, PAGE, FRAME(0) + 64),
	       GNOMON_ENCLAVE_BAD_BUFFER);
	expect("it can still be created", create_as(BASE, PAGE, BUFFER, PAGE, FRAME(0)), GNOMON_ENCLAVE_OK);
	expect("destroy", destroy(ID), GNOMON_ENCLAVE_OK);
	build(ID, 0);
	expect("add outside", add(ID, BASE + PAGES * PAGE, RW, SPARE), GNOMON_ENCLAVE_BAD_ADDRESS);
	expect("add below", add(ID, BASE - PAGE, RW, SPARE), GNOMON_ENCLAVE_BAD_ADDRESS);
	expect("add at part of a page", add(ID, BASE + 2 * PAGE + 8, RW, SPARE), GNOMON_ENCLAVE_BAD_ADDRESS);
	for (unsigned rights = 0; rights < 16; rights++)
		if (rights != GNOMON_ENCLAVE_R && rights != RX && rights != RW)
			expect("rights", add(ID, BASE + 2 * PAGE, rights, SPARE), GNOMON_ENCLAVE_BAD_RIGHTS);
	expect("add twice", add(ID, BASE, RX, SPARE), GNOMON_ENCLAVE_PAGE_EXISTS);
	expect("address and rights", add(ID, BASE - PAGE, 0, SPARE), GNOMON_ENCLAVE_BAD_ADDRESS);
	expect("rights and page", add(ID, BASE + 2 * PAGE, 0, far), GNOMON_ENCLAVE_BAD_RIGHTS);
	expect("identifier and address", add(0, BASE - PAGE, 0, far), GNOMON_ENCLAVE_BAD_ID);
	expect("state and address", add(ID + 1, BASE - PAGE, 0, far), GNOMON_ENCLAVE_ABSENT);
	expect("what was refused is ours", (fill(SPARE, 7), is_filled(SPARE, 7)), true);
	expect("destroy", destroy(ID), GNOMON_ENCLAVE_OK);
}

/* Whose pages they are: none is given twice, or without being the guest's. */
void attack_pages(void)
{
	build(ID, 0);
	build(ID + 1, 4);
	expect("a page twice", add(ID, BASE + 2 * PAGE, RW, FRAME(1)), GNOMON_ENCLAVE_BAD_PAGE);
	expect("another's page", add(ID, BASE + 2 * PAGE, RW, FRAME(5)), GNOMON_ENCLAVE_BAD_PAGE);
	expect("its own buffer", add(ID, BASE + 2 * PAGE, RW, FRAME(2)), GNOMON_ENCLAVE_BAD_PAGE);
	expect("another's buffer", add(ID, BASE + 2 * PAGE, RW, FRAME(6)), GNOMON_ENCLAVE_BAD_PAGE);
	expect("a device", add(ID, BASE + 2 * PAGE, RW, GNOMON_VIRTIO_BASE), GNOMON_ENCLAVE_BAD_PAGE);
	expect("no memory", add(ID, BASE + 2 * PAGE, RW, 0x8000000000), GNOMON_ENCLAVE_BAD_PAGE);
	expect("the end of all", add(ID, BASE + 2 * PAGE, RW, -PAGE), GNOMON_ENCLAVE_BAD_PAGE);
	expect("part of a page", add(ID, BASE + 2 * PAGE, RW, SPARE + 8), GNOMON_ENCLAVE_BAD_PAGE);
	expect("a buffer in a page that is given", (destroy(ID + 1), create(ID + 1, FRAME(1))),
	       GNOMON_ENCLAVE_BAD_BUFFER);
	expect("a buffer in a buffer", create(ID + 1, FRAME(2)), GNOMON_ENCLAVE_BAD_BUFFER);
	expect("a page that came back", add(ID, BASE + 2 * PAGE, RW, FRAME(5)), GNOMON_ENCLAVE_OK);
	expect("destroy", destroy(ID), GNOMON_ENCLAVE_OK);
}

static void fill_all(unsigned first, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		fill(FRAME(first + i), 0x60 + i);
}

/* `zero`: they come from an enclave. Else they are as fill_all() left them. */
static bool are(unsigned first, unsigned n, bool zero)
{
	for (unsigned i = 0; i < n; i++)
		if (!is_filled(FRAME(first + i), zero ? 0 : 0x60 + i))
			return false;
	return true;
}

/* Several pages at once: all go, or none does and all are as they were. */
void attack_batch(void)
{
	const uint64_t end_of_ram = 64 << 20, at = BASE + 2 * PAGE, most = GNOMON_ENCLAVE_ADD_MAX;

	expect("create", create_as(BASE, 200 * PAGE, BUFFER, PAGE, FRAME(2)), GNOMON_ENCLAVE_OK);
	fill_all(30, 140);
	expect("2^63 pages", add_pages(ID, at, RW, FRAME(30), 1ull << 63, 0), GNOMON_ENCLAVE_BAD_ADDRESS);
	expect("2^52 pages", add_pages(ID, at, RW, FRAME(30), 1ull << 52, 0), GNOMON_ENCLAVE_BAD_ADDRESS);
	expect("all pages", add_pages(ID, at, RW, FRAME(30), -1, 0), GNOMON_ENCLAVE_BAD_ADDRESS);
	expect("a page too far", add_pages(ID, BASE + 190 * PAGE, RW, FRAME(30), 11, 0), GNOMON_ENCLAVE_BAD_ADDRESS);
	expect("a page too many", add_pages(ID, at, RW, FRAME(30), most + 1, 0), GNOMON_ENCLAVE_BAD_COUNT);
	expect("a flag", add_pages(ID, at, RW, FRAME(30), 2, GNOMON_ENCLAVE_EXPECT), GNOMON_ENCLAVE_BAD_FLAGS);
	expect("over the end of RAM", add_pages(ID, at, RW, end_of_ram - 2 * PAGE, 4, 0), GNOMON_ENCLAVE_BAD_PAGE);
	expect("over the end of all", add_pages(ID, at, RW, -2 * PAGE, 4, 0), GNOMON_ENCLAVE_BAD_PAGE);
	expect("one in the middle", add(ID, BASE, RX, FRAME(35)), GNOMON_ENCLAVE_OK);
	expect("with it", add_pages(ID, at, RW, FRAME(30), 10, 0), GNOMON_ENCLAVE_BAD_PAGE);
	expect("it at the end", add_pages(ID, at, RW, FRAME(30), 6, 0), GNOMON_ENCLAVE_BAD_PAGE);
	expect("with a buffer", add_pages(ID, at, RW, FRAME(1), 3, 0), GNOMON_ENCLAVE_BAD_PAGE);
	expect("up to it", add_pages(ID, at, RW, FRAME(30), 5, 0), GNOMON_ENCLAVE_OK);
	expect("over what was added", add_pages(ID, BASE + PAGE, RW, FRAME(36), 3, 0), GNOMON_ENCLAVE_PAGE_EXISTS);
	expect("some that are given", add_pages(ID, at + 9 * PAGE, RW, FRAME(34), 9, 0), GNOMON_ENCLAVE_BAD_PAGE);
	expect("what was refused was not added", extend(ID, at + 9 * PAGE), GNOMON_ENCLAVE_NO_PAGE);
	expect("none in their midst", extend(ID, BASE + PAGE), GNOMON_ENCLAVE_NO_PAGE);
	expect("destroy", destroy(ID), GNOMON_ENCLAVE_OK);
	expect("what was given is zero", are(30, 6, true), true);
	fill_all(30, 6);
	expect("the rest is as it was", are(30, 140, false), true);
	expect("create again", create_as(BASE, 200 * PAGE, BUFFER, PAGE, FRAME(2)), GNOMON_ENCLAVE_OK);
	expect("as many as can be", add_pages(ID, at, RW, FRAME(30), most, GNOMON_ENCLAVE_MEASURE), GNOMON_ENCLAVE_OK);
	expect("the last is measured", extend(ID, at + (most - 1) * PAGE), GNOMON_ENCLAVE_MEASURED);
	expect("remove one", remove_page(ID, at + 7 * PAGE), GNOMON_ENCLAVE_OK);
	expect("it is zero", is_filled(FRAME(37), 0), true);
	expect("destroy again", destroy(ID), GNOMON_ENCLAVE_OK);
	expect("all are zero", are(30, most, true), true);
}

/* What comes back is zero, and what did not go is as it was. */
void attack_zero(void)
{
	fill(FRAME(3), 0x33);
	build_and_seal(ID, 0);
	fill(FRAME(2), 0x22); /* the buffer */
	expect("count", enter(0, ID, SAMPLE_COUNT, 0, 0), GNOMON_ENCLAVE_OK);
	expect("remove", remove_page(ID, BASE + PAGE), GNOMON_ENCLAVE_OK);
	expect("the removed page is zero", is_filled(FRAME(1), 0), true);
	expect("destroy", destroy(ID), GNOMON_ENCLAVE_OK);
	expect("the code is zero", is_filled(FRAME(0), 0), true);
	expect("the buffer is zero", is_filled(FRAME(2), 0), true);
	expect("the neighbour is as it was", is_filled(FRAME(3), 0x33), true);
	build_and_seal(ID, 0);
	expect("the next buffer is zero", is_filled(FRAME(2), 0), true);
	fill(FRAME(2), 0x22);
	expect("destroy again", destroy(ID), GNOMON_ENCLAVE_OK);
	fill(FRAME(0), 0x44);
	expect("the memory is ours", is_filled(FRAME(0), 0x44), true);
	build(ID, 0);
	expect("remove the code", remove_page(ID, BASE), GNOMON_ENCLAVE_OK);
	expect("the page behind it is the enclave's", add(ID, BASE, RX, FRAME(1)), GNOMON_ENCLAVE_BAD_PAGE);
	fill(FRAME(4), 0x66);
	fill(FRAME(5), 0x66);
	expect("not in a row", add(ID, BASE + 2 * PAGE, RW, FRAME(5)), GNOMON_ENCLAVE_OK);
	expect("before it", add(ID, BASE + 3 * PAGE, RW, FRAME(4)), GNOMON_ENCLAVE_OK);
	expect("destroy these", destroy(ID), GNOMON_ENCLAVE_OK);
	expect("they are zero", is_filled(FRAME(4), 0) && is_filled(FRAME(5), 0), true);
}

/* Until somebody outside has taken FRAME(30). */
void attack_taken(void)
{
	enum gnomon_enclave_status s;

	build(ID, 0);
	say("round\n");
	do {
		s = add(ID, BASE + 2 * PAGE, RW, SPARE);
		if (s == GNOMON_ENCLAVE_OK)
			remove_page(ID, BASE + 2 * PAGE);
	} while (s == GNOMON_ENCLAVE_OK);
	expect("a page that was taken", s, GNOMON_ENCLAVE_BAD_PAGE);
	say("round\n");
	for (;;)
		out32(GNOMON_PORT_NOP, 0);
}

/* For ever: rounds of build, run, destroy, with the memory beside unharmed. */
void attack_churn(void)
{
	fill(SPARE, 0x55);
	for (uint64_t round = 1;; round++) {
		build_and_seal(1 + round % GNOMON_ENCLAVE_MAX, 0);
		if (enter(0, 1 + round % GNOMON_ENCLAVE_MAX, SAMPLE_SUM, round, 1) != GNOMON_ENCLAVE_OK ||
		    (request[0].left.reason == GNOMON_ENCLAVE_EXITED && request[0].left.value != round + 1))
			end(3);
		if (destroy(1 + round % GNOMON_ENCLAVE_MAX) != GNOMON_ENCLAVE_OK || !is_filled(SPARE, 0x55))
			end(4);
		if (wrong)
			end(5);
		if (round % 8 == 0)
			say("round\n");
	}
}

/* A VM without secure memory. */
void attack_off(void)
{
	fill(SPARE, 7);
	expect("create", create(ID, FRAME(2)), GNOMON_ENCLAVE_OFF);
	expect("add", add(ID, BASE, RX, SPARE), GNOMON_ENCLAVE_OFF);
	expect("enter", enter(0, ID, SAMPLE_SUM, 1, 1), GNOMON_ENCLAVE_OFF);
	expect("the page is ours", is_filled(SPARE, 7), true);
}

/* For ever: an enclave comes and goes. Somebody outside resets the machine; none is there then. */
void attack_flicker(void)
{
	say("round\n");
	for (;;) {
		if (create_as(BASE, PAGE, 0, 0, 0) != GNOMON_ENCLAVE_OK || destroy(ID) != GNOMON_ENCLAVE_OK)
			end(3);
	}
}

/* For ever: identifiers that no enclave can have. */
void attack_ids(void)
{
	for (;;) {
		for (int i = 0; i < 8; i++) {
			if (create(GNOMON_ENCLAVE_MAX + 1, FRAME(2)) != GNOMON_ENCLAVE_BAD_ID ||
			    add(0x10000, BASE, RX, SPARE) != GNOMON_ENCLAVE_BAD_ID ||
			    destroy(0) != GNOMON_ENCLAVE_BAD_ID || remove_page(~0u, BASE) != GNOMON_ENCLAVE_BAD_ID)
				end(3);
		}
		say("round\n");
	}
}
