// SPDX-License-Identifier: BSD-3-Clause
//! Tokio's side of the benchmarks: `tokio-peer NAME [WORKERS [SIZE]]` prints what `rill-bench` prints, and
//! reads the same variables. Each does the same work as its namesake there (../../../*.c).

mod channels;
mod files;
mod locks;

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::*};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Runtime};
use tokio::sync::{oneshot, Notify};
use tokio::task::{yield_now, JoinHandle};
use tokio::time::{sleep, sleep_until, timeout, Sleep};

const RUN_MS: u64 = 300;
const WARM_UP_SHARE: u32 = 5;

fn variable(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

fn run_time() -> Duration {
    Duration::from_millis(variable("BENCH_MS").unwrap_or(RUN_MS))
}

async fn join_all<T>(tasks: impl IntoIterator<Item = JoinHandle<T>>) {
    for task in tasks {
        task.await.unwrap();
    }
}

// ---- Tasks

/// Puts the task at the end of its worker's queue, and nothing more: cheaper than yield_now(), which
/// waits for a pass of the driver.
struct Requeue(bool);

impl Future for Requeue {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.0 {
            return Poll::Ready(());
        }
        self.0 = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

async fn switch() -> u64 {
    const EACH: u64 = 10_000;
    let turns = || {
        tokio::spawn(async {
            for _ in 0..EACH {
                Requeue(false).await;
            }
        })
    };
    join_all([turns(), turns()]).await;
    2 * EACH
}

async fn yield_alone() -> u64 {
    const YIELDS: u64 = 10_000;
    for _ in 0..YIELDS {
        yield_now().await;
    }
    YIELDS
}

async fn yield_many() -> u64 {
    const TASKS: u64 = 200;
    const EACH: u64 = 1_000;
    let yielder = |_| {
        tokio::spawn(async {
            for _ in 0..EACH {
                yield_now().await;
            }
        })
    };
    join_all((0..TASKS).map(yielder).collect::<Vec<_>>()).await;
    TASKS * EACH
}

async fn spawn_join() -> u64 {
    const JOINED: u64 = 10_000;
    for _ in 0..JOINED {
        tokio::spawn(async {}).await.unwrap();
    }
    JOINED
}

fn chain(left: u64, done: oneshot::Sender<()>) {
    if left == 0 {
        done.send(()).unwrap();
    } else {
        tokio::spawn(async move { chain(left - 1, done) });
    }
}

async fn chained_spawn() -> u64 {
    const LINKS: u64 = 1_000;
    let (done, all) = oneshot::channel();
    chain(LINKS, done);
    all.await.unwrap();
    LINKS
}

/// Whoever comes last sends.
struct Countdown {
    left: AtomicUsize,
    done: std::sync::Mutex<Option<oneshot::Sender<()>>>,
}

impl Countdown {
    fn new(n: usize) -> (Arc<Self>, oneshot::Receiver<()>) {
        let (done, all) = oneshot::channel();
        let (left, done) = (AtomicUsize::new(n), std::sync::Mutex::new(Some(done)));
        (Arc::new(Countdown { left, done }), all)
    }

    fn count(&self) {
        if self.left.fetch_sub(1, Relaxed) == 1 {
            self.done.lock().unwrap().take().unwrap().send(()).unwrap();
        }
    }
}

async fn spawn_many() -> u64 {
    const SPAWNS: usize = 10_000;
    let (countdown, all) = Countdown::new(SPAWNS);
    for _ in 0..SPAWNS {
        let countdown = countdown.clone();
        tokio::spawn(async move { countdown.count() });
    }
    all.await.unwrap();
    SPAWNS as u64
}

fn remote_spawn(runtime: &Runtime) -> u64 {
    const SPAWNS: u64 = 10_000;
    let tasks: Vec<_> = (0..SPAWNS).map(|_| runtime.spawn(async {})).collect();
    runtime.block_on(runtime.spawn(join_all(tasks))).unwrap();
    SPAWNS
}

// ---- Wakes

const ROUND_TRIPS: u64 = 10_000;

fn rally() -> (impl Future<Output = ()> + Send, impl Future<Output = ()> + Send) {
    let (served, returned) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (served2, returned2) = (served.clone(), returned.clone());
    let server = async move {
        for _ in 0..ROUND_TRIPS {
            served.notify_one();
            returned.notified().await;
        }
    };
    let returner = async move {
        for _ in 0..ROUND_TRIPS {
            served2.notified().await;
            returned2.notify_one();
        }
    };
    (returner, server)
}

async fn notify_pingpong() -> u64 {
    let (returner, server) = rally();
    join_all([tokio::spawn(returner), tokio::spawn(server)]).await;
    ROUND_TRIPS
}

/// A task of Tokio's cannot be bound to a worker; two runtimes of one thread each are the way to do it.
fn pingpong_cross(_: &Runtime) -> u64 {
    fn run(player: impl Future<Output = ()> + Send + 'static) -> std::thread::JoinHandle<()> {
        std::thread::spawn(|| Builder::new_current_thread().build().unwrap().block_on(player))
    }
    let (returner, server) = rally();
    let threads = [run(returner), run(server)];
    for thread in threads {
        thread.join().unwrap();
    }
    ROUND_TRIPS
}

async fn oneshot_pingpong() -> u64 {
    const ROUND_TRIPS: usize = 1_000;
    let (ask, asked): (Vec<_>, Vec<_>) = (0..ROUND_TRIPS).map(|_| oneshot::channel()).unzip();
    let (answer, answered): (Vec<_>, Vec<_>) = (0..ROUND_TRIPS).map(|_| oneshot::channel()).unzip();
    let answerer = tokio::spawn(async move {
        for (asked, answer) in asked.into_iter().zip(answer) {
            asked.await.unwrap();
            answer.send(()).unwrap();
        }
    });
    let asker = tokio::spawn(async move {
        for (ask, answered) in ask.into_iter().zip(answered) {
            ask.send(()).unwrap();
            answered.await.unwrap();
        }
    });
    join_all([answerer, asker]).await;
    ROUND_TRIPS as u64
}

async fn ping_pong() -> u64 {
    const PAIRS: usize = 1_000;
    let (countdown, all) = Countdown::new(PAIRS);
    let pair = |countdown: Arc<Countdown>| async move {
        let (ask, asked) = oneshot::channel();
        let (answer, answered) = oneshot::channel();
        tokio::spawn(async move {
            asked.await.unwrap();
            answer.send(()).unwrap();
        });
        ask.send(()).unwrap();
        answered.await.unwrap();
        countdown.count();
    };
    tokio::spawn(async move {
        for _ in 0..PAIRS {
            tokio::spawn(pair(countdown.clone()));
        }
    });
    all.await.unwrap();
    PAIRS as u64
}

fn percentiles_us(mut samples: Vec<Duration>) -> Vec<f64> {
    samples.sort();
    [50, 99].map(|p| samples[samples.len() * p / 100].as_nanos() as f64 / 1e3).to_vec()
}

/// Binds the calling thread to the first or the last of the CPUs that it may use.
fn pin(first: bool) {
    // SAFETY: zeroes are an empty set, and these are ours.
    unsafe {
        let (mut all, mut one): (libc::cpu_set_t, libc::cpu_set_t) = (std::mem::zeroed(), std::mem::zeroed());
        libc::sched_getaffinity(0, std::mem::size_of_val(&all), &mut all);
        let mut cpus = (0..libc::CPU_SETSIZE as usize).filter(|&cpu| libc::CPU_ISSET(cpu, &all));
        libc::CPU_SET(if first { cpus.next() } else { cpus.last() }.unwrap(), &mut one);
        libc::sched_setaffinity(0, std::mem::size_of_val(&one), &one);
    }
}

fn wakeup_latency() -> Vec<f64> {
    let mut builder = Builder::new_multi_thread();
    let runtime = builder.worker_threads(1).on_thread_start(|| pin(true)).build().unwrap();
    pin(false);
    wakeups(&runtime)
}

fn wakeups(runtime: &Runtime) -> Vec<f64> {
    const WAKEUPS: usize = 500;
    const REST: Duration = Duration::from_millis(1);
    struct Sleeper {
        bell: Notify,
        rung_ns: AtomicU64,
        heard: AtomicUsize,
    }
    let s = Arc::new(Sleeper { bell: Notify::new(), rung_ns: AtomicU64::new(0), heard: AtomicUsize::new(0) });
    let (sleeper, begin) = (s.clone(), Instant::now());
    let now = move || begin.elapsed().as_nanos() as u64;
    let task = runtime.spawn(async move {
        let mut samples = Vec::with_capacity(WAKEUPS);
        for i in 0..WAKEUPS {
            sleeper.bell.notified().await;
            samples.push(Duration::from_nanos(now() - sleeper.rung_ns.load(SeqCst)));
            sleeper.heard.store(i + 1, SeqCst);
        }
        samples
    });
    for i in 0..WAKEUPS {
        std::thread::sleep(REST);
        while s.heard.load(SeqCst) < i {
            std::thread::sleep(REST);
        }
        s.rung_ns.store(now(), SeqCst);
        s.bell.notify_one();
    }
    percentiles_us(runtime.block_on(task).unwrap())
}

// ---- Timers

const FAR: Duration = Duration::from_secs(3_600);

/// Polled once, a Sleep is in the wheel.
async fn armed(mut timer: Pin<&mut Sleep>) {
    std::future::poll_fn(|cx| {
        assert!(timer.as_mut().poll(cx).is_pending());
        Poll::Ready(())
    })
    .await
}

async fn timer_create_cancel() -> u64 {
    const TIMERS: u64 = 10_000;
    for i in 0..TIMERS {
        let timer = sleep(FAR + Duration::from_millis(i % 1_000));
        tokio::pin!(timer);
        armed(timer).await;
    }
    TIMERS
}

async fn timer_live_1m() -> Vec<f64> {
    let mut live: Vec<_> = (0..1_000_000).map(|i| Box::pin(sleep(FAR + Duration::from_micros(i)))).collect();
    for timer in &mut live {
        armed(timer.as_mut()).await;
    }
    vec![repeat(timer_create_cancel).await]
}

/// The rally of notify_pingpong, with a timeout around each wait.
async fn timeout_pingpong() -> u64 {
    async fn play(mine: Arc<Notify>, other: Arc<Notify>, serves: bool) {
        for _ in 0..ROUND_TRIPS {
            if serves {
                other.notify_one();
            }
            timeout(FAR, mine.notified()).await.unwrap();
            if !serves {
                other.notify_one();
            }
        }
    }
    let (served, returned) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let returner = tokio::spawn(play(served.clone(), returned.clone(), false));
    join_all([returner, tokio::spawn(play(returned, served, true))]).await;
    ROUND_TRIPS
}

async fn sleep_100k() -> Vec<f64> {
    const SLEEPERS: u64 = 100_000;
    const LEAD: Duration = Duration::from_secs(1);
    let late: Arc<Vec<AtomicU64>> = Arc::new((0..SLEEPERS).map(|_| AtomicU64::new(0)).collect());
    for _ in 0..2 {
        let (countdown, all) = Countdown::new(SLEEPERS as usize);
        let asleep = Arc::new(AtomicU64::new(0));
        let begin = Instant::now() + LEAD;
        for i in 0..SLEEPERS {
            let (late, countdown, asleep) = (late.clone(), countdown.clone(), asleep.clone());
            let due = begin + Duration::from_secs(1) * (i * 7919 % SLEEPERS) as u32 / SLEEPERS as u32;
            tokio::spawn(async move {
                asleep.fetch_add(1, Relaxed);
                sleep_until(due.into()).await;
                late[i as usize].store(due.elapsed().as_nanos() as u64, Relaxed);
                countdown.count();
            });
        }
        while asleep.load(SeqCst) < SLEEPERS {
            yield_now().await;
        }
        assert!(Instant::now() < begin, "not all asleep in time");
        all.await.unwrap();
    }
    percentiles_us(late.iter().map(|ns| Duration::from_nanos(ns.load(Relaxed))).collect())
}

// ---- Idle

const PAGE: u64 = 4_096;

fn resident_bytes() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * PAGE
}

/// Bytes per task.
async fn task_rss(size: u64) -> Vec<f64> {
    let (go, arrived) = (Arc::new(Notify::new()), Arc::new(AtomicU64::new(0)));
    let before = resident_bytes();
    for _ in 0..size {
        let (go, arrived) = (go.clone(), arrived.clone());
        tokio::spawn(async move {
            let waiting = go.notified();
            arrived.fetch_add(1, SeqCst);
            waiting.await;
            arrived.fetch_sub(1, SeqCst);
        });
    }
    while arrived.load(SeqCst) < size {
        yield_now().await;
    }
    let bytes = resident_bytes() - before;
    go.notify_waiters();
    while arrived.load(SeqCst) > 0 {
        yield_now().await;
    }
    vec![bytes as f64 / size as f64]
}

fn cpu_time() -> Duration {
    // SAFETY: zeroes are a rusage, and it is ours.
    let used = unsafe {
        let mut used: libc::rusage = std::mem::zeroed();
        libc::getrusage(libc::RUSAGE_SELF, &mut used);
        used
    };
    let time = |t: libc::timeval| Duration::new(t.tv_sec as u64, t.tv_usec as u32 * 1_000);
    time(used.ru_utime) + time(used.ru_stime)
}

fn idle_cpu(runtime: &Runtime) -> Vec<f64> {
    let watch = run_time() * 7;
    runtime.block_on(runtime.spawn(async {})).unwrap();
    std::thread::sleep(Duration::from_millis(200));
    let before = cpu_time();
    std::thread::sleep(watch);
    vec![100.0 * (cpu_time() - before).as_secs_f64() / watch.as_secs_f64()]
}

// ---- The measuring

/// Rounds for at least `time`; nanoseconds per operation.
async fn rounds<F: Future<Output = u64>>(round: &impl Fn() -> F, time: Duration) -> f64 {
    let (begin, mut ops) = (Instant::now(), 0);
    while begin.elapsed() < time {
        ops += round().await;
    }
    begin.elapsed().as_nanos() as f64 / ops as f64
}

async fn repeat<F: Future<Output = u64>>(round: impl Fn() -> F) -> f64 {
    if let Some(n) = variable("BENCH_ROUNDS") {
        let mut ops = 0;
        for _ in 0..n {
            ops += round().await;
        }
        return ops as f64;
    }
    rounds(&round, run_time() / WARM_UP_SHARE).await;
    rounds(&round, run_time()).await
}

fn in_task<T: Send + 'static>(runtime: &Runtime, task: impl Future<Output = T> + Send + 'static) -> T {
    runtime.block_on(runtime.spawn(task)).unwrap()
}

fn inside<F>(runtime: &Runtime, round: fn() -> F) -> Vec<f64>
where
    F: Future<Output = u64> + Send + 'static,
{
    vec![in_task(runtime, repeat(round))]
}

/// Rounds on the plain thread. Nothing in them is pending, so one poll does it all.
fn outside(runtime: &Runtime, round: fn(&Runtime) -> u64) -> Vec<f64> {
    struct Nobody;
    impl std::task::Wake for Nobody {
        fn wake(self: Arc<Self>) {}
    }
    let mut all = Box::pin(repeat(|| std::future::ready(round(runtime))));
    match all.as_mut().poll(&mut Context::from_waker(&Arc::new(Nobody).into())) {
        Poll::Ready(figure) => vec![figure],
        Poll::Pending => unreachable!(),
    }
}

/// With a clock only where it is needed: without one Tokio's pass over its drivers is cheaper.
fn runtime(workers: u64, clock: bool) -> Runtime {
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(workers as usize);
    if clock {
        builder.enable_time();
    }
    builder.build().unwrap()
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let name = args.first().map_or("", String::as_str);
    let number = |i: usize, otherwise| args.get(i).map_or(otherwise, |a| a.parse().unwrap());
    let rt = &runtime(number(1, 1), name.starts_with("time") || name.starts_with("sleep"));
    let _files = name.starts_with("fs_").then(files::Files::new);
    let figures = match name {
        "switch" => inside(rt, switch),
        "yield" => inside(rt, yield_alone),
        "yield_many" => inside(rt, yield_many),
        "spawn_join" => inside(rt, spawn_join),
        "chained_spawn" => inside(rt, chained_spawn),
        "spawn_many" => inside(rt, spawn_many),
        "remote_spawn" => outside(rt, remote_spawn),
        "notify_pingpong" => inside(rt, notify_pingpong),
        "pingpong_cross" => outside(rt, pingpong_cross),
        "oneshot_pingpong" => inside(rt, oneshot_pingpong),
        "ping_pong" => inside(rt, ping_pong),
        "wakeup_latency" => wakeup_latency(),
        "mutex" => inside(rt, locks::mutex),
        "mutex_1000" => inside(rt, locks::mutex_1000),
        "semaphore" => inside(rt, locks::semaphore),
        "semaphore_1000" => inside(rt, locks::semaphore_1000),
        "rwlock_read" => inside(rt, locks::rwlock_read),
        "mpsc1_pingpong" => inside(rt, channels::mpsc1_pingpong),
        "mpsc_1p1c" => inside(rt, channels::mpsc_1p1c),
        "mpsc_4p1c" => inside(rt, channels::mpsc_4p1c),
        "mpsc_unbounded_1p1c" => inside(rt, channels::mpsc_unbounded_1p1c),
        "select_8" => inside(rt, channels::select_8),
        "broadcast_1to8" => inside(rt, channels::broadcast_1to8),
        "watch" => inside(rt, channels::watch),
        "timer_create_cancel" => inside(rt, timer_create_cancel),
        "timer_live_1m" => in_task(rt, timer_live_1m()),
        "timeout_pingpong" => inside(rt, timeout_pingpong),
        "sleep_100k" => in_task(rt, sleep_100k()),
        "fs_rand4k" => inside(rt, files::rand4k),
        "fs_seq_read" => inside(rt, files::seq_read),
        "fs_seq_write" => inside(rt, files::seq_write),
        "fs_open_stat_close" => inside(rt, files::open_stat_close),
        "fs_create_10k" => inside(rt, files::create_10k),
        "task_rss" => in_task(rt, task_rss(number(2, 100_000))),
        "idle_cpu" => idle_cpu(rt),
        _ => {
            eprintln!("usage: tokio-peer NAME [WORKERS [SIZE]] (bench/README.md)");
            std::process::exit(2);
        }
    };
    for figure in figures {
        println!("{figure:.3}");
    }
}
