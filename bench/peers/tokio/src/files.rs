// SPDX-License-Identifier: BSD-3-Clause
//! Files: each does the work of its namesake in ../../../files.c.

use std::io::SeekFrom;
use std::path::{Path, PathBuf};

use tokio::fs::{self, File, OpenOptions};
use tokio::io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt};

use super::join_all;

const FILE_BYTES: u64 = 256 << 20;
const BLOCK: u64 = 4096;
const DEPTH: u64 = 64;
const READS_EACH: u64 = 500;
const STEP: usize = 128 << 10;
const CREATES: u64 = 10_000;

fn folder() -> PathBuf {
    let root = std::env::var("BENCH_DIR").unwrap_or_else(|_| "/var/tmp".into());
    Path::new(&root).join(format!("tokio-peer-{}", std::process::id()))
}

fn big() -> PathBuf {
    folder().join("big")
}

/// Around a benchmark: the folder with the big file.
pub struct Files;

impl Files {
    pub fn new() -> Files {
        std::fs::create_dir(folder()).unwrap();
        std::fs::write(big(), vec![b'r'; FILE_BYTES as usize]).unwrap();
        std::fs::File::open(big()).unwrap().sync_all().unwrap();
        Files
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        std::fs::remove_dir_all(folder()).unwrap();
    }
}

async fn random_reader(n: u64) {
    let mut x = (n + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut buf = [0; BLOCK as usize];
    let mut file = File::open(big()).await.unwrap();
    for _ in 0..READS_EACH {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        let at = x % (FILE_BYTES / BLOCK) * BLOCK;
        file.seek(SeekFrom::Start(at)).await.unwrap();
        file.read_exact(&mut buf).await.unwrap();
    }
}

pub async fn rand4k() -> u64 {
    join_all((0..DEPTH).map(|n| tokio::spawn(random_reader(n)))).await;
    DEPTH * READS_EACH
}

pub async fn seq_read() -> u64 {
    let mut file = File::open(big()).await.unwrap();
    let mut buf = vec![0; STEP];
    for _ in 0..FILE_BYTES / STEP as u64 {
        file.read_exact(&mut buf).await.unwrap();
    }
    FILE_BYTES / STEP as u64
}

pub async fn seq_write() -> u64 {
    let mut file = OpenOptions::new().write(true).open(big()).await.unwrap();
    let buf = vec![b's'; STEP];
    for _ in 0..FILE_BYTES / STEP as u64 {
        file.write_all(&buf).await.unwrap();
    }
    file.flush().await.unwrap();
    FILE_BYTES / STEP as u64
}

pub async fn open_stat_close() -> u64 {
    let path = big();
    for _ in 0..READS_EACH {
        let file = File::open(&path).await.unwrap();
        file.metadata().await.unwrap();
    }
    READS_EACH
}

async fn create_some(first: u64) {
    let each = (first..CREATES).step_by(DEPTH as usize).map(|i| folder().join(format!("f{i}")));
    for path in each.clone() {
        fs::write(path, [b'x'; 100]).await.unwrap();
    }
    for path in each {
        fs::remove_file(path).await.unwrap();
    }
}

pub async fn create_10k() -> u64 {
    join_all((0..DEPTH).map(|n| tokio::spawn(create_some(n)))).await;
    CREATES
}
