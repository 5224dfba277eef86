/* SPDX-License-Identifier: MIT */
#include <stdbool.h>
#include <string.h>

#include "cmd/reply.h"
#include "cmd/walk.h"

#define PFEC_BITS 5

struct walk_fault walk_fault(const json_t *reply)
{
	static const char *const bit[PFEC_BITS] = {"P", "W", "U", "RSVD", "I"};
	const long long vector = reply_number(reply, "vector"), code = reply_number(reply, "error-code");
	struct walk_fault f = {""};
	size_t len;
	int any = 0;

	if (vector == 13)
		strcpy(f.text, "#GP");
	if (vector != 14)
		return f;
	len = snprintf(f.text, sizeof(f.text), "#PF, error code 0x%llx", code);
	for (int i = 0; i < PFEC_BITS; i++)
		if (code >> i & 1)
			len += snprintf(f.text + len, sizeof(f.text) - len, "%s%s", any++ ? " " : " (", bit[i]);
	if (any)
		snprintf(f.text + len, sizeof(f.text) - len, ")");
	return f;
}

const char *walk_target(const json_t *reference)
{
	switch (reply_number(reference, "page")) {
	case 4096:
		return "4 KiB page";
	case 2 << 20:
		return "2 MiB page";
	case 1 << 30:
		return "1 GiB page";
	default:
		return json_object_get(reference, "to") ? "table" : "nothing";
	}
}

static void print_target(const json_t *reference, FILE *to)
{
	const struct reply_text at = reply_text(reference, "to");

	if (json_object_get(reference, "owner")) /* of the third stage, which says where a frame may appear */
		fprintf(to, "frame of enclave %lld, %s%s", reply_number(reference, "owner"),
		        strcmp(at.text, "0x0") == 0 ? "for no address" : "for ",
		        strcmp(at.text, "0x0") == 0 ? "" : at.text);
	else if (json_object_get(reference, "to"))
		fprintf(to, "%s at %s", walk_target(reference), at.text);
	else
		fputs("nothing", to);
}

static void print_references(json_t *list, FILE *to)
{
	const struct reply_text first = reply_text(json_array_get(list, 0), "table");
	const bool is_plain = strcmp(first.text, "shadow") == 0 || strcmp(first.text, "guest") == 0; /* one stage */
	long long row = 0;
	json_t *r;
	size_t i;

	fprintf(to, "%3s  %-7s  %5s  %-18s  %-18s  %-20s  %s\n", "n", "table", "level", "at", "entry", "flags",
	        "leads to");
	json_array_foreach (list, i, r) {
		const struct reply_text table = reply_text(r, "table");
		const struct reply_text flags = reply_text(r, "flags");

		/* Those of the stage below stand before the entry that needs them. */
		if (i && row != reply_number(r, "row") && !is_plain)
			fputc('\n', to);
		row = reply_number(r, "row");
		fprintf(to, "%3zu  %-7.7s  %5lld  %18.18s  %18.18s  %-20.20s  ", i + 1, table.text,
		        reply_number(r, "level"), reply_text(r, "at").text, reply_text(r, "entry").text, flags.text);
		print_target(r, to);
		fputc('\n', to);
	}
}

static const char *bit_at(const json_t *object, const char *name)
{
	return json_is_true(json_object_get(object, name)) ? "1" : "0";
}

static void print_head(const json_t *reply, FILE *to)
{
	const json_t *r = json_object_get(reply, "registers");
	const struct reply_text access = reply_text(reply, "access");
	const bool is_file = json_object_get(reply, "snapshot");

	fprintf(to, "A %s of %s by the guest's %s, vCPU %lld, %s mode%s%s\n",
	        *access.text == 'w'   ? "write"
	        : *access.text == 'x' ? "fetch"
	                              : "read",
	        reply_text(reply, "address").text, json_is_true(json_object_get(reply, "user")) ? "program" : "kernel",
	        reply_number(reply, "cpu"), reply_text(reply, "mode").text,
	        is_file ? ", as a snapshot has it" : ", second stage ",
	        is_file ? "" : reply_text(reply, "second-stage").text);
	fprintf(to, "CR3 %s  CR0.WP %s  EFER.NXE %s  CR4.SMEP %s  CR4.SMAP %s  RFLAGS.AC %s\n",
	        reply_text(r, "cr3").text, bit_at(r, "wp"), bit_at(r, "nxe"), bit_at(r, "smep"), bit_at(r, "smap"),
	        bit_at(r, "ac"));
}

/* What the file of a snapshot has of the page (view/file.h). */
static const char *words_of(const char *held)
{
	if (strcmp(held, "stored") == 0)
		return "The file has its content.";
	if (strcmp(held, "zero") == 0)
		return "It is all zero there.";
	return strcmp(held, "absent") == 0 ? "The guest does not have it: a balloon or `reclaim` took it."
	                                   : "No memory is there: a device, or nothing.";
}

static void print_page(const json_t *reply, FILE *to)
{
	const json_t *rights = json_object_get(reply, "rights");

	fprintf(to, "It is guest physical %s, in a page of %lld KiB. The entries grant read%s%s, for %s.\n",
	        reply_text(reply, "gpa").text, reply_number(reply, "page") / 1024,
	        json_is_true(json_object_get(rights, "write")) ? ", write" : "",
	        json_is_true(json_object_get(rights, "execute")) ? ", execute" : "",
	        json_is_true(json_object_get(rights, "user")) ? "program and kernel" : "the kernel alone");
	if (json_object_get(reply, "maddr"))
		fprintf(to, "The second stage has it at machine address %s.\n", reply_text(reply, "maddr").text);
	else if (json_is_false(json_object_get(reply, "memory")))
		fputs("The second stage has no memory there: a device, memory that was taken away, or nothing.\n", to);
	else if (json_object_get(reply, "held"))
		fprintf(to, "%s\n", words_of(reply_text(reply, "held").text));
}

static void print_end(const json_t *reply, FILE *to)
{
	const struct walk_fault fault = walk_fault(reply);

	fputc('\n', to);
	if (*fault.text)
		fprintf(to, "%s. ", fault.text);
	fprintf(to, "%s\n", reply_text(reply, "sentence").text);
	if (json_object_get(reply, "gpa"))
		print_page(reply, to);
	fprintf(to, "%s\n", reply_text(reply, "known").text);
}

static void print_enclaves(json_t *list, FILE *to)
{
	json_t *e;
	size_t i;

	json_array_foreach (list, i, e) {
		json_t *references = json_object_get(e, "references");

		fprintf(to, "\nEnclave %lld (%s), from %s on, has this address. ", reply_number(e, "id"),
		        reply_text(e, "state").text, reply_text(e, "base").text);
		if (!json_array_size(references)) {
			fputs("It has no tables before it is sealed.\n", to);
			continue;
		}
		fputs("Inside it the CPU walks its own tables.\n"
		      "The third stage checked each machine address when they were made; no hardware walks it.\n",
		      to);
		print_references(references, to);
		if (json_is_false(json_object_get(e, "mapped")))
			fputs("The enclave has no page there.\n", to);
	}
}

void walk_print(json_t *reply, FILE *to)
{
	json_t *shadow = json_object_get(reply, "shadow"), *guest = json_object_get(reply, "guest");
	const struct reply_text end = reply_text(reply, "shadow-end");
	const bool is_shadow = json_object_get(reply, "shadow-end");

	print_head(reply, to);
	if (is_shadow) {
		fputs("\nWhat the CPU walks: the shadow\n", to);
		if (shadow)
			print_references(shadow, to);
		if (strcmp(end.text, "mapped") != 0)
			fputs(shadow ? "The shadow ends there: the next access traps, and Gnomon fills it if the "
			               "guest's tables allow.\n"
			             : "There is none yet for this CPL: Gnomon makes it when the guest runs there.\n",
			      to);
		fputs("\nWhat Gnomon composes it from: the guest's tables and the second stage\n", to);
	} else {
		fputc('\n', to);
	}
	if (json_array_size(guest))
		print_references(guest, to);
	print_end(reply, to);
	print_enclaves(json_object_get(reply, "enclaves"), to);
}
