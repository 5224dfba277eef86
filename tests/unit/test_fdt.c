/* SPDX-License-Identifier: MIT */
/* The device tree, read back with libfdt as a guest reads it. */
#include <criterion/criterion.h>
#include <errno.h>
#include <gnomon/abi.h>
#include <libfdt.h>
#include <stdlib.h>
#include <string.h>

#include "boot/boot.h"

#define LEN 0x10000

static struct guest_mem mem;
static char *fdt;

static void setup(void)
{
	fdt = malloc(LEN);
	cr_assert_not_null(fdt);
}

static void teardown(void)
{
	guest_mem_destroy(&mem);
	free(fdt);
}

TestSuite(fdt, .init = setup, .fini = teardown);

static void make(uint64_t memory, int cpus, const char *bootargs, uint64_t tsc_hz)
{
	const struct boot_params p = {.image = "unused", .bootargs = bootargs, .cpus = cpus, .tsc_hz = tsc_hz};

	cr_assert_eq(guest_mem_init(&mem, memory, BACKING_4K), 0);
	cr_assert_eq(boot_fdt(&p, &mem, fdt, LEN), 0);
	cr_assert_eq(fdt_check_full(fdt, LEN), 0);
}

static int node(const char *path)
{
	int n = fdt_path_offset(fdt, path);

	cr_assert_geq(n, 0, "no node %s", path);
	return n;
}

static const void *prop(const char *path, const char *name, int want_len)
{
	int len;
	const void *p = fdt_getprop(fdt, node(path), name, &len);

	cr_assert_not_null(p, "no %s in %s", name, path);
	if (want_len)
		cr_assert_eq(len, want_len, "%s in %s is %d bytes long", name, path, len);
	return p;
}

static uint32_t cell(const void *p, int i)
{
	return fdt32_ld((const fdt32_t *)p + i);
}

static uint64_t wide(const void *p, int i)
{
	return fdt64_ld((const fdt64_t *)p + i);
}

/* #address-cells = #size-cells = 2: without them nobody can read `reg`. */
Test(fdt, memory_node)
{
	const void *reg;

	make(64ull << 20, 1, "", 0);
	cr_assert_eq(fdt_address_cells(fdt, 0), 2);
	cr_assert_eq(fdt_size_cells(fdt, 0), 2);
	cr_assert_str_eq(prop("/memory@0", "device_type", 0), "memory");
	reg = prop("/memory@0", "reg", 16);
	cr_assert_eq(wide(reg, 0), 0);
	cr_assert_eq(wide(reg, 1), 64ull << 20);
}

/* Beyond 3 GiB memory goes on at 4 GiB: two ranges, none over the hole. */
Test(fdt, memory_across_the_hole)
{
	const void *reg;

	make(5ull << 30, 1, "", 0);
	reg = prop("/memory@0", "reg", 32);
	cr_assert_eq(wide(reg, 0), 0);
	cr_assert_eq(wide(reg, 1), GNOMON_RAM_LOW_END);
	cr_assert_eq(wide(reg, 2), GNOMON_RAM_HIGH_BASE);
	cr_assert_eq(wide(reg, 3), (5ull << 30) - GNOMON_RAM_LOW_END);
}

Test(fdt, cpus)
{
	uint32_t seen = 0;
	int n;

	make(64ull << 20, 64, "", 2600000000);
	cr_assert_eq(cell(prop("/cpus", "#address-cells", 4), 0), 1);
	cr_assert_eq(cell(prop("/cpus", "#size-cells", 4), 0), 0);
	cr_assert_eq(wide(prop("/cpus", "timebase-frequency", 8), 0), 2600000000);
	fdt_for_each_subnode (n, fdt, node("/cpus")) {
		int len;

		cr_assert_str_eq(fdt_getprop(fdt, n, "device_type", &len), "cpu");
		cr_assert_eq(cell(fdt_getprop(fdt, n, "reg", &len), 0), seen);
		seen++;
	}
	cr_assert_eq(seen, 64);
	cr_assert_eq(cell(prop("/cpus/cpu@3f", "reg", 4), 0), 63);
}

/* An unknown frequency is left out: a zero would be divided by. */
Test(fdt, unknown_frequency)
{
	make(64ull << 20, 1, "", 0);
	cr_assert_null(fdt_getprop(fdt, node("/cpus"), "timebase-frequency", NULL));
}

Test(fdt, bootargs)
{
	make(64ull << 20, 1, "chase 16 'two words'", 0);
	cr_assert_str_eq(prop("/chosen", "bootargs", 21), "chase 16 'two words'");
}

Test(fdt, empty_bootargs)
{
	make(64ull << 20, 1, "", 0);
	cr_assert_str_eq(prop("/chosen", "bootargs", 1), "");
}

/* The loader's first MiB is reserved, or the guest's allocator would hand out its own boot tables. */
Test(fdt, reserve_map)
{
	uint64_t at, size;

	make(64ull << 20, 1, "", 0);
	cr_assert_eq(fdt_num_mem_rsv(fdt), 1);
	cr_assert_eq(fdt_get_mem_rsv(fdt, 0, &at, &size), 0);
	cr_assert_eq(at, 0);
	cr_assert_eq(size, GNOMON_LOADER_END);
}

/* stdout-path leads to the console, and the ports are those of the ABI. */
Test(fdt, ports)
{
	static const struct {
		const char *compatible;
		uint32_t port;
	} want[] = {{"ns16550a", GNOMON_PORT_SERIAL},
	            {"gnomon,exit", GNOMON_PORT_EXIT},
	            {"gnomon,cpu-start", GNOMON_PORT_CPU_START},
	            {"gnomon,ipi", GNOMON_PORT_IPI}};
	const char *console;

	make(64ull << 20, 1, "", 0);
	for (size_t i = 0; i < sizeof(want) / sizeof(*want); i++) {
		int n = fdt_node_offset_by_compatible(fdt, -1, want[i].compatible), len;
		const void *reg;

		cr_assert_geq(n, 0, "no node %s", want[i].compatible);
		reg = fdt_getprop(fdt, n, "reg", &len);
		cr_assert_eq(len, 12);
		cr_assert_eq(cell(reg, 0), 1);
		cr_assert_eq(cell(reg, 1), want[i].port);
	}
	console = prop("/chosen", "stdout-path", 0);
	cr_assert_eq(node(console), fdt_node_offset_by_compatible(fdt, -1, "ns16550a"));
}

/* The balloon's registers lie where the bus has them, and its interrupt leads to the vector by a controller. */
Test(fdt, virtio)
{
	const void *reg;
	int n, parent, len;

	make(64ull << 20, 1, "", 0);
	n = fdt_node_offset_by_compatible(fdt, -1, "virtio,mmio");
	cr_assert_geq(n, 0);
	reg = fdt_getprop(fdt, n, "reg", &len);
	cr_assert_eq(len, 16);
	cr_assert_eq(wide(reg, 0), GNOMON_VIRTIO_BASE + GNOMON_VIRTIO_BALLOON * GNOMON_VIRTIO_STRIDE);
	cr_assert_eq(wide(reg, 1), GNOMON_VIRTIO_LEN);
	cr_assert_eq(cell(fdt_getprop(fdt, n, "interrupts", &len), 0), GNOMON_VIRTIO_VECTOR(GNOMON_VIRTIO_BALLOON));
	parent = fdt_node_offset_by_phandle(fdt, cell(fdt_getprop(fdt, n, "interrupt-parent", &len), 0));
	cr_assert_geq(parent, 0);
	cr_assert_not_null(fdt_getprop(fdt, parent, "interrupt-controller", &len));
	cr_assert_eq(cell(fdt_getprop(fdt, parent, "#interrupt-cells", &len), 0), 1);
}

/* A command line that does not fit is an error, and nothing is written beyond the buffer. */
Test(fdt, bootargs_too_long)
{
	char *args = malloc(LEN + 1);
	struct boot_params p = {.image = "unused", .bootargs = args, .cpus = 1};
	int fits = 0;

	cr_assert_eq(guest_mem_init(&mem, 64ull << 20, BACKING_4K), 0);
	for (int len = LEN; len > 0; len -= 64) {
		char *exact = malloc(LEN);
		int r;

		memset(args, 'a', len);
		args[len] = 0;
		r = boot_fdt(&p, &mem, exact, LEN);
		free(exact);
		if (r == 0) {
			fits = len;
			break;
		}
		cr_assert_eq(r, -ENOSPC);
	}
	cr_assert(fits > LEN / 2 && fits < LEN, "%d", fits);
	free(args);
}
