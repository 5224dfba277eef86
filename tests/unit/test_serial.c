/* SPDX-License-Identifier: MIT */
/* The console as a driver sees it: registers of an ns16550a, and bytes that come out of a pipe in order. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <gnomon/abi.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dev/serial.h"

enum { DATA, IER, FCR, LCR, MCR, LSR, MSR, SCR };

static struct serial serial;
static struct counters counters;
static struct bus bus;
static int out[2];

static void setup(void)
{
	cr_assert_eq(pipe2(out, O_NONBLOCK), 0);
	bus = (struct bus){0};
	serial_init(&serial, out[1], -1, &counters);
	bus_attach(&bus, &serial.bus);
}

TestSuite(serial, .init = setup);

static void access_port(uint64_t reg, bool write, uint8_t size, uint32_t count, uint8_t *data)
{
	const struct bus_access a = {
	    .offset = GNOMON_PORT_SERIAL + reg, .size = size, .count = count, .write = write, .data = data};

	cr_assert(bus_dispatch(&bus, NULL, a));
}

static void put(uint64_t reg, uint8_t v)
{
	access_port(reg, true, 1, 1, &v);
}

static uint8_t get(uint64_t reg)
{
	uint8_t v = 0x5a;

	access_port(reg, false, 1, 1, &v);
	return v;
}

static const char *sent(void)
{
	static char text[256];
	ssize_t n = read(out[0], text, sizeof(text) - 1);

	text[n > 0 ? n : 0] = 0;
	return text;
}

Test(serial, byte_by_byte)
{
	put(DATA, 'o');
	put(DATA, 'k');
	cr_assert_str_eq(sent(), "ok");
	cr_assert_eq(counter_read(&counters, CTR_CONSOLE_BYTES), 2);
}

/* rep outsb: the whole buffer at once, as it is. */
Test(serial, string_output)
{
	uint8_t text[] = "a whole line\n";

	access_port(DATA, true, 1, sizeof(text) - 1, text);
	cr_assert_str_eq(sent(), "a whole line\n");
	cr_assert_eq(counter_read(&counters, CTR_CONSOLE_BYTES), sizeof(text) - 1);
}

/* A wide write is a byte to this register: the upper bytes have no place to go. */
Test(serial, wide_write_sends_one_byte_an_element)
{
	uint8_t words[] = {'a', 'x', 'b', 'y'};

	access_port(DATA, true, 2, 2, words);
	cr_assert_str_eq(sent(), "ab");
}

/* The transmitter is always ready, the receiver never: a driver that polls LSR gets on. */
Test(serial, line_status)
{
	cr_assert_eq(get(LSR), 0x60);
	put(LSR, 0);
	cr_assert_eq(get(LSR), 0x60);
	cr_assert_eq(get(DATA), 0, "received something");
	cr_assert_eq(get(FCR), 0x01, "an interrupt is pending");
	cr_assert_eq(get(MSR), 0xb0);
}

/* With DLAB the first two registers are the divisor, and nothing is sent. */
Test(serial, divisor_latch)
{
	uint8_t two[] = {0x01, 0x02};

	put(IER, 0x0f);
	put(LCR, 0x83);
	put(DATA, 0x34);
	put(IER, 0x12);
	cr_assert_eq(get(DATA), 0x34);
	cr_assert_eq(get(IER), 0x12);
	access_port(DATA, true, 1, 2, two);
	cr_assert_eq(get(DATA), 0x02);
	put(LCR, 0x03);
	cr_assert_eq(get(LCR), 0x03);
	cr_assert_eq(get(IER), 0x0f, "the divisor overwrote IER");
	cr_assert_eq(get(DATA), 0);
	cr_assert_str_eq(sent(), "");
	cr_assert_eq(counter_read(&counters, CTR_CONSOLE_BYTES), 0);
}

/* How drivers probe for the chip: the scratch register keeps a value, reserved bits read zero. */
Test(serial, registers_keep_their_bits)
{
	for (int v = 0; v < 256; v += 5) {
		put(SCR, v);
		put(MCR, v);
		put(IER, v);
		cr_assert_eq(get(SCR), v);
		cr_assert_eq(get(MCR), v & 0x1f);
		cr_assert_eq(get(IER), v & 0x0f);
	}
}

/* A wide read leaves no byte of the buffer as it was: it may hold another exit's data. */
Test(serial, wide_read_is_filled)
{
	uint8_t v[4] = {0x5a, 0x5a, 0x5a, 0x5a};

	access_port(SCR - 3, false, 4, 1, v);
	cr_assert_eq(v[0], get(MCR));
	cr_assert(v[1] == 0xff && v[2] == 0xff && v[3] == 0xff);
}

/* Exactly the chip's eight ports. */
Test(serial, range)
{
	uint8_t v;
	struct bus_access a = {.size = 1, .count = 1, .data = &v};

	a.offset = GNOMON_PORT_SERIAL - 1;
	cr_assert_not(bus_dispatch(&bus, NULL, a));
	a.offset = GNOMON_PORT_SERIAL + 8;
	cr_assert_not(bus_dispatch(&bus, NULL, a));
	a.offset = GNOMON_PORT_SERIAL + 7;
	cr_assert(bus_dispatch(&bus, NULL, a));
}

/* Nobody listens: the bytes are lost, as on a real line, and the guest goes on. */
Test(serial, closed_listener)
{
	signal(SIGPIPE, SIG_IGN);
	close(out[0]);
	put(DATA, 'x');
	cr_assert_eq(get(LSR), 0x60);
}

/* Once the run has ended, a full pipe is not waited for: ^C would wait with it. */
Test(serial, full_pipe_after_the_end, .timeout = 60)
{
	static uint8_t flood[1 << 20];
	int end[2];

	cr_assert_eq(pipe(end), 0);
	cr_assert_eq(pipe(out), 0);
	cr_assert_eq(write(end[1], "", 1), 1);
	serial_init(&serial, out[1], end[0], &counters);
	access_port(DATA, true, 1, sizeof(flood), flood);
	cr_assert_eq(counter_read(&counters, CTR_CONSOLE_BYTES), sizeof(flood));
}

/* More than a pipe holds arrives to the last byte, however it is cut in pieces. */
Test(serial, long_output_arrives, .timeout = 60)
{
	static uint8_t flood[(1 << 20) + 1], back[sizeof(flood)];
	size_t got = 0;

	for (size_t i = 0; i < sizeof(flood); i++)
		flood[i] = i * 7 >> 3;
	cr_assert_eq(pipe(out), 0);
	serial_init(&serial, out[1], -1, &counters);
	if (fork() == 0) {
		access_port(DATA, true, 1, sizeof(flood), flood);
		_exit(0);
	}
	close(out[1]);
	while (got < sizeof(back)) {
		ssize_t n = read(out[0], back + got, sizeof(back) - got);

		cr_assert_gt(n, 0);
		got += n;
	}
	cr_assert_arr_eq(back, flood, sizeof(flood));
}
