// SPDX-License-Identifier: BSD-3-Clause
//! Tokio's side of the benchmarks: `tokio-peer NAME` prints nanoseconds per operation.
//!
//! One worker thread, as on rill's side. Everything measured runs in spawned tasks, on that worker.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, Mutex};
use tokio::task::yield_now;

const WARM_UP: Duration = Duration::from_millis(100);
const RUN: Duration = Duration::from_millis(500);

/// Puts the task at the end of its worker's queue, and nothing more: cheaper than yield_now(), which
/// waits for a pass of the I/O driver.
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

/// One round of two tasks which take turns.
async fn switch() -> u64 {
    const EACH: u64 = 10_000;
    let turns = || async {
        for _ in 0..EACH {
            Requeue(false).await;
        }
    };
    let (a, b) = (tokio::spawn(turns()), tokio::spawn(turns()));
    a.await.unwrap();
    b.await.unwrap();
    2 * EACH
}

async fn spawn_join() -> u64 {
    const OPS: u64 = 10_000;
    for _ in 0..OPS {
        tokio::spawn(async {}).await.unwrap();
    }
    OPS
}

async fn yields() -> u64 {
    const TASKS: u64 = 1_000;
    const EACH: u64 = 100;
    let tasks: Vec<_> = (0..TASKS)
        .map(|_| {
            tokio::spawn(async {
                for _ in 0..EACH {
                    yield_now().await;
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    TASKS * EACH
}

async fn mutex() -> u64 {
    const OPS: u64 = 100_000;
    let mutex = Mutex::new(0u64);
    for _ in 0..OPS {
        *mutex.lock().await += 1;
    }
    OPS
}

async fn mpsc_1p1c() -> u64 {
    const OPS: u64 = 100_000;
    let (tx, mut rx) = mpsc::channel::<u64>(1_000);
    let producer = tokio::spawn(async move {
        for i in 0..OPS {
            tx.send(i).await.unwrap();
        }
    });
    let consumer = tokio::spawn(async move {
        let mut received = 0;
        while rx.recv().await.is_some() {
            received += 1;
        }
        received
    });
    producer.await.unwrap();
    consumer.await.unwrap()
}

/// Repeats rounds for at least `time`; nanoseconds per operation.
async fn repeat<F: Future<Output = u64>>(round: fn() -> F, time: Duration) -> f64 {
    let begin = Instant::now();
    let mut ops = 0;
    while begin.elapsed() < time {
        ops += round().await;
    }
    begin.elapsed().as_nanos() as f64 / ops as f64
}

fn measure<F>(round: fn() -> F)
where
    F: Future<Output = u64> + Send + 'static,
{
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .build()
        .unwrap();
    let task = runtime.spawn(async move {
        repeat(round, WARM_UP).await;
        repeat(round, RUN).await
    });
    println!("{:.3}", runtime.block_on(task).unwrap());
}

fn main() {
    let name = std::env::args().nth(1).unwrap_or_default();
    match name.as_str() {
        "switch" => measure(switch),
        "spawn_join" => measure(spawn_join),
        "yield" => measure(yields),
        "mutex" => measure(mutex),
        "mpsc_1p1c" => measure(mpsc_1p1c),
        _ => {
            eprintln!("usage: tokio-peer switch|spawn_join|yield|mutex|mpsc_1p1c");
            std::process::exit(2);
        }
    }
}
