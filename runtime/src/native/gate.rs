//! A barrier that threads usually pass without sleeping.

use std::hint::spin_loop;
use std::panic::panic_any;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};

/// How often a thread looks whether the others have come before it sleeps. Each look takes tens of
/// nanoseconds: together as long as sleeping and being woken, so that a thread which waits for one
/// that is not running wastes no more than that.
const PATIENCE: usize = 1 << 10;

/// Where threads wait for each other.
#[derive(Debug)]
pub(super) struct Gate {
    members: usize,
    /// How many have come since it opened last.
    come: AtomicUsize,
    /// How often it has opened.
    opened: AtomicUsize,
    /// Whether a thread that others wait for has panicked.
    broken: AtomicBool,
    sleepers: Mutex<()>,
    wake: Condvar,
}

/// What a thread panics with because another one, for which it waits, has panicked.
#[derive(Debug)]
pub(super) struct Abandoned;

/// Breaks a gate if the thread panics before this is dropped, so that nobody waits for it for ever.
#[derive(Debug)]
pub(super) struct Watch<'g>(pub(super) &'g Gate);

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let lock = self.0.sleepers.lock().unwrap_or_else(PoisonError::into_inner);
            self.0.broken.store(true, Ordering::Release);
            drop(lock);
            self.0.wake.notify_all();
        }
    }
}

impl Gate {
    /// A gate that opens when so many threads wait at it.
    pub(super) fn new(members: usize) -> Self {
        Self {
            members,
            come: AtomicUsize::new(0),
            opened: AtomicUsize::new(0),
            broken: AtomicBool::new(false),
            sleepers: Mutex::new(()),
            wake: Condvar::new(),
        }
    }

    /// The number of threads that it waits for.
    pub(super) fn members(&self) -> usize {
        self.members
    }

    /// Waits until all are here. What each did before is then seen by all.
    ///
    /// # Panics
    /// If another thread has.
    pub(super) fn wait(&self) {
        if self.members == 1 {
            return;
        }
        let opened = self.opened.load(Ordering::Acquire);
        if self.come.fetch_add(1, Ordering::AcqRel) + 1 == self.members {
            self.come.store(0, Ordering::Relaxed);
            // Under the lock, so that nobody falls asleep between looking and being woken.
            let lock = self.sleepers.lock().unwrap_or_else(PoisonError::into_inner);
            self.opened.store(opened.wrapping_add(1), Ordering::Release);
            drop(lock);
            self.wake.notify_all();
            return;
        }
        let is_open = || {
            let broken = self.broken.load(Ordering::Acquire);
            if broken {
                panic_any(Abandoned);
            }
            self.opened.load(Ordering::Acquire) != opened
        };
        for _ in 0..PATIENCE {
            if is_open() {
                return;
            }
            spin_loop();
        }
        let mut lock = self.sleepers.lock().unwrap_or_else(PoisonError::into_inner);
        while !is_open() {
            lock = self.wake.wait(lock).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_passes_before_all_have_come() {
        let (gate, come) = (Gate::new(4), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for round in 1..=200 {
                        come.fetch_add(1, Ordering::Relaxed);
                        gate.wait();
                        assert_eq!(come.load(Ordering::Relaxed), 4 * round);
                        gate.wait();
                    }
                });
            }
        });
    }

    #[test]
    fn a_panic_keeps_nobody_waiting() {
        let gate = Gate::new(3);
        let panicked = std::thread::scope(|scope| {
            let wait = || {
                let _watch = Watch(&gate);
                gate.wait();
            };
            let fail = || {
                let _watch = Watch(&gate);
                panic!("on purpose");
            };
            let threads = [scope.spawn(wait), scope.spawn(wait), scope.spawn(fail)];
            threads.map(|thread| thread.join().is_err())
        });
        assert_eq!(panicked, [true; 3]);
    }
}
