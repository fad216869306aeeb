/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>

#include "tests/model/engine/engine.h"

const struct rill_model_mutation *rill_model_mutated(const struct rill_model_op *op)
{
	const struct rill_model_mutation *m = rill_model.mutation;

	if (!m || !strstr(op->site.file, m->file) || strcmp(op->site.func, m->func) != 0)
		return NULL;
	if (m->op && strcmp(m->op, rill_model_kind_name(op->kind)) != 0)
		return NULL;
	if (m->what && !strstr(op->site.what, m->what))
		return NULL;
	rill_model.mutation_matched = true;
	return m;
}
