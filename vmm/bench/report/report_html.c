/* SPDX-License-Identifier: MIT */
/* All results as one page. It asks for nothing from elsewhere, and has no script. */
#include <errno.h>
#include <string.h>

#include "base/markup.h"
#include "bench/report/report_parts.h"

/* Colours of lines by Okabe and Ito, for people who see some colours alike; brighter ones on dark. */
static const char style[] =
    ":root{color-scheme:light dark;--bg:#fff;--fg:#1b1b1b;--dim:#595959;--rule:#d5d5d5;--head:#f3f3f3;"
    "--c0:#0072b2;--c1:#c44e00;--c2:#00795a;--c3:#a0437c;--c4:#8a6d00;--c5:#595959;--c6:#3f8fc4}\n"
    "@media(prefers-color-scheme:dark){:root{--bg:#16181c;--fg:#e8e8e8;--dim:#a8a8a8;--rule:#3b3f46;--head:#22252b;"
    "--c0:#56b4e9;--c1:#ff8c42;--c2:#2bd4a4;--c3:#e5a3c9;--c4:#e6b800;--c5:#b0b0b0;--c6:#9fd3f2}}\n"
    "body{margin:0 auto;max-width:72rem;padding:1rem;background:var(--bg);color:var(--fg);"
    "font:1rem/1.5 system-ui,sans-serif}\n"
    "h1{font-size:1.5rem;line-height:1.25;margin:0 0 .25rem}h2{font-size:1.2rem;margin:1.5rem 0 .25rem}"
    "p{margin:.25rem 0;max-width:65rem}.dim{color:var(--dim)}.finding{font-size:1.125rem;white-space:pre-line}.words "
    "p{white-space:pre-wrap}\n"
    "dl{display:grid;grid-template-columns:max-content 1fr;gap:.1rem 1rem;margin:.5rem 0;max-width:65rem}"
    "dt{font-weight:600}dd{margin:0}\n"
    ".charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,28rem),1fr));gap:1rem}"
    "figure{margin:.5rem 0}figcaption{font-weight:600}figure svg{width:100%;height:auto;display:block}\n"
    ".legend{list-style:none;display:flex;flex-wrap:wrap;gap:.25rem 1rem;margin:.25rem 0;padding:0}"
    ".legend svg{display:inline;width:34px;height:10px}\n"
    "text{fill:var(--dim);font-size:13px}.grid{stroke:var(--rule);fill:none}"
    ".line{fill:none;stroke-width:2}.band{stroke:none;opacity:.18}\n"
    ".s0 *{stroke:var(--c0)}.s1 *{stroke:var(--c1)}.s2 *{stroke:var(--c2)}.s3 *{stroke:var(--c3)}.s4 "
    "*{stroke:var(--c4)}"
    ".s5 *{stroke:var(--c5)}.s6 *{stroke:var(--c6)}\n"
    ".s0 circle,.s0 .band{fill:var(--c0)}.s1 circle,.s1 .band{fill:var(--c1)}.s2 circle,.s2 .band{fill:var(--c2)}"
    ".s3 circle,.s3 .band{fill:var(--c3)}.s4 circle,.s4 .band{fill:var(--c4)}.s5 circle,.s5 .band{fill:var(--c5)}"
    ".s6 circle,.s6 .band{fill:var(--c6)}.band{stroke:none!important}\n"
    ".s1 .line,.s5 .line{stroke-dasharray:7 4}.s2 .line,.s6 .line{stroke-dasharray:2 4}.s3 .line{stroke-dasharray:12 3 "
    "2 3}\n"
    ".scroll{overflow-x:auto}table{border-collapse:collapse;font-size:.875rem;font-variant-numeric:tabular-nums}"
    "caption{text-align:left;color:var(--dim)}"
    "th,td{padding:.2rem .6rem;border-bottom:1px solid var(--rule);text-align:left;white-space:nowrap}"
    "thead th{background:var(--head)}.n{text-align:right}\n"
    "summary{cursor:pointer;padding:.25rem 0}:focus-visible{outline:3px solid var(--c1);outline-offset:2px}\n"
    "@media(max-width:40rem){text{font-size:18px}}\n" /* a picture of 640 is drawn at about half of that */
    "@media print{body{max-width:none}table{font-size:.6rem}.scroll{overflow:visible}section{break-inside:avoid}}\n";

static void put_head(const struct report_environment *e, FILE *to)
{
	fputs("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
	      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>gnomon bench: ",
	      to);
	markup_text(e->cpu, to);
	fprintf(to, "</title>\n<style>\n%s</style>\n</head>\n<body>\n<header>\n<h1>What translations cost on ", style);
	markup_text(e->cpu, to);
	fputs("</h1>\n<p class=\"dim\">", to);
	if (e->cpus)
		fprintf(to, "%d CPUs; ", e->cpus);
	fputs("second stage ", to);
	markup_text(e->second_stage, to);
	fputs("; Linux ", to);
	markup_text(e->kernel, to);
	fputs("; host ", to);
	markup_text(e->host, to);
	fprintf(to, "; THP %s. gnomon %s, %s, seed %ld.</p>\n", e->thp, e->gnomon, e->date, e->seed);
	if (e->emulator)
		fprintf(to, "<p>Emulated by %s: times say nothing about a CPU.</p>\n", e->emulator);
	if (e->label) {
		fputs("<p>", to);
		markup_text(e->label, to);
		fputs("</p>\n", to);
	}
	fputs("</header>\n<main>\n", to);
}

/* ---- sentences ---- */

static void put_text(const char *text, size_t len, FILE *to)
{
	for (size_t i = 0; i < len; i++)
		markup_text((char[]){text[i], 0}, to);
}

/* "  name   what it is", set in and with two blanks behind the name. *ret_what: where that begins. */
static bool is_definition(const char *line, size_t len, size_t *ret_name_len, const char **ret_what)
{
	const size_t name = len > 2 && line[0] == ' ' && line[1] == ' ' ? strcspn(line + 2, " \n") : 0;

	*ret_name_len = name;
	*ret_what = line + 2 + name;
	*ret_what += strspn(*ret_what, " ");
	return name && *ret_what >= line + name + 4 && *ret_what < line + len;
}

/* The paragraph that begins with this line: a line that goes on with the next is one with it. Returns its end. */
static const char *put_paragraph(const char *line, FILE *to)
{
	const bool set_in = *line == ' ';
	bool ends = false;

	fputs("<p>", to);
	for (; !ends && *line; line++) {
		const char before = *line == '\n' ? line[-1] : 0;

		ends = *line == '\n' && (set_in || line[1] == ' ' || !line[1] || before == '.' || before == ':');
		if (*line == '\n')
			fputs(ends ? "" : " ", to);
		else
			put_text(line, 1, to);
	}
	fputs("</p>\n", to);
	return line;
}

static void put_words(const char *words, FILE *to)
{
	bool in_list = false;

	fputs("<div class=\"words\">\n", to);
	words += strspn(words, "\n");
	while (*words) {
		const size_t len = strcspn(words, "\n");
		const char *what;
		size_t name;
		const bool defines = is_definition(words, len, &name, &what);

		if (defines != in_list)
			fputs(defines ? "<dl>\n" : "</dl>\n", to);
		in_list = defines;
		if (!defines) {
			words = put_paragraph(words, to);
			continue;
		}
		fputs("<dt>", to);
		put_text(words + 2, name, to);
		fputs("</dt><dd>", to);
		put_text(what, words + len - what, to);
		fputs("</dd>\n", to);
		words += len + (words[len] == '\n');
	}
	fputs(in_list ? "</dl>\n</div>\n" : "</div>\n", to);
}

static void put_cell(const struct report *r, size_t row, size_t c, FILE *to)
{
	const struct cell *cell = report_cell(r, row, c);
	char buf[REPORT_CELL];

	fprintf(to, "<td%s", report_is_numeric(r, c) ? " class=\"n\"" : "");
	if (cell->kind == CELL_NA) {
		fputs(" title=\"", to);
		markup_text(report_na_reason(cell), to);
		fputc('"', to);
	}
	fputc('>', to);
	markup_text(report_cell_text(r, row, c, buf), to);
	fputs("</td>", to);
}

static void put_table(const struct report *r, FILE *to)
{
	char buf[REPORT_CELL];

	fprintf(
	    to,
	    "<details%s>\n<summary>Table %s: %zu rows</summary>\n<div class=\"scroll\" tabindex=\"0\" role=\"region\" "
	    "aria-label=\"Table %s\">\n<table>\n<caption>%s</caption>\n<thead><tr>",
	    r->plot ? "" : " open", r->name, r->nr_rows, r->name, r->name);
	for (size_t c = 0; c < r->nr_columns; c++) {
		fprintf(to, "<th scope=\"col\"%s>", report_is_numeric(r, c) ? " class=\"n\"" : "");
		markup_text(report_column_header(&r->column[c], buf), to);
		fputs("</th>", to);
	}
	fputs("</tr></thead>\n<tbody>\n", to);
	for (size_t row = 0; row < r->nr_rows; row++) {
		fputs("<tr>", to);
		for (size_t c = 0; c < r->nr_columns; c++)
			put_cell(r, row, c, to);
		fputs("</tr>\n", to);
	}
	fputs("</tbody>\n</table>\n</div>\n", to);
	for (size_t i = 0; i < r->nr_rows * r->nr_columns; i++) { /* a title is for a mouse alone */
		if (!report_is_new_reason(r, i))
			continue;
		fputs("<p class=\"dim\">n/a: ", to);
		markup_text(report_na_reason(&r->cell[i]), to);
		fputs("</p>\n", to);
	}
	fputs("</details>\n", to);
}

static bool measures_misses(const struct report_section *s)
{
	return strcmp(s->name, "miss") == 0 || strcmp(s->name, "chase") == 0;
}

/* What a miss waits for on this host: behind the finding of the first workload that measures misses. */
static void put_why(const struct report_environment *e, FILE *to)
{
	const bool software = strncmp(e->second_stage, "software", strlen("software")) == 0,
	           hardware = strcmp(e->second_stage, "ept") == 0 || strcmp(e->second_stage, "npt") == 0;

	fputs("<p class=\"finding\">Why: a load whose page is not in the TLB waits while the CPU walks page tables, "
	      "entry by "
	      "entry; the more pages, the more entries come from slower caches, or from memory.",
	      to);
	if (software)
		fputs(" KVM has no second stage in hardware here. It composes the guest's tables with its own, so that "
		      "a guest's miss walks one dimension, as a process's does: 4 references with pages of 4 KiB. With "
		      "EPT or NPT they would be up to 24.",
		      to);
	else if (hardware)
		fputs(
		    " KVM has a second stage in hardware here: each reference of a guest's walk is translated itself, "
		    "so that a miss walks two dimensions. With pages of 4 KiB those are up to 24 references, where a "
		    "process has 4.",
		    to);
	fputs("</p>\n", to);
}

int report_write_html(const struct report_environment *env, const struct report_section *sections, size_t nr, FILE *to)
{
	bool explained = false;

	put_head(env, to);
	for (size_t i = 0; i < nr; i++) {
		const struct report_section *s = &sections[i];

		fprintf(to, "<section aria-labelledby=\"%s\">\n<h2 id=\"%s\">%s</h2>\n<p>", s->name, s->name, s->name);
		markup_text(s->what, to);
		fputs("</p>\n", to);
		if (*s->finding) {
			fputs("<p class=\"finding\">", to);
			markup_text(s->finding, to);
			fputs("</p>\n", to);
		}
		if (measures_misses(s) && !explained) {
			put_why(env, to);
			explained = true;
		}
		for (size_t t = 0; t < s->nr_tables; t++) {
			if (s->table[t]->error)
				return s->table[t]->error;
			report_charts(s->table[t], to);
		}
		put_words(s->words, to);
		for (size_t t = 0; t < s->nr_tables; t++)
			put_table(s->table[t], to);
		fputs("</section>\n", to);
	}
	fputs("</main>\n</body>\n</html>\n", to);
	return fflush(to) || ferror(to) ? -EIO : 0;
}
