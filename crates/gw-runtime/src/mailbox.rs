//! A bounded mailbox between many workers and one background task, emptied in batches.
//!
//! Each sender has a queue of its own, so that workers do not meet. A push does not wake the receiver, which looks
//! every [`LOOK_EVERY`] and earlier only if a queue is half full.

use std::fmt;
use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::timeout;

/// How often the receiver looks for new items: the longest that one waits while nothing is in a hurry.
pub const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Memory for fewer items is not given back.
const ITEMS_KEPT: usize = 64;

/// There was no room; the item was dropped and counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Full;

impl fmt::Display for Full {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the mailbox is full")
    }
}

impl std::error::Error for Full {}

/// Puts items into the mailbox. A clone has a queue of its own, of the same capacity: give each worker one.
pub struct Sender<T> {
    queue: Arc<Queue<T>>,
    shared: Arc<Shared<T>>,
}

/// Takes items out of the mailbox.
pub struct Receiver<T> {
    shared: Arc<Shared<T>>,
    /// What was handed out last. It changes places with a queue's items, so that the queue is locked for no longer than
    /// that, and no item is moved.
    batch: Vec<T>,
    /// The queue that is looked at next: each has its turn.
    turn: usize,
}

struct Shared<T> {
    queues: Mutex<Vec<Arc<Queue<T>>>>,
    capacity: usize,
    refused: AtomicU64,
    wake: Notify,
}

struct Queue<T> {
    items: Mutex<Vec<T>>,
    /// Set when the sender is gone: nothing is added after that.
    closed: AtomicBool,
}

/// A mailbox whose senders can each have `capacity` items waiting. It takes memory for what waits, and gives it back.
pub fn mailbox<T>(capacity: usize) -> (Sender<T>, Receiver<T>) {
    let shared = Arc::new(Shared {
        queues: Mutex::new(Vec::new()),
        capacity: capacity.max(1),
        refused: AtomicU64::new(0),
        wake: Notify::new(),
    });
    (Sender::new(Arc::clone(&shared)), Receiver { shared, batch: Vec::new(), turn: 0 })
}

impl<T> Sender<T> {
    /// Puts an item into this sender's queue. Never waits; may be called from `Drop` and from any thread.
    pub fn push(&self, item: T) -> Result<(), Full> {
        let mut items = self.queue.items.lock();
        if items.len() >= self.shared.capacity {
            drop(items);
            self.shared.refused.fetch_add(1, Ordering::Relaxed);
            return Err(Full);
        }
        items.push(item);
        let half_full = items.len() == self.shared.capacity.div_ceil(2);
        drop(items);
        if half_full {
            self.shared.wake.notify_one();
        }
        Ok(())
    }

    /// How many items the whole mailbox has refused.
    pub fn refused(&self) -> u64 {
        self.shared.refused.load(Ordering::Relaxed)
    }

    fn new(shared: Arc<Shared<T>>) -> Self {
        let queue = Arc::new(Queue { items: Mutex::new(Vec::new()), closed: AtomicBool::new(false) });
        shared.queues.lock().push(Arc::clone(&queue));
        Self { queue, shared }
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        Self::new(Arc::clone(&self.shared))
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        self.queue.closed.store(true, Ordering::Release);
        self.shared.wake.notify_one();
    }
}

impl<T> Receiver<T> {
    /// Waits for items and returns all that wait of one sender, in their order; `None` once every sender is gone and
    /// nothing is left. They are dropped by the next call. No item is lost if the future is dropped.
    pub async fn next_batch(&mut self) -> Option<&[T]> {
        self.empty();
        loop {
            let senders = self.collect();
            if !self.batch.is_empty() {
                return Some(&self.batch);
            }
            if senders == Senders::Gone {
                return None;
            }
            // The result does not matter: woken or not, it is time to look again.
            let _ = timeout(LOOK_EVERY, self.shared.wake.notified()).await;
        }
    }

    /// How many items the whole mailbox has refused.
    pub fn refused(&self) -> u64 {
        self.shared.refused.load(Ordering::Relaxed)
    }

    fn empty(&mut self) {
        let count = self.batch.len();
        self.batch.clear();
        // Where there is much to do the memory goes from queue to queue; after a burst it goes.
        if self.batch.capacity() > 4 * count.max(ITEMS_KEPT) {
            self.batch.shrink_to(count);
        }
    }

    /// Takes what is in the next queue that has something, and forgets the queues whose sender is gone.
    fn collect(&mut self) -> Senders {
        let mut queues = self.shared.queues.lock();
        for _ in 0..queues.len() {
            self.turn %= queues.len();
            let queue = &queues[self.turn];
            // Read before the items are: an item pushed before the close is among them.
            let closed = queue.closed.load(Ordering::Acquire);
            mem::swap(&mut *queue.items.lock(), &mut self.batch);
            if closed {
                queues.remove(self.turn);
            } else {
                self.turn += 1;
            }
            if !self.batch.is_empty() {
                return Senders::Left;
            }
        }
        if queues.is_empty() { Senders::Gone } else { Senders::Left }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Senders {
    Left,
    Gone,
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn items_come_in_batches_of_one_sender_each_in_its_turn() {
        let (first, mut receiver) = mailbox(100);
        let second = first.clone();
        (0..3).for_each(|item| first.push(item).unwrap());
        second.push(10).unwrap();
        assert_eq!(receiver.next_batch().await, Some(&[0, 1, 2][..]));
        first.push(3).unwrap();
        assert_eq!(receiver.next_batch().await, Some(&[10][..]), "who had its turn waits for the others");
        assert_eq!(receiver.next_batch().await, Some(&[3][..]));
    }

    #[tokio::test]
    async fn a_full_mailbox_refuses_counts_and_takes_again_once_emptied() {
        let (sender, mut receiver) = mailbox(2);
        let results: Vec<_> = (0..4).map(|item| sender.push(item)).collect();
        assert_eq!(results, [Ok(()), Ok(()), Err(Full), Err(Full)]);
        assert_eq!((sender.refused(), receiver.refused()), (2, 2));
        assert_eq!(receiver.next_batch().await, Some(&[0, 1][..]));
        assert_eq!(sender.push(9), Ok(()));
    }

    #[tokio::test]
    async fn a_full_queue_of_one_worker_leaves_the_others_theirs() {
        let (first, _receiver) = mailbox(1);
        let second = first.clone();
        assert_eq!(first.push(1), Ok(()));
        assert_eq!(first.push(1), Err(Full));
        assert_eq!(second.push(2), Ok(()));
    }

    #[tokio::test]
    async fn what_was_sent_before_the_last_sender_left_still_arrives() {
        let (sender, mut receiver) = mailbox(10);
        let other = sender.clone();
        sender.push("first").unwrap();
        other.push("second").unwrap();
        drop((sender, other));
        assert_eq!(receiver.next_batch().await, Some(&["first"][..]));
        assert_eq!(receiver.next_batch().await, Some(&["second"][..]));
        assert_eq!(receiver.next_batch().await, None);
    }

    #[tokio::test(start_paused = true)]
    async fn one_item_waits_for_the_next_look_and_half_a_mailbox_does_not() {
        let (sender, mut receiver) = mailbox(4);
        let started = Instant::now();
        let (batch, ()) = tokio::join!(receiver.next_batch(), async { sender.push(1).unwrap() });
        assert_eq!((batch, started.elapsed()), (Some(&[1][..]), LOOK_EVERY));

        let started = Instant::now();
        let (batch, ()) = tokio::join!(receiver.next_batch(), async { (0..2).for_each(|n| sender.push(n).unwrap()) });
        assert_eq!((batch, started.elapsed()), (Some(&[0, 1][..]), Duration::ZERO));
    }

    #[tokio::test(start_paused = true)]
    async fn a_receiver_that_gives_up_waiting_loses_nothing() {
        let (sender, mut receiver) = mailbox(100);
        assert!(timeout(Duration::from_millis(10), receiver.next_batch()).await.is_err());
        sender.push(1).unwrap();
        assert_eq!(receiver.next_batch().await, Some(&[1][..]));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn every_item_is_either_received_once_or_refused() {
        const EACH: u64 = 20_000;
        let (sender, mut receiver) = mailbox(64);
        let threads: Vec<_> = (0..3)
            .map(|_| {
                let sender = sender.clone();
                std::thread::spawn(move || (0..EACH).filter(|item| sender.push(*item).is_ok()).sum::<u64>())
            })
            .collect();
        drop(sender);
        let (mut received, mut sum) = (0, 0);
        while let Some(batch) = receiver.next_batch().await {
            received += u64::try_from(batch.len()).unwrap();
            sum += batch.iter().sum::<u64>();
        }
        let accepted: u64 = threads.into_iter().map(|thread| thread.join().unwrap()).sum();
        assert_eq!(sum, accepted);
        assert_eq!(received + receiver.refused(), 3 * EACH);
    }
}
