/* SPDX-License-Identifier: BSD-3-Clause */
/* $names and what stands for them: the parameters of preludes and the columns of foreach. */
#ifndef RILL_TESTS_SCRIPT_SUBST_H
#define RILL_TESTS_SCRIPT_SUBST_H

#include "lang.h"

#define SUBST_VARS_MAX 12
#define SUBST_NAME_MAX 24
#define SUBST_VALUE_MAX 160
#define SUBST_ROWS_MAX 48

struct subst_vars {
	struct {
		char name[SUBST_NAME_MAX];
		char value[SUBST_VALUE_MAX];
	} var[SUBST_VARS_MAX];
	unsigned count;
};

struct subst_table {
	struct subst_vars head; /* names only */
	struct subst_vars row[SUBST_ROWS_MAX];
	unsigned rows;
};

/* pair: name=value or name="two words". known: only one that is there already. */
bool subst_set(struct subst_vars *vars, const char *pair, bool known);
void subst_number(struct subst_vars *vars, const char *name, unsigned value);
/* text with every $name replaced. out: LANG_LINE_MAX bytes. keep: unknown names stay. */
bool subst_apply(char *out, const char *text, const struct subst_vars *vars, bool keep);

/* Columns are divided by '|'. */
bool subst_table_head(struct subst_table *table, const char *text);
bool subst_table_row(struct subst_table *table, const char *text);

#endif
