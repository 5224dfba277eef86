/* SPDX-License-Identifier: MIT */
/* From bytes to a result whose shape is known to be right. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/plain.h"
#include "bench/compare/compare_parts.h"

#define VERSION   1
#define MAX_CELLS (1u << 18) /* of a file; a complete run has some thousands */

/* jansson quotes what it did not like, which may be anything. */
static int not_json(const char *name, json_error_t *error, size_t len)
{
	plain_string(error->text);
	if (json_error_code(error) == json_error_premature_end_of_input || len == 0)
		log_error("%s is cut short: the JSON ends in line %d", name, error->line);
	else
		log_error("%s is not JSON: line %d: %s", name, error->line, error->text);
	return -EINVAL;
}

static int no_result(const char *name, const char *why)
{
	log_error("%s is no result of `gnomon bench --json`: %s", name, why);
	return -EINVAL;
}

static bool is_name(const json_t *value)
{
	return json_is_string(value) && json_string_length(value) > 0;
}

/* Nothing that a terminal acts on gets further than here. */
static bool is_plain(const char *text)
{
	char *copy = strdup(text);
	bool same;

	if (!copy)
		return false;
	plain_string(copy);
	same = strcmp(copy, text) == 0;
	free(copy);
	return same;
}

/* NULL, or what is wrong with a text. */
static const char *check_text(const json_t *value)
{
	return is_plain(json_string_value(value)) ? NULL : "a text has control characters";
}

/* The columns by their names. NULL, or what is wrong. */
static const char *load_columns(struct compare_table *t)
{
	json_t *column;
	size_t i;

	json_array_foreach (t->list, i, column) {
		const json_t *name = json_object_get(column, "name"), *unit = json_object_get(column, "unit");

		if (!is_name(name) || (unit && !json_is_null(unit) && !json_is_string(unit)))
			return "a column has no name, or a unit that is no text";
		if (check_text(name) || (json_is_string(unit) && check_text(unit)))
			return "a column's name or unit has control characters";
		if (json_object_get(t->columns, json_string_value(name)))
			return "two columns of a table have the same name";
		if (json_object_set(t->columns, json_string_value(name), column) < 0)
			return "there is not enough memory";
	}
	return NULL;
}

static const char *check_cell(const json_t *row, const char *column)
{
	const json_t *cell = json_object_get(row, column);
	const json_t *why = json_object_get(json_object_get(row, "na"), column);

	if (!cell)
		return "a row lacks a column of its table";
	if (json_is_string(cell))
		return check_text(cell);
	if (!json_is_null(cell) && !json_is_number(cell))
		return "a cell is neither a number nor a text nor null";
	if (why && !json_is_string(why))
		return "a reason for n/a is no text";
	return why ? check_text(why) : NULL;
}

/* Results that somebody changed by hand, or mixed up: a median lies in its interval. */
static const char *check_interval(const json_t *row, const char *column)
{
	const json_t *value = json_object_get(row, column), *end[2];
	static const char *const ends[] = {"low", "high"};

	for (int i = 0; i < 2; i++) {
		char name[128];

		snprintf(name, sizeof(name), "%.100s_ci_%s", column, ends[i]);
		end[i] = json_object_get(row, name);
		if (!json_is_number(value) || !json_is_number(end[i]))
			return NULL;
	}
	return json_number_value(value) < json_number_value(end[0]) ||
	               json_number_value(value) > json_number_value(end[1])
	           ? "a value lies outside of its interval"
	           : NULL;
}

static const char *check_rows(const struct compare_table *t)
{
	const char *column, *wrong = NULL;
	const json_t *row;
	json_t *unused;
	size_t i;

	json_array_foreach (t->rows, i, row) {
		if (!json_is_object(row))
			return "a row is no object";
		json_object_foreach (t->columns, column, unused) {
			wrong = wrong ? wrong : check_cell(row, column);
			wrong = wrong ? wrong : check_interval(row, column);
		}
		if (wrong)
			return wrong;
	}
	return NULL;
}

/* NULL, or what is wrong. */
static const char *load_table(struct compare_file *f, const json_t *table, size_t *ret_cells)
{
	struct compare_table *t = &f->table[f->nr_tables];
	const json_t *name = json_object_get(table, "name");

	t->list = json_object_get(table, "columns");
	t->rows = json_object_get(table, "rows");
	if (!is_name(name) || !json_is_array(t->list) || !json_is_array(t->rows))
		return "a table lacks its name, its columns or its rows";
	if (check_text(name))
		return "a table's name has control characters";
	if (json_object_get(f->index, json_string_value(name)))
		return "two tables have the same name";
	if (json_object_set_new(f->index, json_string_value(name), json_integer((json_int_t)f->nr_tables)) < 0)
		return "there is not enough memory";
	t->name = json_string_value(name);
	t->columns = json_object();
	f->nr_tables++;
	*ret_cells += (json_array_size(t->list) + 1) * (json_array_size(t->rows) + 1);
	return *ret_cells > MAX_CELLS ? "it has more than 262144 cells" : NULL;
}

static const char *check_environment(json_t *environment)
{
	const char *key;
	json_t *value;

	json_object_foreach (environment, key, value) {
		if (!is_plain(key) || (json_is_string(value) && check_text(value)))
			return "its environment has control characters";
	}
	return NULL;
}

/* NULL, or what is wrong. */
static const char *load_all(struct compare_file *f)
{
	const json_t *tables = json_object_get(f->root, "tables");
	const char *wrong = check_environment(f->environment);
	size_t cells = 0;

	f->index = json_object();
	f->table = calloc(json_array_size(tables) + 1, sizeof(*f->table));
	if (!f->table)
		return "there is not enough memory";
	for (size_t i = 0; !wrong && i < json_array_size(tables); i++) {
		wrong = load_table(f, json_array_get(tables, i), &cells);
		wrong = wrong ? wrong : load_columns(&f->table[i]);
		wrong = wrong ? wrong : check_rows(&f->table[i]);
	}
	return wrong;
}

/* The envelope. -EINVAL, logged. */
static int check_root(struct compare_file *f)
{
	const json_t *version = json_object_get(f->root, "version");

	f->environment = json_object_get(f->root, "environment");
	if (!json_is_integer(version) || !json_is_object(f->environment) ||
	    (json_integer_value(version) == VERSION && !json_is_array(json_object_get(f->root, "tables"))))
		return no_result(f->name, "version, environment or tables are missing");
	if (json_integer_value(version) == VERSION)
		return 0;
	log_error("%s has version %lld of the results' format, and this gnomon compares version %d", f->name,
	          (long long)json_integer_value(version), VERSION);
	return -EINVAL;
}

int compare_load(const char *name, const char *text, size_t len, struct compare_file **ret_file)
{
	struct compare_file *f = calloc(1, sizeof(*f));
	json_error_t error;
	const char *wrong;
	int r;

	if (!f || !(f->name = strdup(name))) {
		free(f);
		return log_errno(ENOMEM, "%s", name);
	}
	plain_string(f->name);
	f->root = json_loadb(text, len, JSON_REJECT_DUPLICATES, &error);
	r = f->root ? check_root(f) : not_json(f->name, &error, len);
	if (r == 0) {
		wrong = load_all(f);
		r = wrong ? no_result(f->name, wrong) : 0;
	}
	if (r == 0)
		*ret_file = f;
	else
		compare_file_free(f);
	return r;
}

void compare_file_free(struct compare_file *f)
{
	if (!f)
		return;
	for (size_t i = 0; i < f->nr_tables; i++)
		json_decref(f->table[i].columns);
	free(f->table);
	json_decref(f->index);
	json_decref(f->root);
	free(f->name);
	free(f);
}

const struct compare_table *compare_find_table(const struct compare_file *file, const char *name)
{
	const json_t *i = json_object_get(file->index, name);

	return i ? &file->table[json_integer_value(i)] : NULL;
}

bool compare_has_table(const struct compare_file *file, const char *name)
{
	return compare_find_table(file, name);
}

const char *compare_table_name(const struct compare_file *file, size_t i)
{
	return i < file->nr_tables ? file->table[i].name : NULL;
}
