//! AMX: tiles of sixteen rows of 64 bytes, multiplied by one instruction. Inline assembly, since the compiler's
//! intrinsics are not stable.

#[cfg(all(test, target_os = "linux"))]
pub(crate) mod emulator;
#[cfg(all(test, target_os = "linux"))]
mod tests;

use std::arch::asm;
use std::arch::x86_64::{__cpuid, __cpuid_count, _xgetbv};
use std::sync::OnceLock;

use crate::activations::{AMX_ROWS, GROUP};
use crate::tile::PANEL;

/// Whether the processor has tiles of `bf16` and of bytes, and the kernel lets this process use them. It is asked once.
pub(crate) fn is_granted() -> bool {
    static GRANTED: OnceLock<bool> = OnceLock::new();
    *GRANTED.get_or_init(|| exists() && ask())
}

/// `amx-bf16`, `amx-tile` and `amx-int8`, with their state kept by the system.
fn exists() -> bool {
    const FEATURES: u32 = 1 << 22 | 1 << 24 | 1 << 25;
    const OS_SAVES: u32 = 1 << 27;
    const TILE_STATE: u64 = 1 << 17 | 1 << 18;
    if __cpuid(0).eax < 7 || __cpuid(1).ecx & OS_SAVES == 0 {
        return false;
    }
    // SAFETY: the bit above says that the instruction is there.
    let saved = unsafe { saved_state() };
    __cpuid_count(7, 0).edx & FEATURES == FEATURES && saved & TILE_STATE == TILE_STATE
}

#[target_feature(enable = "xsave")]
fn saved_state() -> u64 {
    // SAFETY: register 0 exists wherever the instruction does.
    unsafe { _xgetbv(0) }
}

/// Linux keeps the large state of tiles only for processes that asked for it.
#[cfg(target_os = "linux")]
fn ask() -> bool {
    const ARCH_PRCTL: i64 = 158;
    const ARCH_REQ_XCOMP_PERM: i64 = 0x1023;
    const TILE_DATA: i64 = 18;
    let result: i64;
    // SAFETY: the call reads no memory of ours; the kernel clobbers rcx and r11 alone.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") ARCH_PRCTL => result,
            in("rdi") ARCH_REQ_XCOMP_PERM,
            in("rsi") TILE_DATA,
            lateout("rcx") _,
            lateout("r11") _,
            options(nostack),
        );
    }
    result == 0
}

#[cfg(not(target_os = "linux"))]
fn ask() -> bool {
    false
}

/// Inputs of a tile of `bf16`, and rows and columns of a tile of sums.
const INPUTS: usize = GROUP;
const ROWS: usize = AMX_ROWS;
/// Elements of `bf16` of a tile of the right side: 16 pairs of inputs for 16 columns.
const RIGHT: usize = INPUTS * PANEL;

/// Rows times two panels, as [`crate::tile_bf16::Bf16Job`], but whole tiles of the left side.
pub(crate) struct AmxJob<'a> {
    /// `bf16`, row-major; a row begins every `left_stride` elements.
    pub(crate) left: &'a [u16],
    pub(crate) left_stride: usize,
    /// Inputs that count; what the rows hold beyond them, up to a multiple of [`INPUTS`], is zero.
    pub(crate) k: usize,
    /// `[k / 2, PANEL, 2]` each, an odd `k` rounded up. Equal lengths; the second may be empty.
    pub(crate) panels: [&'a [u16]; 2],
    /// `[row, 2 * PANEL]`.
    pub(crate) sums: &'a mut [f32],
    /// Whether the sums start at zero.
    pub(crate) fresh: bool,
}

/// Which tiles there are: sums 0 to 3 (upper rows by the two panels, then lower rows), left sides 4 and 5, right sides
/// 6 and 7.
#[repr(C, align(64))]
struct Config {
    palette: u8,
    start_row: u8,
    reserved: [u8; 14],
    row_bytes: [u16; 16],
    rows: [u8; 16],
}

/// The tiles of this thread, ready for products of some number of rows.
pub(crate) struct Tiles {
    rows: usize,
    /// The tiles are the thread's own.
    thread: std::marker::PhantomData<*const ()>,
}

impl Tiles {
    /// Tiles of `rows` rows, at most [`ROWS`].
    ///
    /// # Safety
    /// The processor has the tiles and the process may use them, or a handler stands in for them. There is no other
    /// `Tiles` on this thread.
    pub(crate) unsafe fn new(rows: usize) -> Self {
        assert!((1..=ROWS).contains(&rows), "tiles of {rows} rows");
        let mut config = Config {
            palette: 1,
            start_row: 0,
            reserved: [0; 14],
            row_bytes: [0; 16],
            rows: [0; 16],
        };
        config.row_bytes[..8].fill(64);
        config.rows[..6].fill(rows as u8);
        config.rows[6..8].fill(16);
        // SAFETY: by the contract; the configuration is 64 bytes of a valid form.
        unsafe { asm!("ldtilecfg [{}]", in(reg) &raw const config, options(nostack, readonly)) };
        Self {
            rows,
            thread: std::marker::PhantomData,
        }
    }

    /// `sums [m, 2 * PANEL] += left · panels`, for a multiple of the rows of a tile.
    ///
    /// The instruction sums the even and the odd inputs of a tile apart, adds the two, and adds that to the sum so far.
    /// So an element depends on its row, its column and where the tiles of [`INPUTS`] inputs begin, and on nothing else.
    ///
    /// # Panics
    /// When the slices do not fit, or `m` is no multiple.
    pub(crate) fn product(&self, m: usize, job: AmxJob<'_>) {
        let width = job.k.next_multiple_of(INPUTS);
        let length = job.k.next_multiple_of(2) * PANEL;
        let [first, second] = job.panels;
        assert!(
            m > 0
                && m.is_multiple_of(self.rows)
                && first.len() == length
                && (second.is_empty() || second.len() == length)
                && job
                    .left_stride
                    .checked_mul(m - 1)
                    .is_some_and(|start| start + width <= job.left.len())
                && m * 2 * PANEL <= job.sums.len(),
            "amx: {m} rows of {width} inputs and panels of {length} elements expected"
        );
        // A panel that ends within a tile is continued by zeros.
        let whole = job.k / INPUTS;
        let has_rest = whole * INPUTS < job.k;
        let mut rests = [[0u16; RIGHT]; 2];
        if has_rest {
            for (rest, panel) in rests.iter_mut().zip(job.panels) {
                let left_over = panel.get(whole * RIGHT..).unwrap_or_default();
                rest[..left_over.len()].copy_from_slice(left_over);
            }
        }
        for start in (0..m).step_by(2 * self.rows) {
            let block = Block {
                left: job.left[start * job.left_stride..].as_ptr(),
                left_bytes: 2 * job.left_stride,
                rows: self.rows,
                panels: job.panels.map(<[u16]>::as_ptr),
                rests: rests.each_ref().map(|rest| rest.as_ptr()),
                tiles: whole,
                has_rest,
                sums: job.sums[start * 2 * PANEL..].as_mut_ptr(),
                fresh: job.fresh,
            };
            // SAFETY: the lengths were checked: the rows of one tile or two on both sides, whole tiles of both panels
            // (of the first alone where the second is empty), and a rest of a whole tile.
            unsafe {
                match (start + self.rows < m, !second.is_empty()) {
                    (true, true) => block.run::<true, true>(),
                    (true, false) => block.run::<true, false>(),
                    (false, true) => block.run::<false, true>(),
                    (false, false) => block.run::<false, false>(),
                }
            }
        }
    }
}

impl Drop for Tiles {
    fn drop(&mut self) {
        // SAFETY: there are tiles, by the contract of `new`. Nothing is left in them, so that threads switch cheaply.
        unsafe { asm!("tilerelease", options(nostack, nomem)) };
    }
}

/// The rows of one tile or two by one panel or two, all in tiles.
struct Block {
    left: *const u16,
    left_bytes: usize,
    /// Of a tile.
    rows: usize,
    panels: [*const u16; 2],
    rests: [*const u16; 2],
    /// Whole tiles of inputs.
    tiles: usize,
    has_rest: bool,
    sums: *mut f32,
    fresh: bool,
}

/// Bytes from a row of sums to the next.
const SUM_BYTES: usize = 2 * PANEL * 4;
/// Bytes from a row of a right tile to the next.
const RIGHT_BYTES: usize = 64;

impl Block {
    /// # Safety
    /// The tiles are configured for `rows`, and there are twice as many rows where `LOWER`; all pointers reach as far as
    /// the configuration and the counts say, the second panel's where `TWO`.
    unsafe fn run<const LOWER: bool, const TWO: bool>(&self) {
        let sums = self.sums;
        let lower_sums = sums.wrapping_add(self.rows * 2 * PANEL);
        // SAFETY: by the contract above; a tile reads and writes only the rows that it is configured for.
        unsafe {
            if self.fresh {
                asm!(
                    "tilezero tmm0",
                    "tilezero tmm1",
                    "tilezero tmm2",
                    "tilezero tmm3",
                    options(nostack, nomem)
                );
            } else {
                asm!("tileloadd tmm0, [{c} + {s}]", c = in(reg) sums, s = in(reg) SUM_BYTES, options(nostack, readonly));
                if TWO {
                    asm!("tileloadd tmm1, [{c} + {s}]", c = in(reg) sums.wrapping_add(PANEL), s = in(reg) SUM_BYTES, options(nostack, readonly));
                }
                if LOWER {
                    asm!("tileloadd tmm2, [{c} + {s}]", c = in(reg) lower_sums, s = in(reg) SUM_BYTES, options(nostack, readonly));
                }
                if LOWER && TWO {
                    asm!("tileloadd tmm3, [{c} + {s}]", c = in(reg) lower_sums.wrapping_add(PANEL), s = in(reg) SUM_BYTES, options(nostack, readonly));
                }
            }
            for tile in 0..self.tiles {
                let panels = self.panels.map(|panel| panel.wrapping_add(tile * RIGHT));
                self.step::<LOWER, TWO>(tile, panels);
            }
            if self.has_rest {
                self.step::<LOWER, TWO>(self.tiles, self.rests);
            }
            asm!("tilestored [{c} + {s}], tmm0", c = in(reg) sums, s = in(reg) SUM_BYTES, options(nostack));
            if TWO {
                asm!("tilestored [{c} + {s}], tmm1", c = in(reg) sums.wrapping_add(PANEL), s = in(reg) SUM_BYTES, options(nostack));
            }
            if LOWER {
                asm!("tilestored [{c} + {s}], tmm2", c = in(reg) lower_sums, s = in(reg) SUM_BYTES, options(nostack));
            }
            if LOWER && TWO {
                asm!("tilestored [{c} + {s}], tmm3", c = in(reg) lower_sums.wrapping_add(PANEL), s = in(reg) SUM_BYTES, options(nostack));
            }
        }
    }

    /// One tile of inputs: up to four products.
    ///
    /// # Safety
    /// As [`Self::run`].
    #[inline(always)]
    unsafe fn step<const LOWER: bool, const TWO: bool>(&self, tile: usize, panels: [*const u16; 2]) {
        let left = self.left.wrapping_add(tile * INPUTS);
        let lower = left.cast::<u8>().wrapping_add(self.rows * self.left_bytes);
        // SAFETY: by the contract of `run`.
        unsafe {
            match (LOWER, TWO) {
                (true, true) => asm!(
                    "tileloadd tmm6, [{first} + {rs}]",
                    "tileloadd tmm4, [{left} + {ls}]",
                    "tdpbf16ps tmm0, tmm4, tmm6",
                    "tileloadd tmm7, [{second} + {rs}]",
                    "tdpbf16ps tmm1, tmm4, tmm7",
                    "tileloadd tmm5, [{lower} + {ls}]",
                    "tdpbf16ps tmm2, tmm5, tmm6",
                    "tdpbf16ps tmm3, tmm5, tmm7",
                    first = in(reg) panels[0], second = in(reg) panels[1], rs = in(reg) RIGHT_BYTES,
                    left = in(reg) left, lower = in(reg) lower, ls = in(reg) self.left_bytes,
                    options(nostack, readonly),
                ),
                (true, false) => asm!(
                    "tileloadd tmm6, [{first} + {rs}]",
                    "tileloadd tmm4, [{left} + {ls}]",
                    "tdpbf16ps tmm0, tmm4, tmm6",
                    "tileloadd tmm5, [{lower} + {ls}]",
                    "tdpbf16ps tmm2, tmm5, tmm6",
                    first = in(reg) panels[0], rs = in(reg) RIGHT_BYTES,
                    left = in(reg) left, lower = in(reg) lower, ls = in(reg) self.left_bytes,
                    options(nostack, readonly),
                ),
                (false, true) => asm!(
                    "tileloadd tmm6, [{first} + {rs}]",
                    "tileloadd tmm4, [{left} + {ls}]",
                    "tdpbf16ps tmm0, tmm4, tmm6",
                    "tileloadd tmm7, [{second} + {rs}]",
                    "tdpbf16ps tmm1, tmm4, tmm7",
                    first = in(reg) panels[0], second = in(reg) panels[1], rs = in(reg) RIGHT_BYTES,
                    left = in(reg) left, ls = in(reg) self.left_bytes,
                    options(nostack, readonly),
                ),
                (false, false) => asm!(
                    "tileloadd tmm6, [{first} + {rs}]",
                    "tileloadd tmm4, [{left} + {ls}]",
                    "tdpbf16ps tmm0, tmm4, tmm6",
                    first = in(reg) panels[0], rs = in(reg) RIGHT_BYTES,
                    left = in(reg) left, ls = in(reg) self.left_bytes,
                    options(nostack, readonly),
                ),
            }
        }
    }
}
