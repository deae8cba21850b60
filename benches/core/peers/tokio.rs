// The questions of benches/core, asked of Tokio: tasks and bounded channels of 1,024 (of 1 where one message is under way). On one core its
// runtime of the current thread, on two that of two workers; there is no idle task's size, as none of it is to be had without its allocator.
// usage: tokio-peer [FIGURE...]. SPDX-License-Identifier: MIT
use std::future::Future;
use std::pin::Pin;
use std::time::Instant;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc::{channel, Receiver, Sender};
use tokio::task::{spawn, yield_now};

const N: usize = 400000;
const FAN: usize = 100;

fn since(start: Instant, operations: usize) -> f64 {
    start.elapsed().as_nanos() as f64 / operations as f64
}

async fn yields() -> f64 {
    let start = Instant::now();
    let both: Vec<_> = (0..2)
        .map(|_| {
            spawn(async {
                for _ in 0..N / 2 {
                    yield_now().await;
                }
            })
        })
        .collect();
    for one in both {
        one.await.unwrap();
    }
    since(start, N)
}

async fn hop(mut from: Receiver<usize>, to: Sender<usize>, done: Sender<()>) {
    while let Some(left) = from.recv().await {
        if left == 0 {
            done.send(()).await.unwrap();
            return;
        }
        if to.send(left - 1).await.is_err() {
            return;
        }
    }
}

async fn ring_of(count: usize) -> f64 {
    let (done, mut is_done) = channel(1);
    let (first, last) = channel(1);
    let mut to = first.clone();
    let mut all = Vec::new();
    for _ in 1..count {
        let (before, here) = channel(1);
        all.push(spawn(hop(here, to, done.clone())));
        to = before;
    }
    all.push(spawn(hop(last, to, done)));
    let start = Instant::now();
    first.send(N).await.unwrap();
    is_done.recv().await;
    let ns = since(start, N);
    for one in all {
        one.abort();
    }
    ns
}

async fn swallow(mut from: Receiver<usize>, count: usize) {
    for _ in 0..count {
        from.recv().await;
    }
}

async fn produce(to: Sender<usize>, count: usize) {
    for _ in 0..count {
        to.send(1).await.unwrap();
    }
}

async fn pipeline() -> f64 {
    let (a, mut from_a) = channel(1024);
    let (b, from_b) = channel(1024);
    let start = Instant::now();
    let sink = spawn(swallow(from_b, N));
    spawn(async move {
        while let Some(item) = from_a.recv().await {
            b.send(item).await.unwrap();
        }
    });
    spawn(produce(a, N));
    sink.await.unwrap();
    since(start, N)
}

async fn fan_in() -> f64 {
    let (to, from) = channel(1024);
    let start = Instant::now();
    let sink = spawn(swallow(from, N));
    for _ in 0..FAN {
        spawn(produce(to.clone(), N / FAN));
    }
    sink.await.unwrap();
    since(start, N)
}

async fn fan_out() -> f64 {
    let start = Instant::now();
    let (outs, sinks): (Vec<_>, Vec<_>) = (0..FAN)
        .map(|_| {
            let (to, from) = channel(1024);
            (to, spawn(swallow(from, N / FAN)))
        })
        .unzip();
    spawn(async move {
        for _ in 0..N / FAN {
            for to in &outs {
                to.send(1).await.unwrap();
            }
        }
    });
    for sink in sinks {
        sink.await.unwrap();
    }
    since(start, N)
}

async fn lives() -> f64 {
    let start = Instant::now();
    for _ in 0..N {
        spawn(async {}).await.unwrap();
    }
    since(start, N)
}

// Each asks its ten children by their handles, as one does here: channels of ten would be blocks of 32 places.
fn node(number: u64, size: u64) -> Pin<Box<dyn Future<Output = u64> + Send>> {
    Box::pin(async move {
        if size == 1 {
            return number;
        }
        let children: Vec<_> = (0..10).map(|i| spawn(node(number + i * size / 10, size / 10))).collect();
        let mut sum = 0;
        for child in children {
            sum += child.await.unwrap();
        }
        sum
    })
}

// in milliseconds
async fn skynet() -> f64 {
    let start = Instant::now();
    assert_eq!(spawn(node(0, 1000000)).await.unwrap(), 499999500000);
    since(start, 1000000)
}

// What is measured runs as a task among the others.
fn measure(runtime: &Runtime, figure: &str) -> f64 {
    runtime.block_on(async {
        match figure {
            "switch" => spawn(yields()),
            "ping-pong" | "pair-2" => spawn(ring_of(2)),
            "ring" => spawn(ring_of(503)),
            "pipeline" | "pipeline-2" => spawn(pipeline()),
            "fan-in" | "fan-in-2" => spawn(fan_in()),
            "fan-out" => spawn(fan_out()),
            "make" => spawn(lives()),
            _ => spawn(skynet()),
        }
        .await
        .unwrap()
    })
}

fn main() {
    let one = Builder::new_current_thread().build().unwrap();
    let two = Builder::new_multi_thread().worker_threads(2).build().unwrap();
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    for figure in [
        "switch", "ping-pong", "ring", "pipeline", "fan-in", "fan-out", "make", "skynet", "pipeline-2", "fan-in-2", "pair-2",
    ] {
        if !wanted.is_empty() && !wanted.iter().any(|name| name == figure) {
            continue;
        }
        let runtime = if figure.ends_with("-2") { &two } else { &one };
        let mut values: Vec<f64> = (0..if figure == "skynet" { 1 } else { 5 }).map(|_| measure(runtime, figure)).collect();
        values.sort_by(|a, b| a.partial_cmp(b).unwrap());
        println!("{}\t{:.2}", figure, values[values.len() / 2]);
    }
}
