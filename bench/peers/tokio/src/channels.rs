// SPDX-License-Identifier: BSD-3-Clause
//! What channels cost (../../../channels.c).

use std::sync::atomic::{AtomicUsize, Ordering::*};
use std::sync::Arc;

use tokio::sync::{broadcast, mpsc, watch, Notify};

use crate::{join_all, ROUND_TRIPS};

const MESSAGES: u64 = 100_000;
const CAPACITY: usize = 1_000;
const UNBOUNDED_MESSAGES: u64 = 10_000;

// ---- One receiver

pub async fn mpsc1_pingpong() -> u64 {
    let (serve, mut served) = mpsc::channel::<u64>(1);
    let (give_back, mut returned) = mpsc::channel::<u64>(1);
    let returner = tokio::spawn(async move {
        while let Some(ball) = served.recv().await {
            give_back.send(ball).await.unwrap();
        }
    });
    let server = tokio::spawn(async move {
        for i in 0..ROUND_TRIPS {
            serve.send(i).await.unwrap();
            assert_eq!(returned.recv().await, Some(i));
        }
    });
    join_all([returner, server]).await;
    ROUND_TRIPS
}

async fn mpsc(producers: u64) -> u64 {
    let (tx, mut rx) = mpsc::channel::<u64>(CAPACITY);
    let producer = |_| {
        let tx = tx.clone();
        tokio::spawn(async move {
            for i in 0..MESSAGES / producers {
                tx.send(i).await.unwrap();
            }
        })
    };
    let sending: Vec<_> = (0..producers).map(producer).collect();
    drop(tx);
    let consumer = tokio::spawn(async move {
        let mut received = 0;
        while rx.recv().await.is_some() {
            received += 1;
        }
        received
    });
    join_all(sending).await;
    consumer.await.unwrap()
}

pub async fn mpsc_1p1c() -> u64 {
    mpsc(1).await
}

pub async fn mpsc_4p1c() -> u64 {
    mpsc(4).await
}

pub async fn mpsc_unbounded_1p1c() -> u64 {
    let (tx, mut rx) = mpsc::unbounded_channel::<u64>();
    let producer = tokio::spawn(async move {
        for i in 0..UNBOUNDED_MESSAGES {
            tx.send(i).unwrap();
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

pub async fn select_8() -> u64 {
    const SELECTS: u64 = 10_000;
    const CAPACITY: usize = 16;
    let (mut senders, mut receivers) = (Vec::new(), Vec::new());
    for _ in 0..8 {
        let (tx, rx) = mpsc::channel::<u64>(CAPACITY);
        senders.push(tx);
        receivers.push(rx);
    }
    let [mut a, mut b, mut c, mut d, mut e, mut f, mut g, mut h]: [_; 8] = receivers.try_into().unwrap();
    for i in 0..SELECTS {
        senders[i as usize % 8].try_send(i).unwrap();
        let message = tokio::select! {
            m = a.recv() => m,
            m = b.recv() => m,
            m = c.recv() => m,
            m = d.recv() => m,
            m = e.recv() => m,
            m = f.recv() => m,
            m = g.recv() => m,
            m = h.recv() => m,
        };
        assert_eq!(message, Some(i));
    }
    SELECTS
}

// ---- Many receivers

const LISTENERS: usize = 8;

/// Listeners say that they have heard what was said, and the speaker waits for all of them.
struct Audience {
    left: AtomicUsize,
    all: Notify,
}

impl Audience {
    fn new() -> Arc<Self> {
        Arc::new(Audience { left: AtomicUsize::new(LISTENERS), all: Notify::new() })
    }

    fn heard(&self) {
        if self.left.fetch_sub(1, AcqRel) == 1 {
            // Before the speaker goes on: the next to count are those of the next time.
            self.left.store(LISTENERS, Relaxed);
            self.all.notify_one();
        }
    }
}

pub async fn broadcast_1to8() -> u64 {
    const CAPACITY: u64 = 128;
    const TIMES: u64 = 100;
    let (tx, _) = broadcast::channel::<u64>(CAPACITY as usize);
    let audience = Audience::new();
    let listener = |_| {
        let (mut rx, audience) = (tx.subscribe(), audience.clone());
        tokio::spawn(async move {
            for _ in 0..TIMES {
                for i in 0..CAPACITY {
                    assert_eq!(rx.recv().await, Ok(i));
                }
                audience.heard();
            }
        })
    };
    let listeners: Vec<_> = (0..LISTENERS).map(listener).collect();
    for _ in 0..TIMES {
        for i in 0..CAPACITY {
            tx.send(i).unwrap();
        }
        audience.all.notified().await;
    }
    join_all(listeners).await;
    TIMES * CAPACITY
}

pub async fn watch() -> u64 {
    const VERSIONS: u64 = 1_000;
    let (tx, rx) = watch::channel(0u64);
    let audience = Audience::new();
    let listener = |_| {
        let (mut rx, audience) = (rx.clone(), audience.clone());
        tokio::spawn(async move {
            for version in 1..=VERSIONS {
                rx.changed().await.unwrap();
                assert_eq!(*rx.borrow(), version);
                audience.heard();
            }
        })
    };
    let listeners: Vec<_> = (0..LISTENERS).map(listener).collect();
    for version in 1..=VERSIONS {
        tx.send(version).unwrap();
        audience.all.notified().await;
    }
    join_all(listeners).await;
    VERSIONS
}
