/* SPDX-License-Identifier: MIT */
/*
 * The device tree (Devicetree Specification v0.4) by which the guest finds its memory,
 * CPUs, command line and devices. What a small guest needs first stands first.
 */
#include <errno.h>
#include <gnomon/abi.h>
#include <libfdt.h>
#include <stdio.h>

#include "boot/boot.h"

/* Errors of libfdt's sequential-write calls stick until the end: only one thing can go wrong, the size. */
struct writer {
	void *fdt;
	int err;
};

static void keep(struct writer *w, int err)
{
	if (err < 0 && w->err == 0)
		w->err = err;
}

static void node(struct writer *w, const char *name)
{
	keep(w, fdt_begin_node(w->fdt, name));
}

static void end(struct writer *w)
{
	keep(w, fdt_end_node(w->fdt));
}

static void string(struct writer *w, const char *name, const char *v)
{
	keep(w, fdt_property_string(w->fdt, name, v));
}

static void cell(struct writer *w, const char *name, uint32_t v)
{
	keep(w, fdt_property_u32(w->fdt, name, v));
}

static void memory(struct writer *w, const struct guest_mem *mem)
{
	fdt64_t reg[2 * GUEST_MEM_REGIONS];

	for (int i = 0; i < mem->nr_regions; i++) {
		reg[2 * i] = cpu_to_fdt64(maddr_raw(mem->region[i].base));
		reg[2 * i + 1] = cpu_to_fdt64(mem->region[i].size);
	}
	node(w, "memory@0");
	string(w, "device_type", "memory");
	keep(w, fdt_property(w->fdt, "reg", reg, 2 * mem->nr_regions * sizeof(*reg)));
	end(w);
}

static void cpus(struct writer *w, const struct boot_params *p)
{
	node(w, "cpus");
	cell(w, "#address-cells", 1);
	cell(w, "#size-cells", 0);
	if (p->tsc_hz)
		keep(w, fdt_property_u64(w->fdt, "timebase-frequency", p->tsc_hz));
	for (int i = 0; i < p->cpus; i++) {
		char name[16];

		snprintf(name, sizeof(name), "cpu@%x", i);
		node(w, name);
		string(w, "device_type", "cpu");
		string(w, "compatible", "gnomon,x86-64");
		cell(w, "reg", i);
		end(w);
	}
	end(w);
}

static void port_device(struct writer *w, const char *kind, const char *compatible, uint32_t port, uint32_t len)
{
	/* ISA bus binding: the first cell is 1 for an I/O port. */
	const fdt32_t reg[3] = {cpu_to_fdt32(1), cpu_to_fdt32(port), cpu_to_fdt32(len)};
	char name[32];

	snprintf(name, sizeof(name), "%s@i%x", kind, port);
	node(w, name);
	string(w, "compatible", compatible);
	keep(w, fdt_property(w->fdt, "reg", reg, sizeof(reg)));
	end(w);
}

static void ports(struct writer *w)
{
	node(w, "isa");
	string(w, "compatible", "isa");
	cell(w, "#address-cells", 2);
	cell(w, "#size-cells", 1);
	port_device(w, "serial", "ns16550a", GNOMON_PORT_SERIAL, 8);
	port_device(w, "exit", "gnomon,exit", GNOMON_PORT_EXIT, 4);
	port_device(w, "cpu-start", "gnomon,cpu-start", GNOMON_PORT_CPU_START, 4);
	port_device(w, "ipi", "gnomon,ipi", GNOMON_PORT_IPI, 4);
	end(w);
}

#define PHANDLE_VECTORS 1

/* What `interrupts` of the devices refers to: their cell is a vector of CPU 0. */
static void vectors(struct writer *w)
{
	node(w, "interrupt-controller");
	string(w, "compatible", "gnomon,vectors");
	keep(w, fdt_property(w->fdt, "interrupt-controller", NULL, 0));
	cell(w, "#address-cells", 0);
	cell(w, "#interrupt-cells", 1);
	cell(w, "phandle", PHANDLE_VECTORS);
	end(w);
}

static void virtio(struct writer *w, int n)
{
	const uint64_t base = GNOMON_VIRTIO_BASE + n * (uint64_t)GNOMON_VIRTIO_STRIDE;
	const fdt64_t reg[2] = {cpu_to_fdt64(base), cpu_to_fdt64(GNOMON_VIRTIO_LEN)};
	char name[40];

	snprintf(name, sizeof(name), "virtio_mmio@%llx", (unsigned long long)base);
	node(w, name);
	string(w, "compatible", "virtio,mmio");
	keep(w, fdt_property(w->fdt, "reg", reg, sizeof(reg)));
	cell(w, "interrupts", GNOMON_VIRTIO_VECTOR(n));
	cell(w, "interrupt-parent", PHANDLE_VECTORS);
	end(w);
}

int boot_fdt(const struct boot_params *p, const struct guest_mem *mem, void *buf, int len)
{
	struct writer w = {.fdt = buf};

	/* To look for each name among those before takes libfdt 40 us of a start, and saves some 300 bytes. */
	keep(&w, fdt_create_with_flags(buf, len, FDT_CREATE_FLAG_NO_NAME_DEDUP));
	keep(&w, fdt_add_reservemap_entry(buf, 0, GNOMON_LOADER_END));
	keep(&w, fdt_finish_reservemap(buf));
	node(&w, "");
	cell(&w, "#address-cells", 2);
	cell(&w, "#size-cells", 2);
	string(&w, "compatible", "gnomon,vm");
	node(&w, "chosen");
	string(&w, "bootargs", p->bootargs);
	string(&w, "stdout-path", "/isa/serial@i3f8");
	end(&w);
	memory(&w, mem);
	cpus(&w, p);
	ports(&w);
	vectors(&w);
	virtio(&w, GNOMON_VIRTIO_BALLOON);
	end(&w);
	keep(&w, fdt_finish(buf));
	return w.err ? -ENOSPC : 0;
}
