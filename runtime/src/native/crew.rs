//! Threads that work beside the one that calls.
//!
//! A run of a small cell takes a few hundred microseconds, and to wake a thread takes a tenth of
//! that. So the threads stay, and look out for the next run awhile before they sleep. They belong to
//! the thread that calls: all runs that it makes one after the other, as those of the layers of a
//! model, share them, and runs on several threads have crews of their own.

use std::cell::RefCell;
use std::hint::spin_loop;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, RecvError, Sender, channel};
use std::thread;

use super::gate::Abandoned;

/// How often a thread looks for what it waits for before it sleeps: about 200 microseconds, which is
/// longer than what a training step does between its runs.
const PATIENCE: usize = 1 << 13;

type Task = Box<dyn FnOnce() + Send>;

thread_local! {
    /// Where the members of this thread's crew take their tasks from. They end when it does.
    static CREW: RefCell<Vec<Sender<Task>>> = const { RefCell::new(Vec::new()) };
}

/// Makes the crew of this thread as large as wanted, if the system has threads for it.
pub(super) fn hire(wanted: usize) -> bool {
    CREW.with_borrow_mut(|crew| {
        while crew.len() < wanted {
            let (sender, tasks) = channel::<Task>();
            let member = move || {
                while let Ok(task) = await_patiently(&tasks) {
                    task();
                }
            };
            if thread::Builder::new().name("cellc".to_owned()).spawn(member).is_err() {
                return false;
            }
            crew.push(sender);
        }
        true
    })
}

/// Does each job on a member of the crew, which must be large enough, and meanwhile `own` on this
/// thread. Gives the jobs back in their order, and a panic if there was one: rather of a thread that has
/// not been [`Abandoned`]. Whatever panics, all are done before this returns.
pub(super) fn together<J: Send + 'static>(
    jobs: impl IntoIterator<Item = J>,
    work: fn(&mut J),
    own: impl FnOnce(),
) -> (Vec<J>, thread::Result<()>) {
    let replies: Vec<_> = CREW.with_borrow(|crew| {
        let members = jobs.into_iter().enumerate();
        let replies = members.map(|(i, mut job)| {
            let (reply, replies) = channel();
            let task = move || {
                let result = catch_unwind(AssertUnwindSafe(|| work(&mut job)));
                // Somebody waits for it, whatever happens there.
                let _ = reply.send((job, result));
            };
            crew[i].send(Box::new(task)).expect("members stay as long as their crew");
            replies
        });
        replies.collect()
    });
    let own = catch_unwind(AssertUnwindSafe(own));
    let mut results = Vec::new();
    let jobs = replies.iter().map(|replies| {
        let (job, result) = await_patiently(replies).expect("a member replies to each task");
        results.push(result);
        job
    });
    let jobs = jobs.collect();
    results.push(own);
    // Who waits for one that has panicked panics too, and has less to say.
    let panics = results.into_iter().filter_map(Result::err);
    let panic = panics.min_by_key(|panic| panic.is::<Abandoned>());
    (jobs, panic.map_or(Ok(()), Err))
}

/// What a channel brings next.
fn await_patiently<M>(receiver: &Receiver<M>) -> Result<M, RecvError> {
    for _ in 0..PATIENCE {
        if let Ok(message) = receiver.try_recv() {
            return Ok(message);
        }
        spin_loop();
    }
    receiver.recv()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn jobs_come_back_in_order_after_all_are_done() {
        assert!(hire(3));
        for round in 0..100 {
            let mut own = 0;
            let jobs = [1_u64, 2, 3].map(|i| (i, round));
            let (jobs, result) = together(jobs, |(i, round)| *i += 10 * *round, || own = round);
            assert!(result.is_ok());
            assert_eq!(jobs, [1, 2, 3].map(|i| (i + 10 * round, round)));
            assert_eq!(own, round);
        }
    }

    #[test]
    fn a_panic_is_given_back_when_all_are_done() {
        assert!(hire(2));
        let work = |job: &mut i32| match *job {
            0 => panic!("on purpose"),
            _ => {
                thread::sleep(Duration::from_millis(20));
                *job = -1;
            }
        };
        let (jobs, result) = together([0, 1], work, || ());
        assert_eq!(jobs, [0, -1]);
        assert!(result.is_err());
        let (jobs, result) = together([1, 1], work, || panic!("on purpose"));
        assert_eq!(jobs, [-1, -1]);
        assert!(result.is_err());
        // The crew is as good as before.
        let (jobs, result) = together([1, 1], work, || ());
        assert_eq!(jobs, [-1, -1]);
        assert!(result.is_ok());
    }

    #[test]
    fn crews_of_several_threads_do_not_meet() {
        thread::scope(|scope| {
            for i in 0..3 {
                scope.spawn(move || {
                    assert!(hire(2));
                    for _ in 0..100 {
                        let (jobs, result) = together([i, i], |job| *job += 1, || ());
                        assert!(result.is_ok());
                        assert_eq!(jobs, [i + 1, i + 1]);
                    }
                });
            }
        });
    }
}
