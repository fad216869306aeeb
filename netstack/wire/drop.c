/* SPDX-License-Identifier: BSD-3-Clause */
#include "netstack/wire/drop.h"

static const char *const names[RILL_DROP_COUNT] = {"none",
#define X(id, name, doc) #name,
						   RILL_DROP_REASONS(X)
#undef X
};

static const char *const docs[RILL_DROP_COUNT] = {"not dropped",
#define X(id, name, doc) doc,
						  RILL_DROP_REASONS(X)
#undef X
};

const char *rill_drop_name(enum rill_drop reason)
{
	return reason < RILL_DROP_COUNT ? names[reason] : "unknown";
}

const char *rill_drop_doc(enum rill_drop reason)
{
	return reason < RILL_DROP_COUNT ? docs[reason] : "unknown";
}
