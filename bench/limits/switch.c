/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The least a switch between two stackful coroutines can cost that is not inlined: a function which
 * saves the callee-saved registers on one stack, loads them from the other, and jumps. It ends in a
 * jump, not in a return, for a return to where nobody called from is always mispredicted.
 */
#include <stdlib.h>

#include "bench/limits/limit.h"

#define OPS 10000
#define STACK_BYTES 65536

/* Saves the caller's stack pointer in *from and resumes at to. */
void limit_switch(void **from, void *to);

#if defined(__x86_64__)
__asm__(".text\n"
	".p2align 6\n"
	".globl limit_switch\n"
	".type limit_switch, @function\n"
	"limit_switch:\n"
	"	pushq %rbp\n"
	"	pushq %rbx\n"
	"	pushq %r12\n"
	"	pushq %r13\n"
	"	pushq %r14\n"
	"	pushq %r15\n"
	"	movq %rsp, (%rdi)\n"
	"	movq %rsi, %rsp\n"
	"	popq %r15\n"
	"	popq %r14\n"
	"	popq %r13\n"
	"	popq %r12\n"
	"	popq %rbx\n"
	"	popq %rbp\n"
	"	popq %rcx\n"
	"	jmp *%rcx\n"
	".size limit_switch, .-limit_switch\n");

#define SAVED_WORDS 6

static void *first_frame(uint64_t *top, void (*entry)(void))
{
	/* A function is entered with its return address on a stack aligned to 16. */
	*--top = 0;
	*--top = (uint64_t)entry;
	for (int i = 0; i < SAVED_WORDS; i++)
		*--top = 0;
	return top;
}
#elif defined(__aarch64__)
__asm__(".text\n"
	".p2align 6\n"
	".globl limit_switch\n"
	".type limit_switch, %function\n"
	"limit_switch:\n"
	"	sub sp, sp, #160\n"
	"	stp x19, x20, [sp, #0]\n"
	"	stp x21, x22, [sp, #16]\n"
	"	stp x23, x24, [sp, #32]\n"
	"	stp x25, x26, [sp, #48]\n"
	"	stp x27, x28, [sp, #64]\n"
	"	stp x29, x30, [sp, #80]\n"
	"	stp d8, d9, [sp, #96]\n"
	"	stp d10, d11, [sp, #112]\n"
	"	stp d12, d13, [sp, #128]\n"
	"	stp d14, d15, [sp, #144]\n"
	"	mov x9, sp\n"
	"	str x9, [x0]\n"
	"	mov sp, x1\n"
	"	ldp x19, x20, [sp, #0]\n"
	"	ldp x21, x22, [sp, #16]\n"
	"	ldp x23, x24, [sp, #32]\n"
	"	ldp x25, x26, [sp, #48]\n"
	"	ldp x27, x28, [sp, #64]\n"
	"	ldp x29, x30, [sp, #80]\n"
	"	ldp d8, d9, [sp, #96]\n"
	"	ldp d10, d11, [sp, #112]\n"
	"	ldp d12, d13, [sp, #128]\n"
	"	ldp d14, d15, [sp, #144]\n"
	"	add sp, sp, #160\n"
	"	mov x9, x30\n"
	"	br x9\n"
	".size limit_switch, .-limit_switch\n");

#define SAVED_WORDS 20
#define SAVED_LINK 11

static void *first_frame(uint64_t *top, void (*entry)(void))
{
	top -= SAVED_WORDS;
	for (int i = 0; i < SAVED_WORDS; i++)
		top[i] = 0;
	top[SAVED_LINK] = (uint64_t)entry;
	return top;
}
#else
#error "no context switch for this machine"
#endif

static void *main_context;
static void *other_context;

static void other(void)
{
	for (;;)
		limit_switch(&other_context, main_context);
}

static void round_of_switches(void)
{
	for (int i = 0; i < OPS / 2; i++)
		limit_switch(&main_context, other_context);
}

int main(void)
{
	uint64_t *stack = aligned_alloc(4096, STACK_BYTES);

	if (!stack)
		return 1;
	/* Stack tops of one alignment would share their cache sets. */
	other_context = first_frame(stack + (STACK_BYTES - 512) / sizeof(*stack), other);
	return limit_main(round_of_switches, OPS);
}
