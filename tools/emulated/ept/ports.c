/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <gnomon/walk_counter.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bochs.h"

#define ANY_WIDTH 7 /* Bochs' mask of 1, 2 and 4 bytes */

/* Bochs' own. */
static void *devices;
static bool (*readable)(void *, void *, uint32_t (*)(void *, uint32_t, unsigned), uint32_t, const char *, uint8_t);
static bool (*writable)(void *, void *, void (*)(void *, uint32_t, uint32_t, unsigned), uint32_t, const char *,
                        uint8_t);

static bool begun;
static int out[3] = {-1, -1, -1}; /* stdout, stderr, beat: at EPT_PORT_STDOUT and the two after it */
static FILE *files;
static bool length_told;

static int open_output(const char *name)
{
	const int fd = open(name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

	if (fd < 0)
		bochs_die("cannot open %s: %s", name, strerror(errno));
	return fd;
}

static void put(int fd, uint8_t byte)
{
	if (write(fd, &byte, 1) != 1)
		bochs_die("the machine's output is lost: %s", strerror(errno));
}

static void power_off(uint8_t status)
{
	char text[8];
	const int len = snprintf(text, sizeof(text), "%u\n", status);

	if (write(open_output("status"), text, len) != len)
		bochs_die("the machine's status is lost: %s", strerror(errno));
	_exit(0);
}

static void write_port(void *ctx, uint32_t port, uint32_t value, unsigned len)
{
	(void)ctx;
	(void)len;
	if (port == WALK_PORT)
		counter_select(value);
	else if (port == EPT_PORT_STATUS)
		power_off(value);
	else if (port >= EPT_PORT_STDOUT && port <= EPT_PORT_BEAT)
		put(out[port - EPT_PORT_STDOUT], value);
}

/* The next word of the files; zeroes at the end. */
static uint32_t read_files(void)
{
	uint32_t word = 0;
	struct stat st;

	if (!files)
		return 0;
	if (!length_told) {
		length_told = true;
		return fstat(fileno(files), &st) < 0 ? 0 : st.st_size;
	}
	if (fread(&word, 1, sizeof(word), files) == 0)
		return 0;
	return word;
}

static uint32_t read_port(void *ctx, uint32_t port, unsigned len)
{
	(void)ctx;
	if (len != sizeof(uint32_t))
		return UINT32_MAX;
	return port == WALK_PORT ? counter_read() : port == EPT_PORT_FILES ? read_files() : UINT32_MAX;
}

void ports_find(void)
{
	devices = bochs_symbol("bx_devices");
	*(void **)&readable = bochs_symbol("_ZN12bx_devices_c24register_io_read_handlerEPvPFjS0_jjEjPKch");
	*(void **)&writable = bochs_symbol("_ZN12bx_devices_c25register_io_write_handlerEPvPFvS0_jjjEjPKch");
}

static void give_port(uint32_t port, const char *name)
{
	if (!readable(devices, NULL, read_port, port, name, ANY_WIDTH) ||
	    !writable(devices, NULL, write_port, port, name, ANY_WIDTH))
		bochs_die("port %#x of the machine is taken", port);
}

void ports_begin(void)
{
	const char *path = getenv("EPT_FILES"), *counter = getenv("GNOMON_WALK_COUNTER");

	if (begun)
		return;
	begun = true;
	out[0] = open_output("stdout");
	out[1] = open_output("stderr");
	out[2] = open_output("beat");
	files = path ? fopen(path, "re") : NULL;
	if (path && !files)
		bochs_die("cannot open %s: %s", path, strerror(errno));
	for (uint32_t port = EPT_PORT_STDOUT; port <= EPT_PORT_FILES; port++)
		give_port(port, "ept-host");
	if (counter && *counter == '1')
		give_port(WALK_PORT, "walk counter");
}
