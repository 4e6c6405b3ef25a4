//! Foreign code that panics on what is no file of its format: that is an error of the file, not of the program.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::Once;
use std::sync::atomic::{AtomicUsize, Ordering};

thread_local! {
    /// Whether this thread works without a word about panics.
    static QUIET: Cell<bool> = const { Cell::new(false) };
}

/// How many work so: their work may be done by threads of a pool.
static AT_WORK: AtomicUsize = AtomicUsize::new(0);

/// What `work` gives; `None` where it panics, of which nothing is told. Panics of other work are told as ever.
pub(crate) fn without_panic<T>(work: impl FnOnce() -> T) -> Option<T> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let told = take_hook();
        set_hook(Box::new(move |info| {
            let of_pool = AT_WORK.load(Ordering::Relaxed) > 0 && rayon::current_thread_index().is_some();
            if !QUIET.get() && !of_pool {
                told(info);
            }
        }));
    });
    let before = QUIET.replace(true);
    AT_WORK.fetch_add(1, Ordering::Relaxed);
    let outcome = catch_unwind(AssertUnwindSafe(work)).ok();
    AT_WORK.fetch_sub(1, Ordering::Relaxed);
    QUIET.set(before);
    outcome
}

#[cfg(test)]
mod tests {
    use super::without_panic;

    #[test]
    fn a_panic_is_no_outcome() {
        assert_eq!(without_panic(|| 1), Some(1));
        assert_eq!(without_panic(|| without_panic(|| panic!("told to nobody"))), Some(None::<()>));
    }
}
