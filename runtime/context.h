/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The context switch. Inline, so that the compiler saves only the registers that are live at the
 * place of the switch: everything but the stack pointer, the frame pointer and the program counter
 * is declared clobbered. It writes nothing to either stack, so it is safe in a function that uses
 * the red zone.
 *
 * The floating-point control words (MXCSR, x87 CW, FPCR) stay those of the thread.
 */
#ifndef RILL_RUNTIME_CONTEXT_H
#define RILL_RUNTIME_CONTEXT_H

#include <stdint.h>

#include "base/compiler.h"

struct rill_context {
	void *sp;
	void *fp;
	void *ip;
};

#if defined(__x86_64__)

#ifdef __AVX512F__
#define RILL_CONTEXT_CLOBBER_AVX512                                                                \
	, "xmm16", "xmm17", "xmm18", "xmm19", "xmm20", "xmm21", "xmm22", "xmm23", "xmm24",         \
		"xmm25", "xmm26", "xmm27", "xmm28", "xmm29", "xmm30", "xmm31", "k0", "k1", "k2",   \
		"k3", "k4", "k5", "k6", "k7"
#else
#define RILL_CONTEXT_CLOBBER_AVX512
#endif

/* Leaves from, to be continued by a later switch to it, and continues to. */
static RILL_ALWAYS_INLINE void rill_context_switch(struct rill_context *from,
						   struct rill_context *to)
{
	/* A jump and not a return: the return predictor knows nothing of other stacks. */
	__asm__ volatile("movq %%rsp, 0(%0)\n\t"
			 "movq %%rbp, 8(%0)\n\t"
			 "leaq 1f(%%rip), %%rax\n\t"
			 "movq %%rax, 16(%0)\n\t"
			 "movq 0(%1), %%rsp\n\t"
			 "movq 8(%1), %%rbp\n\t"
			 "jmpq *16(%1)\n"
			 "1:\tendbr64"
			 : "+D"(from), "+S"(to)
			 :
			 : "rax", "rbx", "rcx", "rdx", "r8", "r9", "r10", "r11", "r12", "r13",
			   "r14", "r15", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6",
			   "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14",
			   "xmm15", "st", "st(1)", "st(2)", "st(3)", "st(4)", "st(5)", "st(6)",
			   "st(7)", "memory", "cc" RILL_CONTEXT_CLOBBER_AVX512);
}

/* The ABI wants the stack pointer 8 below a multiple of 16 at a function's first instruction. */
#define RILL_CONTEXT_ENTRY_BIAS 8

#elif defined(__aarch64__)

#ifdef __ARM_FEATURE_SVE
#define RILL_CONTEXT_CLOBBER_SVE                                                                   \
	, "p0", "p1", "p2", "p3", "p4", "p5", "p6", "p7", "p8", "p9", "p10", "p11", "p12", "p13",  \
		"p14", "p15"
#else
#define RILL_CONTEXT_CLOBBER_SVE
#endif

static RILL_ALWAYS_INLINE void rill_context_switch(struct rill_context *from,
						   struct rill_context *to)
{
	register struct rill_context *f __asm__("x0") = from;
	register struct rill_context *t __asm__("x1") = to;

	/* d8 to d15 are the callee's by the ABI: clobbered here, the compiler saves them if live.
	 */
	__asm__ volatile("mov x2, sp\n\t"
			 "adr x3, 1f\n\t"
			 "stp x2, x29, [x0]\n\t"
			 "str x3, [x0, #16]\n\t"
			 "ldp x2, x29, [x1]\n\t"
			 "ldr x16, [x1, #16]\n\t"
			 "mov sp, x2\n\t"
			 /* by x16, which a landing pad for calls accepts as well */
			 "br x16\n"
			 "1:\thint #36" /* bti j */
			 : "+r"(f), "+r"(t)
			 :
			 : "x2", "x3", "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12",
			   "x13", "x14", "x15", "x16", "x17", "x18", "x19", "x20", "x21", "x22",
			   "x23", "x24", "x25", "x26", "x27", "x28", "x30", "v0", "v1", "v2", "v3",
			   "v4", "v5", "v6", "v7", "v8", "v9", "v10", "v11", "v12", "v13", "v14",
			   "v15", "v16", "v17", "v18", "v19", "v20", "v21", "v22", "v23", "v24",
			   "v25", "v26", "v27", "v28", "v29", "v30", "v31", "memory",
			   "cc" RILL_CONTEXT_CLOBBER_SVE);
}

#define RILL_CONTEXT_ENTRY_BIAS 0

#else
#error "rill has a context switch for x86-64 and aarch64"
#endif

/* A context which begins entry(), which must never return, on the stack that ends at top. */
static inline void rill_context_init(struct rill_context *c, void *top, void (*entry)(void))
{
	uintptr_t sp = (uintptr_t)top & ~(uintptr_t)15;

	c->sp = (void *)(sp - RILL_CONTEXT_ENTRY_BIAS);
	c->fp = NULL; /* where a walk of the frames ends */
	c->ip = (void *)entry;
}

#endif
