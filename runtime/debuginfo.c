/* SPDX-License-Identifier: BSD-3-Clause */
#include "runtime/debuginfo.h"

#include <dlfcn.h>
#include <dwarf.h>
#include <elfutils/libdwfl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/compiler.h"

/* Direct-mapped by pc: dumps of many tasks meet the same few places again and again. */
#define CACHE_ENTRIES 512

struct cached {
	uintptr_t pc;
	unsigned count;
	struct rill_location locations[RILL_LOCATIONS_MAX];
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static Dwfl *dwfl; /* of this process, never closed; lock, as all below */
static struct cached *cache;

/* What is being unwound. */
static const struct rill_cpu *unwind_cpu;
static struct rill_stack_copy unwind_stack;

/* ---- the session ---- */

/* Only what lies on this machine: the other finders may ask servers. */
static const Dwfl_Callbacks finders = {
	.find_elf = dwfl_linux_proc_find_elf,
	.find_debuginfo = dwfl_build_id_find_debuginfo,
	.section_address = dwfl_offline_section_address,
};

static bool report_modules(void)
{
	return dwfl_linux_proc_report(dwfl, getpid()) == 0 &&
	       dwfl_report_end(dwfl, NULL, NULL) == 0;
}

static bool begin(void)
{
	if (dwfl)
		return true;
	dwfl = dwfl_begin(&finders);
	if (!dwfl || !report_modules()) {
		dwfl_end(dwfl);
		dwfl = NULL;
		return false;
	}
	cache = calloc(CACHE_ENTRIES, sizeof(*cache));
	return true;
}

static Dwfl_Module *module_at(uintptr_t pc)
{
	Dwfl_Module *m = dwfl_addrmodule(dwfl, pc);
	Dl_info info;

	if (m || !dladdr((void *)pc, &info))
		return m;
	/* Loaded since. What is no longer there takes its strings along. */
	dwfl_report_begin(dwfl);
	report_modules();
	if (cache)
		memset(cache, 0, CACHE_ENTRIES * sizeof(*cache));
	return dwfl_addrmodule(dwfl, pc);
}

/* ---- names and lines ---- */

/* Where the inlined function die was called. */
static void call_site(Dwarf_Die *cu, Dwarf_Die *die, struct rill_location *l)
{
	Dwarf_Attribute attr;
	Dwarf_Files *files;
	Dwarf_Word value;
	size_t count;

	l->file = NULL;
	l->line = 0;
	if (dwarf_formudata(dwarf_attr(die, DW_AT_call_line, &attr), &value) == 0)
		l->line = (int)value;
	if (dwarf_getsrcfiles(cu, &files, &count) == 0 &&
	    dwarf_formudata(dwarf_attr(die, DW_AT_call_file, &attr), &value) == 0 && value < count)
		l->file = dwarf_filesrc(files, value, NULL, NULL);
}

/* The scopes around pc that are not those of the source text but of the calls. */
static int call_scopes(Dwfl_Module *m, uintptr_t pc, Dwarf_Die *cu, Dwarf_Die **ret_scopes)
{
	Dwarf_Addr bias = 0;
	Dwarf_Die innermost;
	Dwarf *dw = dwfl_module_getdwarf(m, &bias);
	Dwarf_Die *scopes = NULL;
	int n = dwarf_getscopes(cu, pc - bias, &scopes);
	bool found = n > 0 && dwarf_offdie(dw, dwarf_dieoffset(&scopes[0]), &innermost);

	free(scopes);
	return found ? dwarf_getscopes_die(&innermost, ret_scopes) : 0;
}

static unsigned locate_inlined(Dwfl_Module *m, uintptr_t pc, Dwarf_Die *cu,
			       struct rill_location here, struct rill_location *out)
{
	Dwarf_Die *scopes = NULL;
	int count = call_scopes(m, pc, cu, &scopes);
	unsigned n = 0;

	for (int i = 0; i < count && n < RILL_LOCATIONS_MAX; i++) {
		int tag = dwarf_tag(&scopes[i]);

		if (tag != DW_TAG_inlined_subroutine && tag != DW_TAG_subprogram)
			continue;
		here.function = dwarf_diename(&scopes[i]);
		out[n++] = here;
		if (tag == DW_TAG_subprogram)
			break;
		call_site(cu, &scopes[i], &here);
	}
	free(scopes);
	return n;
}

/* The unit that pc was compiled in. clang writes no table of them, so that all have to be asked. */
static Dwarf_Die *unit_at(Dwfl_Module *m, uintptr_t pc, Dwarf_Addr *ret_bias)
{
	Dwarf_Die *cu = dwfl_module_addrdie(m, pc, ret_bias);

	if (cu)
		return cu;
	while ((cu = dwfl_module_nextcu(m, cu, ret_bias)))
		if (dwarf_haspc(cu, pc - *ret_bias) > 0)
			return cu;
	return NULL;
}

static unsigned locate(Dwfl_Module *m, uintptr_t pc, struct rill_location *out)
{
	struct rill_location here = {0};
	Dwarf_Addr bias = 0;
	Dwarf_Die *cu = unit_at(m, pc, &bias);
	Dwarf_Line *line = cu ? dwarf_getsrc_die(cu, pc - bias) : NULL;

	if (line) {
		here.file = dwarf_linesrc(line, NULL, NULL);
		dwarf_lineno(line, &here.line);
	}
	unsigned n = cu ? locate_inlined(m, pc, cu, here, out) : 0;

	if (n > 0)
		return n;
	here.function = dwfl_module_addrname(m, pc);
	out[0] = here;
	return here.function || here.file ? 1 : 0;
}

unsigned rill_debuginfo_locate(uintptr_t pc, struct rill_location *locations, unsigned max)
{
	struct cached local = {.pc = pc};
	struct cached *c = &local;

	pthread_mutex_lock(&lock);
	Dwfl_Module *m = begin() ? module_at(pc) : NULL;

	if (m && cache)
		c = &cache[pc * UINT64_C(0x9e3779b97f4a7c15) >> 55];
	if (m && (c == &local || c->pc != pc)) {
		c->pc = pc;
		c->count = locate(m, pc, c->locations);
	}
	unsigned n = RILL_MIN(c->count, max);

	memcpy(locations, c->locations, n * sizeof(*locations));
	pthread_mutex_unlock(&lock);
	return n;
}

/* ---- unwinding ---- */

static pid_t next_thread(Dwfl *d, void *arg, void **thread_arg)
{
	bool first = *thread_arg == NULL;

	*thread_arg = d;
	return first ? dwfl_pid(d) : 0;
}

static bool memory_read(Dwfl *d, Dwarf_Addr addr, Dwarf_Word *ret_word, void *arg)
{
	if (addr < unwind_stack.at || addr - unwind_stack.at > unwind_stack.len ||
	    unwind_stack.len - (addr - unwind_stack.at) < sizeof(*ret_word))
		return false;
	rill_copy_racy(ret_word, unwind_stack.bytes + (addr - unwind_stack.at), sizeof(*ret_word));
	return true;
}

static bool set_registers(Dwfl_Thread *thread, void *arg)
{
	const struct rill_cpu *cpu = unwind_cpu;

	dwfl_thread_state_register_pc(thread, cpu->pc);
#ifdef __x86_64__
	Dwarf_Word pc = cpu->pc;

	if (!dwfl_thread_state_registers(thread, 16, 1, &pc))
		return false;
#endif
	return dwfl_thread_state_registers(thread, 0, cpu->dwarf_count, cpu->dwarf);
}

static const Dwfl_Thread_Callbacks thread_callbacks = {
	.next_thread = next_thread,
	.memory_read = memory_read,
	.set_initial_registers = set_registers,
};

/* The stack pointer's DWARF number. */
#ifdef __x86_64__
#define SP_REGISTER 7
#else
#define SP_REGISTER 31
#endif

struct unwinding {
	const void **frames;
	uintptr_t *sps; /* or NULL */
	unsigned count;
	unsigned max;
};

static int on_frame(Dwfl_Frame *frame, void *arg)
{
	struct unwinding *u = arg;
	bool activation;
	Dwarf_Addr pc;
	Dwarf_Word sp;

	if (u->count == u->max || !dwfl_frame_pc(frame, &pc, &activation) || pc == 0)
		return DWARF_CB_ABORT;
	if (u->sps)
		u->sps[u->count] = dwfl_frame_reg(frame, SP_REGISTER, &sp) == 0 ? sp : 0;
	u->frames[u->count++] = (const void *)(uintptr_t)(activation ? pc : pc - 1);
	return DWARF_CB_OK;
}

unsigned rill_debuginfo_unwind(const struct rill_cpu *cpu, struct rill_stack_copy stack,
			       const void **frames, uintptr_t *ret_sps, unsigned max)
{
	struct unwinding u = {.frames = frames, .sps = ret_sps, .max = max};

	pthread_mutex_lock(&lock);
	/* Attached the first time; our callbacks stand for the process. */
	if (begin() && module_at(cpu->pc) &&
	    (dwfl_pid(dwfl) > 0 ||
	     dwfl_attach_state(dwfl, NULL, getpid(), &thread_callbacks, NULL))) {
		unwind_cpu = cpu;
		unwind_stack = stack;
		/* Its errors are the end of what can be unwound. */
		dwfl_getthread_frames(dwfl, dwfl_pid(dwfl), on_frame, &u);
	}
	pthread_mutex_unlock(&lock);
	return u.count;
}
