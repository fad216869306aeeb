/* SPDX-License-Identifier: BSD-3-Clause */
#include <rill/dump.h>

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

#include "base/compiler.h"
#include "runtime/debuginfo.h"

static const char *file_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* The end of a path says more than its beginning. */
static void put_path(char *to, size_t size, const char *path)
{
	size_t len = strlen(path);

	while (strncmp(path, "../", 3) == 0) {
		path += 3;
		len -= 3;
	}
	if (len < size)
		memcpy(to, path, len + 1);
	else
		snprintf(to, size, "...%s", path + len - (size - 4));
}

static void put_location(struct rill_symbol *s, const struct rill_location *l)
{
	snprintf(s->function, sizeof(s->function), "%s", l->function ? l->function : "");
	s->file[0] = '\0';
	if (l->file)
		put_path(s->file, sizeof(s->file), l->file);
	s->line = (unsigned)l->line;
}

unsigned rill_symbolize(const void *pc, struct rill_symbol *ret_symbols, unsigned max)
{
	struct rill_location locations[RILL_LOCATIONS_MAX];
	struct rill_symbol module = {0};
	Dl_info info = {0};

	if (max == 0)
		return 0;
	if (dladdr(pc, &info) && info.dli_fname) {
		snprintf(module.module, sizeof(module.module), "%s", file_name(info.dli_fname));
		module.offset = (uintptr_t)pc - (uintptr_t)info.dli_fbase;
	}
	unsigned n = rill_debuginfo_locate((uintptr_t)pc, locations,
					   RILL_MIN(max, (unsigned)RILL_LOCATIONS_MAX));

	for (unsigned i = 0; i < n; i++) {
		ret_symbols[i] = module;
		put_location(&ret_symbols[i], &locations[i]);
		ret_symbols[i].inlined = i + 1 < n;
	}
	if (n > 0)
		return n;
	ret_symbols[0] = module;
	snprintf(ret_symbols[0].function, sizeof(ret_symbols[0].function), "%s",
		 info.dli_sname ? info.dli_sname : "");
	return 1;
}

unsigned rill_debuginfo_merge(const void **frames, unsigned unwound, const void *const *walked,
			      unsigned walked_count, unsigned max)
{
	if (unwound == 0) {
		memcpy(frames, walked, walked_count * sizeof(*walked));
		return walked_count;
	}
	/* What both have in common joins them: the pc alone only where the walk knows more. */
	for (unsigned i = unwound; i > 0; i--) {
		for (unsigned k = 0; k < walked_count; k++) {
			if (frames[i - 1] != walked[k] || (i == 1 && unwound > walked_count))
				continue;
			unsigned more = RILL_MIN(walked_count - k - 1, max - i);

			memcpy(&frames[i], &walked[k + 1], more * sizeof(*frames));
			return i + more;
		}
	}
	return unwound;
}
