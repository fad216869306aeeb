/* SPDX-License-Identifier: BSD-3-Clause */
#include "runtime/backtrace.h"

#include <errno.h>
#include <rill/dump.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <ucontext.h>
#include <unistd.h>

#include "runtime/runtime.h"

/* Both ABIs: a frame pointer points at the caller's, with the return address above it. */
#define FRAME_WORDS 2

#ifdef __aarch64__
/* Return addresses may be signed in the bits above. */
#define CODE_BITS ((UINT64_C(1) << 48) - 1)
#else
#define CODE_BITS UINT64_MAX
#endif

static RILL_NO_SANITIZE uintptr_t read_word(uintptr_t at)
{
	return *(const volatile uintptr_t *)at;
}

static bool frame_fits(uintptr_t fp, struct rill_stack_bounds b)
{
	return fp >= b.low && fp % sizeof(uintptr_t) == 0 && fp < b.high &&
	       b.high - fp >= FRAME_WORDS * sizeof(uintptr_t);
}

unsigned rill_frames_walk(uintptr_t pc, uintptr_t fp, struct rill_stack_bounds bounds,
			  const void **frames, unsigned max)
{
	unsigned n = 0;

	if (max > 0)
		frames[n++] = (const void *)pc;
	while (n < max && frame_fits(fp, bounds)) {
		uintptr_t next = read_word(fp);
		uintptr_t ret = read_word(fp + sizeof(uintptr_t)) & CODE_BITS;

		/* The outermost function of a task has no caller. */
		if (next == 0 || ret == 0)
			break;
		frames[n++] = (const void *)(ret - 1);
		if (next <= fp)
			break;
		fp = next;
	}
	return n;
}

static bool chain_ends_well(uintptr_t fp, struct rill_stack_bounds bounds)
{
	for (unsigned n = 0; n < RILL_DUMP_FRAMES && frame_fits(fp, bounds); n++) {
		uintptr_t next = read_word(fp);

		if (next == 0)
			return n > 0;
		if (next <= fp)
			return false;
		fp = next;
	}
	return false;
}

uintptr_t rill_frames_guess(uintptr_t sp, struct rill_stack_bounds bounds)
{
	uintptr_t at = (sp + sizeof(uintptr_t) - 1) & ~(sizeof(uintptr_t) - 1);

	for (; frame_fits(at, bounds); at += sizeof(uintptr_t))
		if (chain_ends_well(at, bounds))
			return at;
	return 0;
}

#if defined(__x86_64__)
void rill_cpu_of_signal(const void *ucontext, struct rill_cpu *ret_cpu)
{
	/* by DWARF numbers: rax rdx rcx rbx rsi rdi rbp rsp r8 to r15 */
	static const uint8_t order[] = {
		REG_RAX, REG_RDX, REG_RCX, REG_RBX, REG_RSI, REG_RDI, REG_RBP, REG_RSP,
		REG_R8,	 REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15,
	};
	const ucontext_t *uc = ucontext;
	const greg_t *regs = uc->uc_mcontext.gregs;

	for (unsigned i = 0; i < RILL_ARRAY_SIZE(order); i++)
		ret_cpu->dwarf[i] = (uint64_t)regs[order[i]];
	ret_cpu->dwarf_count = RILL_ARRAY_SIZE(order);
	ret_cpu->pc = (uintptr_t)regs[REG_RIP];
	ret_cpu->sp = (uintptr_t)regs[REG_RSP];
	ret_cpu->fp = (uintptr_t)regs[REG_RBP];
}
#elif defined(__aarch64__)
void rill_cpu_of_signal(const void *ucontext, struct rill_cpu *ret_cpu)
{
	const ucontext_t *uc = ucontext;

	for (unsigned i = 0; i < 31; i++)
		ret_cpu->dwarf[i] = uc->uc_mcontext.regs[i];
	ret_cpu->dwarf[31] = uc->uc_mcontext.sp;
	ret_cpu->dwarf_count = 32;
	ret_cpu->pc = uc->uc_mcontext.pc;
	ret_cpu->sp = uc->uc_mcontext.sp;
	ret_cpu->fp = uc->uc_mcontext.regs[29];
}
#endif

void rill_cpu_make_dwarf(struct rill_cpu *cpu)
{
#if defined(__x86_64__)
	cpu->dwarf[6] = cpu->fp;
	cpu->dwarf[7] = cpu->sp;
	cpu->dwarf_count = 16;
#elif defined(__aarch64__)
	cpu->dwarf[29] = cpu->fp;
	cpu->dwarf[31] = cpu->sp;
	cpu->dwarf_count = 32;
#endif
}

/* Loads of this call come before those of later ones. */
static inline void order_loads(void)
{
#ifdef __aarch64__
	__asm__ volatile("dmb ishld" ::: "memory");
#else
	__asm__ volatile("" ::: "memory");
#endif
}

/* volatile: each is loaded once, and not by a call of an instrumented memcpy(). */
RILL_NO_SANITIZE void rill_copy_racy(void *to, const void *from, size_t bytes)
{
	size_t words = ((uintptr_t)to | (uintptr_t)from) % 8 ? 0 : bytes / 8;
	const volatile uint64_t *src = from;
	volatile uint64_t *dst = to;

	for (size_t i = 0; i < words; i++)
		dst[i] = src[i];
	for (size_t i = words * 8; i < bytes; i++)
		((volatile char *)to)[i] = ((const volatile char *)from)[i];
	order_loads();
}

bool rill_copy_checked(void *to, const void *from, size_t bytes)
{
	struct iovec local = {.iov_base = to, .iov_len = bytes};
	struct iovec remote = {.iov_base = (void *)(uintptr_t)from, .iov_len = bytes};

	/* The kernel finds out whether it is mapped; of our own process this is always allowed. */
	return syscall(SYS_process_vm_readv, getpid(), &local, 1UL, &remote, 1UL, 0UL) ==
	       (long)bytes;
}

unsigned rill_backtrace(const void **ret_frames, unsigned max)
{
	struct rill_task *t = rill_task_current();
	uintptr_t fp = (uintptr_t)__builtin_frame_address(0);

	if (!t)
		return 0;
	struct rill_stack_bounds b = rill_task_bounds(t);

	/* From our own frame on: the return address in it is the caller's. */
	if (!frame_fits(fp, b))
		return 0;
	uintptr_t ret = read_word(fp + sizeof(uintptr_t)) & CODE_BITS;

	return rill_frames_walk(ret - 1, read_word(fp), b, ret_frames, max);
}
