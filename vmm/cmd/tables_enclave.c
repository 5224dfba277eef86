/* SPDX-License-Identifier: MIT */
/* What may be told of the enclaves' tables: sizes, levels and counts. */
#include <gnomon/addr.h>

#include "cmd/reply.h"
#include "cmd/tables.h"

static void put_enclave(const json_t *e, FILE *to)
{
	const long long pages = reply_number(e, "pages"), tables = reply_number(e, "tables");

	fprintf(to, "%3lld  %-11.11s  %18.18s  %10lld  %7lld  %12lld", reply_number(e, "id"),
	        reply_text(e, "state").text, reply_text(e, "base").text, reply_number(e, "size") / 1024, pages,
	        tables * (long long)PAGE_SIZE / 1024);
	if (pages > 0)
		fprintf(to, "  %15.6f", (double)tables / (double)pages);
	fputc('\n', to);
}

void tables_put_enclaves(const json_t *reply, FILE *to)
{
	const json_t *third = json_object_get(reply, "third-stage"), *list = json_object_get(reply, "enclaves");
	const long long memory = reply_number(third, "memory"), bytes = reply_number(third, "bytes");
	json_t *e;
	size_t i;

	fprintf(to, "The third stage is one tree of %lld level%s for all enclaves. Only the monitor has its entries.\n",
	        reply_number(third, "levels"), reply_number(third, "levels") == 1 ? "" : "s");
	fprintf(to, "tables   %lld KiB, %.6f bytes for each byte of %lld KiB of secure memory\n", bytes / 1024,
	        memory > 0 ? (double)bytes / (double)memory : 0.0, memory / 1024);
	fprintf(to, "owned    %lld of %lld frames\n", reply_number(third, "owned"), reply_number(third, "frames"));
	if (json_array_size(list))
		fprintf(to, "\n%3s  %-11s  %18s  %10s  %7s  %12s  %15s\n", "id", "state", "from", "size (KiB)", "pages",
		        "tables (KiB)", "bytes per byte");
	json_array_foreach (list, i, e)
		put_enclave(e, to);
}
