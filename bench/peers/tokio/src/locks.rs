// SPDX-License-Identifier: BSD-3-Clause
//! What locks and semaphores cost (../../../locks.c).

use std::sync::Arc;

use tokio::sync::{Mutex, RwLock, Semaphore};
use tokio::task::yield_now;

use crate::join_all;

const LOCKS: u64 = 100_000;
const TASKS: u64 = 1_000;
const EACH: u64 = 100;
const YIELD_EVERY: u64 = 16;
const PERMITS: usize = 8;
const READERS: u64 = 2;

pub async fn mutex() -> u64 {
    let mutex = Mutex::new(0u64);
    for _ in 0..LOCKS {
        *mutex.lock().await += 1;
    }
    LOCKS
}

pub async fn mutex_1000() -> u64 {
    let mutex = Arc::new(Mutex::new(0u64));
    let locker = |_| {
        let mutex = mutex.clone();
        tokio::spawn(async move {
            for i in 0..EACH {
                let mut guarded = mutex.lock().await;
                *guarded += 1;
                if i % YIELD_EVERY == 0 {
                    yield_now().await;
                }
            }
        })
    };
    join_all((0..TASKS).map(locker).collect::<Vec<_>>()).await;
    assert_eq!(*mutex.lock().await, TASKS * EACH);
    TASKS * EACH
}

pub async fn semaphore() -> u64 {
    let semaphore = Semaphore::new(1);
    for _ in 0..LOCKS {
        drop(semaphore.acquire().await.unwrap());
    }
    LOCKS
}

pub async fn semaphore_1000() -> u64 {
    let semaphore = Arc::new(Semaphore::new(PERMITS));
    let user = |_| {
        let semaphore = semaphore.clone();
        tokio::spawn(async move {
            for i in 0..EACH {
                let _permit = semaphore.acquire().await.unwrap();
                if i % YIELD_EVERY == 0 {
                    yield_now().await;
                }
            }
        })
    };
    join_all((0..TASKS).map(user).collect::<Vec<_>>()).await;
    assert_eq!(semaphore.available_permits(), PERMITS);
    TASKS * EACH
}

pub async fn rwlock_read() -> u64 {
    let lock = Arc::new(RwLock::new(1u64));
    let reader = |_| {
        let lock = lock.clone();
        tokio::spawn(async move {
            let mut sum = 0;
            for _ in 0..LOCKS {
                sum += *lock.read().await;
            }
            assert_eq!(sum, LOCKS);
        })
    };
    join_all((0..READERS).map(reader).collect::<Vec<_>>()).await;
    READERS * LOCKS
}
