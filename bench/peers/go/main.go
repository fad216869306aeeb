// SPDX-License-Identifier: BSD-3-Clause

// Go's side of the benchmarks: go-peer NAME [WORKERS [SIZE]] prints what rill-bench prints. Goroutines are
// its tasks, and channels what wakes them.
package main

import (
	"fmt"
	"os"
	"runtime"
	"sort"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

const (
	runMs       = 300
	warmUpShare = 5
)

func yields(n int) {
	for i := 0; i < n; i++ {
		runtime.Gosched()
	}
}

// n goroutines which yield so many times each.
func yielders(n, times int) int {
	var all sync.WaitGroup
	all.Add(n)
	for i := 0; i < n; i++ {
		go func() {
			yields(times)
			all.Done()
		}()
	}
	all.Wait()
	return n * times
}

func yieldAlone() int {
	yields(10_000)
	return 10_000
}

func spawnJoin() int {
	const joined = 10_000
	for i := 0; i < joined; i++ {
		done := make(chan struct{})
		go close(done)
		<-done
	}
	return joined
}

func chainedSpawn() int {
	const links = 1_000
	done := make(chan struct{})
	var link func(left int)
	link = func(left int) {
		if left == 0 {
			close(done)
		} else {
			go link(left - 1)
		}
	}
	link(links)
	<-done
	return links
}

func spawnMany() int {
	const spawns = 10_000
	left := int64(spawns)
	done := make(chan struct{})
	for i := 0; i < spawns; i++ {
		go func() {
			if atomic.AddInt64(&left, -1) == 0 {
				close(done)
			}
		}()
	}
	<-done
	return spawns
}

// One channel each way, with room for a message, so that the sender goes on as after a notification.
func pingpong() int {
	const roundTrips = 10_000
	there, back := make(chan struct{}, 1), make(chan struct{}, 1)
	done := make(chan struct{})
	go func() {
		for i := 0; i < roundTrips; i++ {
			<-there
			back <- struct{}{}
		}
	}()
	go func() {
		for i := 0; i < roundTrips; i++ {
			there <- struct{}{}
			<-back
		}
		close(done)
	}()
	<-done
	return roundTrips
}

// Many pairs of goroutines, each with one question and one answer.
func pingPong() int {
	const pairs = 1_000
	left := int64(pairs)
	done := make(chan struct{})
	pair := func() {
		ask, answer := make(chan struct{}, 1), make(chan struct{}, 1)
		go func() {
			<-ask
			answer <- struct{}{}
		}()
		ask <- struct{}{}
		<-answer
		if atomic.AddInt64(&left, -1) == 0 {
			close(done)
		}
	}
	go func() {
		for i := 0; i < pairs; i++ {
			go pair()
		}
	}()
	<-done
	return pairs
}

func timerCreateCancel() int {
	const timers = 10_000
	for i := 0; i < timers; i++ {
		time.NewTimer(time.Hour + time.Duration(i%1_000)*time.Millisecond).Stop()
	}
	return timers
}

func sleeps() []float64 {
	const sleepers = 100_000
	late := make([]time.Duration, sleepers)
	for run := 0; run < 2; run++ {
		var all sync.WaitGroup
		var asleep int64
		all.Add(sleepers)
		begin := time.Now().Add(time.Second)
		for i := 0; i < sleepers; i++ {
			go func(i int) {
				due := begin.Add(time.Second / sleepers * time.Duration(i*7919%sleepers))
				atomic.AddInt64(&asleep, 1)
				time.Sleep(time.Until(due))
				late[i] = time.Since(due)
				all.Done()
			}(i)
		}
		for atomic.LoadInt64(&asleep) < sleepers {
			runtime.Gosched()
		}
		if time.Now().After(begin) {
			fail("not all asleep in time")
		}
		all.Wait()
	}
	sort.Slice(late, func(i, j int) bool { return late[i] < late[j] })
	us := func(i int) float64 { return float64(late[i].Nanoseconds()) / 1e3 }
	return []float64{us(sleepers / 2), us(sleepers * 99 / 100)}
}

func residentBytes() int {
	var total, resident int
	statm, err := os.ReadFile("/proc/self/statm")
	if err == nil {
		_, err = fmt.Sscan(string(statm), &total, &resident)
	}
	if err != nil {
		fail(err)
	}
	return resident * os.Getpagesize()
}

// Bytes per goroutine that waits.
func taskRSS(size int) []float64 {
	stop := make(chan struct{})
	var arrived int64
	before := residentBytes()
	for i := 0; i < size; i++ {
		go func() {
			atomic.AddInt64(&arrived, 1)
			<-stop
		}()
	}
	for atomic.LoadInt64(&arrived) < int64(size) {
		runtime.Gosched()
	}
	return []float64{float64(residentBytes()-before) / float64(size)}
}

// Rounds for at least the given time; nanoseconds per operation.
func rounds(round func() int, length time.Duration) float64 {
	begin, ops := time.Now(), 0
	for time.Since(begin) < length {
		ops += round()
	}
	return float64(time.Since(begin).Nanoseconds()) / float64(ops)
}

func repeat(round func() int) []float64 {
	ms, err := strconv.Atoi(os.Getenv("BENCH_MS"))
	if err != nil {
		ms = runMs
	}
	length := time.Duration(ms) * time.Millisecond
	rounds(round, length/warmUpShare)
	return []float64{rounds(round, length)}
}

func fail(why any) {
	fmt.Fprintln(os.Stderr, "go-peer:", why)
	os.Exit(1)
}

// The ith argument, a number.
func argument(i, otherwise int) int {
	if len(os.Args) <= i {
		return otherwise
	}
	n, err := strconv.Atoi(os.Args[i])
	if err != nil {
		fail(err)
	}
	return n
}

func main() {
	benches := map[string]func() []float64{
		"switch":              func() []float64 { return repeat(func() int { return yielders(2, 10_000) }) },
		"yield":               func() []float64 { return repeat(yieldAlone) },
		"yield_many":          func() []float64 { return repeat(func() int { return yielders(200, 1_000) }) },
		"spawn_join":          func() []float64 { return repeat(spawnJoin) },
		"chained_spawn":       func() []float64 { return repeat(chainedSpawn) },
		"spawn_many":          func() []float64 { return repeat(spawnMany) },
		"notify_pingpong":     func() []float64 { return repeat(pingpong) },
		"ping_pong":           func() []float64 { return repeat(pingPong) },
		"timer_create_cancel": func() []float64 { return repeat(timerCreateCancel) },
		"sleep_100k":          sleeps,
		"task_rss":            func() []float64 { return taskRSS(argument(3, 100_000)) },
	}
	var bench func() []float64
	if len(os.Args) > 1 {
		bench = benches[os.Args[1]]
	}
	if bench == nil {
		fail("usage: go-peer NAME [WORKERS [SIZE]] (bench/README.md)")
	}
	runtime.GOMAXPROCS(argument(2, 1))
	for _, figure := range bench() {
		fmt.Printf("%.3f\n", figure)
	}
}
