/* SPDX-License-Identifier: BSD-3-Clause */
#include "subst.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

static bool set(struct subst_vars *vars, const char *name, size_t name_len, const char *value,
		size_t value_len, bool known)
{
	unsigned i = 0;

	if (name_len == 0 || name_len >= SUBST_NAME_MAX || value_len >= SUBST_VALUE_MAX)
		return false;
	while (i < vars->count && (strlen(vars->var[i].name) != name_len ||
				   memcmp(vars->var[i].name, name, name_len) != 0))
		i++;
	if (i == vars->count && (known || vars->count++ == SUBST_VARS_MAX))
		return false;
	memcpy(vars->var[i].name, name, name_len);
	vars->var[i].name[name_len] = 0;
	memcpy(vars->var[i].value, value, value_len);
	vars->var[i].value[value_len] = 0;
	return true;
}

bool subst_set(struct subst_vars *vars, const char *pair, bool known)
{
	const char *eq = strchr(pair, '=');
	size_t len;

	if (!eq)
		return false;
	len = strlen(eq + 1);
	if (len >= 2 && eq[1] == '"' && eq[len] == '"')
		return set(vars, pair, (size_t)(eq - pair), eq + 2, len - 2, known);
	return set(vars, pair, (size_t)(eq - pair), eq + 1, len, known);
}

void subst_number(struct subst_vars *vars, const char *name, unsigned value)
{
	char text[16];
	int n = snprintf(text, sizeof(text), "%u", value);

	set(vars, name, strlen(name), text, (size_t)n, false);
}

static size_t name_length(const char *p)
{
	size_t n = 0;

	while (isalnum((unsigned char)p[n]))
		n++;
	return n;
}

static const char *find(const struct subst_vars *vars, const char *name, size_t len)
{
	for (unsigned i = 0; i < vars->count; i++)
		if (strlen(vars->var[i].name) == len && memcmp(vars->var[i].name, name, len) == 0)
			return vars->var[i].value;
	return NULL;
}

bool subst_apply(char *out, const char *text, const struct subst_vars *vars, bool keep)
{
	size_t used = 0;

	while (*text) {
		size_t len = *text == '$' ? name_length(text + 1) : 0;
		const char *value = len ? find(vars, text + 1, len) : NULL;
		size_t n = value ? strlen(value) : 1;

		if ((len && !value && !keep) || used + n >= LANG_LINE_MAX)
			return false;
		memcpy(out + used, value ? value : text, n);
		used += n;
		text += value ? len + 1 : 1;
	}
	out[used] = 0;
	return true;
}

/* The next column: its beginning and, without blanks around it, its length. */
static const char *column(const char **text, size_t *ret_len)
{
	const char *p = *text + strspn(*text, " \t");
	size_t n = strcspn(p, "|");

	*text = p + n + (p[n] == '|');
	while (n > 0 && (p[n - 1] == ' ' || p[n - 1] == '\t'))
		n--;
	*ret_len = n;
	return p;
}

bool subst_table_head(struct subst_table *table, const char *text)
{
	size_t len;

	table->rows = 0;
	table->head.count = 0;
	do {
		const char *name = column(&text, &len);

		if (!set(&table->head, name, len, "", 0, false))
			return false;
	} while (*text);
	return true;
}

bool subst_table_row(struct subst_table *table, const char *text)
{
	struct subst_vars *row = &table->row[table->rows];
	size_t len;

	if (table->rows == SUBST_ROWS_MAX)
		return false;
	*row = table->head;
	for (unsigned i = 0; i < table->head.count; i++) {
		const char *name = table->head.var[i].name;
		const char *value = column(&text, &len);

		if (!set(row, name, strlen(name), value, len, true))
			return false;
	}
	table->rows++;
	return !*text;
}
