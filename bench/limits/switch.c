/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The least a switch between two stackful coroutines can cost: inline, so that
 * only the stack pointer, the frame pointer and the place are saved, and what
 * else is live is the compiler's business. It ends in a jump, not in a return,
 * for a return to where nobody called from is always mispredicted.
 */
#include <stdlib.h>

#include "bench/limits/limit.h"

#define OPS 10000
#define STACK_BYTES 65536

struct coroutine {
	void *sp, *fp, *ip;
};

#if defined(__x86_64__)
static inline __attribute__((always_inline)) void switch_to(struct coroutine *from,
							    struct coroutine *to)
{
	__asm__ volatile("movq %%rsp, (%0)\n\t"
			 "movq %%rbp, 8(%0)\n\t"
			 "leaq 1f(%%rip), %%rax\n\t"
			 "movq %%rax, 16(%0)\n\t"
			 "movq (%1), %%rsp\n\t"
			 "movq 8(%1), %%rbp\n\t"
			 "jmpq *16(%1)\n"
			 "1:\n"
			 : "+D"(from), "+S"(to)
			 :
			 : "rax", "rbx", "rcx", "rdx", "r8", "r9", "r10", "r11", "r12", "r13",
			   "r14", "r15", "memory", "cc");
}
#elif defined(__aarch64__)
static inline __attribute__((always_inline)) void switch_to(struct coroutine *from,
							    struct coroutine *to)
{
	register struct coroutine *f __asm__("x0") = from;
	register struct coroutine *t __asm__("x1") = to;

	__asm__ volatile("mov x2, sp\n\t"
			 "adr x3, 1f\n\t"
			 "stp x2, x29, [x0]\n\t"
			 "str x3, [x0, #16]\n\t"
			 "ldp x2, x29, [x1]\n\t"
			 "ldr x3, [x1, #16]\n\t"
			 "mov sp, x2\n\t"
			 "br x3\n"
			 "1:\n"
			 : "+r"(f), "+r"(t)
			 :
			 : "x2", "x3", "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12",
			   "x13", "x14", "x15", "x16", "x17", "x18", "x19", "x20", "x21", "x22",
			   "x23", "x24", "x25", "x26", "x27", "x28", "x30", "memory", "cc");
}
#else
#error "no context switch for this machine"
#endif

static struct coroutine asking, answering;

static void answer(void)
{
	for (;;)
		switch_to(&answering, &asking);
}

static void round_of_switches(void)
{
	for (int i = 0; i < OPS / 2; i++)
		switch_to(&asking, &answering);
}

int main(void)
{
	char *stack = aligned_alloc(4096, STACK_BYTES);

	if (!stack)
		return 1;
	/* Stack tops of one alignment would share their cache sets; 8 more is as
	 * after a call. */
	answering.sp = stack + STACK_BYTES - 512 - 8;
	answering.ip = (void *)answer;
	return limit_main(round_of_switches, OPS);
}
