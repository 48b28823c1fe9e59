//! An allocator that knows how much is held: what a program has asked for and not given back.
//!
//! What the system says a process takes is more than that, as allocators keep what is given back to them. The two numbers
//! together tell what grows: the program's own structures, or what its allocator keeps.

use std::alloc::{GlobalAlloc, Layout};
use std::cell::Cell;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};

/// Sizes are told apart by their power of two; what is larger than the last one counts there.
const CLASSES: usize = 28;

/// Threads that count in one place wait for each other; with this many places they seldom do.
const SHARDS: usize = 64;

#[derive(Debug)]
#[repr(align(128))]
struct Shard {
    bytes: [AtomicI64; CLASSES],
    blocks: [AtomicI64; CLASSES],
}

static SHARD_TABLE: [Shard; SHARDS] = [const {
    Shard {
        bytes: [const { AtomicI64::new(0) }; CLASSES],
        blocks: [const { AtomicI64::new(0) }; CLASSES],
    }
}; SHARDS];

static NEXT: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    /// The thread's own place in the table. Neither lazy nor dropped, so that it may be looked at within an allocation.
    static MINE: Cell<usize> = const { Cell::new(usize::MAX) };
}

fn count(size: usize, sign: i64) {
    let mine = MINE.get();
    let mine = if mine == usize::MAX {
        let next = NEXT.fetch_add(1, Ordering::Relaxed) % SHARDS;
        MINE.set(next);
        next
    } else {
        mine
    };
    let class = class(size);
    SHARD_TABLE[mine].bytes[class].fetch_add(sign * size as i64, Ordering::Relaxed);
    SHARD_TABLE[mine].blocks[class].fetch_add(sign, Ordering::Relaxed);
}

/// The least power of two that is not below a size.
fn class(size: usize) -> usize {
    (size.max(1).next_power_of_two().trailing_zeros() as usize).min(CLASSES - 1)
}

/// An allocator around another one, to be the `#[global_allocator]`. All of a program count together.
#[derive(Debug, Clone, Copy, Default)]
pub struct Counted<A>(pub A);

/// What is held of blocks of similar sizes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    /// The largest block that counts here, in bytes; of the last one, any.
    pub up_to: usize,
    /// Bytes that were asked for and not given back.
    pub bytes: u64,
    /// Blocks that were asked for and not given back.
    pub blocks: u64,
}

/// What the program holds, by the size of blocks: up to 1 byte, 2, 4 and so on. All zeros where no [`Counted`] is the
/// allocator. Threads that allocate meanwhile may be seen half-way.
pub fn held() -> Vec<Held> {
    let sum = |of: &dyn Fn(&Shard) -> i64| {
        // A block may be given back by another thread than the one that asked for it, so a place may be below zero.
        let sum: i64 = SHARD_TABLE.iter().map(of).sum();
        u64::try_from(sum).unwrap_or(0)
    };
    (0..CLASSES)
        .map(|class| Held {
            up_to: 1 << class,
            bytes: sum(&|shard| shard.bytes[class].load(Ordering::Relaxed)),
            blocks: sum(&|shard| shard.blocks[class].load(Ordering::Relaxed)),
        })
        .collect()
}

// SAFETY: every call goes to the inner allocator as it came, which holds to the contract of `GlobalAlloc`; counting
// allocates nothing, so it does not come back here, and cannot unwind.
unsafe impl<A: GlobalAlloc> GlobalAlloc for Counted<A> {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller holds to what `alloc` asks of him, which is the same for the inner allocator.
        let block = unsafe { self.0.alloc(layout) };
        if !block.is_null() {
            count(layout.size(), 1);
        }
        block
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the block came from `alloc` above, which is the inner allocator's, with this layout.
        unsafe { self.0.dealloc(block, layout) };
        count(layout.size(), -1);
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as for `alloc`.
        let block = unsafe { self.0.alloc_zeroed(layout) };
        if !block.is_null() {
            count(layout.size(), 1);
        }
        block
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the block is the inner allocator's, with this layout, and the caller answers for the new size.
        let moved = unsafe { self.0.realloc(block, layout, size) };
        if !moved.is_null() {
            count(layout.size(), -1);
            count(size, 1);
        }
        moved
    }
}

#[cfg(test)]
mod tests {
    use std::alloc::System;

    use super::*;

    /// Not the allocator of this program, so that nothing but this test counts.
    #[test]
    fn what_is_held_is_what_was_asked_for_and_not_given_back() {
        let allocator = Counted(System);
        let of = |size: usize| {
            let held = held()[class(size)];
            (held.bytes, held.blocks)
        };
        let layout = |size| Layout::from_size_align(size, 8).unwrap();
        for (size, class) in [(0, 1), (1, 1), (2, 2), (3, 4), (4_096, 4_096), (4_097, 8_192)] {
            assert_eq!(held()[super::class(size)].up_to, class, "{size}");
        }
        assert_eq!(super::class(usize::MAX / 2), CLASSES - 1);
        // SAFETY: layouts are not empty, and each block is given back once, with the layout it has then.
        unsafe {
            let first = allocator.alloc(layout(100));
            let second = allocator.alloc_zeroed(layout(128));
            assert!(!first.is_null() && !second.is_null());
            assert_eq!((of(100), of(4_000)), ((228, 2), (0, 0)));
            let grown = allocator.realloc(first, layout(100), 3_000);
            assert!(!grown.is_null());
            assert_eq!((of(100), of(4_000)), ((128, 1), (3_000, 1)));
            let given = grown as usize;
            // Another thread gives it back, and counts in a place of its own.
            std::thread::spawn(move || allocator.dealloc(given as *mut u8, layout(3_000)))
                .join()
                .unwrap();
            assert_eq!((of(100), of(4_000)), ((128, 1), (0, 0)));
            allocator.dealloc(second, layout(128));
        }
        assert!(held().iter().all(|held| (held.bytes, held.blocks) == (0, 0)));
    }
}
