// SPDX-License-Identifier: BSD-3-Clause
// Boost.Fiber's side of the benchmarks, and Boost.Context's: boost_peer NAME
// prints nanoseconds per operation. One thread. Fibers come from a pool of
// stacks, as rill's tasks do.

#include <boost/context/fiber.hpp>
#include <boost/fiber/all.hpp>

#include <cstring>

#include "bench/limits/limit.h"

namespace ctx = boost::context;
namespace fib = boost::fibers;

constexpr uint64_t OPS = 10000;

static fib::pooled_fixedsize_stack stacks(64 * 1024);

template <typename Fn> static fib::fiber start(Fn fn)
{
	return fib::fiber(fib::launch::post, std::allocator_arg, stacks, fn);
}

// Boost.Context: two coroutines, no scheduler.
static void context_switch()
{
	static ctx::fiber other([](ctx::fiber &&back) {
		for (;;)
			back = std::move(back).resume();
		return std::move(back);
	});

	for (uint64_t i = 0; i < OPS / 2; i++)
		other = std::move(other).resume();
}

// Two fibers take turns.
static void fiber_switch()
{
	auto turns = [] {
		for (uint64_t i = 0; i < OPS / 2; i++)
			boost::this_fiber::yield();
	};
	auto a = start(turns), b = start(turns);

	a.join();
	b.join();
}

static void yield_alone()
{
	for (uint64_t i = 0; i < OPS; i++)
		boost::this_fiber::yield();
}

static void spawn_join()
{
	for (uint64_t i = 0; i < OPS; i++)
		start([] {}).join();
}

// A mutex and a condition variable are what Boost.Fiber has to wake one fiber
// by another.
class Bell
{
	fib::mutex guard;
	fib::condition_variable rang;
	bool ringing = false;

      public:
	void ring()
	{
		std::unique_lock<fib::mutex> lock(guard);

		ringing = true;
		rang.notify_one();
	}
	void wait()
	{
		std::unique_lock<fib::mutex> lock(guard);

		rang.wait(lock, [this] { return ringing; });
		ringing = false;
	}
};

static void pingpong()
{
	Bell there, back;
	auto a = start([&] {
		for (uint64_t i = 0; i < OPS; i++) {
			there.wait();
			back.ring();
		}
	});
	auto b = start([&] {
		for (uint64_t i = 0; i < OPS; i++) {
			there.ring();
			back.wait();
		}
	});

	a.join();
	b.join();
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*round)();
	} benches[] = {
		{"context", context_switch}, {"switch", fiber_switch},	    {"yield", yield_alone},
		{"spawn_join", spawn_join},  {"notify_pingpong", pingpong},
	};

	for (auto &b : benches)
		if (argc == 2 && strcmp(argv[1], b.name) == 0)
			return limit_main(b.round, OPS);
	fprintf(stderr, "usage: boost_peer context|switch|yield|spawn_join|notify_pingpong\n");
	return 2;
}
