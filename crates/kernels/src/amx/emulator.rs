//! The tile instructions on processors that lack them: a handler of the signal for illegal instructions decodes those
//! that this crate uses, carries them out on tiles of its own, one set for each thread, and steps over them. So tests
//! run the very instructions of the product.
//!
//! Semantics after Intel's manual: tiles of up to 16 rows of 64 bytes; sums of `bf16` products in `f32`, rounded to the
//! nearest, with numbers below the normal range as zero.

use std::cell::UnsafeCell;
use std::sync::Once;

/// The tiles of a thread.
struct State {
    configured: bool,
    rows: [usize; 8],
    row_bytes: [usize; 8],
    tiles: [[[u8; 64]; 16]; 8],
}

thread_local! {
    static STATE: UnsafeCell<State> = const {
        UnsafeCell::new(State {
            configured: false,
            rows: [0; 8],
            row_bytes: [0; 8],
            tiles: [[[0; 64]; 16]; 8],
        })
    };
}

/// An instruction of those that the product uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Instruction {
    Configure { from: usize },
    Release,
    Zero { tile: usize },
    Load { tile: usize, from: usize, stride: usize },
    Store { tile: usize, to: usize, stride: usize },
    MultiplyBf16 { sums: usize, left: usize, right: usize },
}

/// From now on the process has tiles, of the processor or of this file.
pub(crate) fn install() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        if super::is_granted() {
            return;
        }
        // SAFETY: the structure is plain data, and the handler has the form that the flags announce.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = on_illegal as *const () as usize;
            action.sa_flags = libc::SA_SIGINFO;
            assert_eq!(
                libc::sigaction(libc::SIGILL, &raw const action, std::ptr::null_mut()),
                0
            );
        }
    });
}

extern "C" fn on_illegal(_signal: libc::c_int, _info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    /// The order in which instructions number the registers.
    const ORDER: [libc::c_int; 16] = [
        libc::REG_RAX,
        libc::REG_RCX,
        libc::REG_RDX,
        libc::REG_RBX,
        libc::REG_RSP,
        libc::REG_RBP,
        libc::REG_RSI,
        libc::REG_RDI,
        libc::REG_R8,
        libc::REG_R9,
        libc::REG_R10,
        libc::REG_R11,
        libc::REG_R12,
        libc::REG_R13,
        libc::REG_R14,
        libc::REG_R15,
    ];
    // SAFETY: the system hands over the context of the thread that was stopped, whose instruction pointer is at code of
    // at least the longest instruction's length before the end of its page, as compiled functions are padded.
    let (registers, code) = unsafe {
        let registers = &mut (*context.cast::<libc::ucontext_t>()).uc_mcontext.gregs;
        let code: [u8; 11] = std::ptr::read_unaligned(registers[libc::REG_RIP as usize] as *const [u8; 11]);
        (registers, code)
    };
    let values = ORDER.map(|register| registers[register as usize] as usize);
    match decode(&code, &values) {
        Some((instruction, length)) => {
            // SAFETY: the instruction is one of ours, so that its addresses are what the product vouches for.
            STATE.with(|state| unsafe { (*state.get()).execute(instruction) });
            registers[libc::REG_RIP as usize] += length as i64;
        }
        // SAFETY: without the handler the instruction ends the process, as it should.
        None => unsafe {
            libc::signal(libc::SIGILL, libc::SIG_DFL);
        },
    }
}

/// The instruction at the start of `code`, and its length.
fn decode(code: &[u8; 11], registers: &[usize; 16]) -> Option<(Instruction, usize)> {
    let &[0xc4, first, second, opcode, form, ..] = code else {
        return None;
    };
    // The second opcode map, 128 bits, W = 0.
    if first & 0x1f != 2 || second & 0x84 != 0 {
        return None;
    }
    let extended = |bit: u8| if first & bit == 0 { 8 } else { 0 };
    let prefix = ["", "66", "f3", "f2"][usize::from(second & 3)];
    let other = usize::from(!second >> 3 & 15);
    let (mode, middle, last) = (form >> 6, usize::from(form >> 3 & 7), usize::from(form & 7));
    if mode == 3 {
        let instruction = match (opcode, prefix) {
            (0x49, "") if middle == 0 && last == 0 => Instruction::Release,
            (0x49, "f2") if last == 0 => Instruction::Zero { tile: middle },
            (0x5c, "f3") => Instruction::MultiplyBf16 {
                sums: middle,
                left: last,
                right: other,
            },
            _ => return None,
        };
        return Some((instruction, 5));
    }
    // Base, index times a power of two, displacement.
    let (mut length, mut base, mut index) = (5, last, None);
    if last == 4 {
        let scaled = code[5];
        length = 6;
        base = usize::from(scaled & 7);
        let register = usize::from(scaled >> 3 & 7) + extended(0x40);
        index = (register != 4).then(|| registers[register] << (scaled >> 6));
    }
    if mode == 0 && base == 5 {
        return None;
    }
    let displacement = match mode {
        0 => 0,
        1 => {
            length += 1;
            isize::from(code[length - 1].cast_signed())
        }
        _ => {
            length += 4;
            i32::from_le_bytes(code[length - 4..length].try_into().ok()?) as isize
        }
    };
    let address = registers[base + extended(0x20)].wrapping_add_signed(displacement);
    let instruction = match (opcode, prefix, index) {
        (0x49, "", index) if middle == 0 => Instruction::Configure {
            from: address.wrapping_add(index.unwrap_or(0)),
        },
        (0x4b, "f2", Some(stride)) => Instruction::Load {
            tile: middle,
            from: address,
            stride,
        },
        (0x4b, "f3", Some(stride)) => Instruction::Store {
            tile: middle,
            to: address,
            stride,
        },
        _ => return None,
    };
    Some((instruction, length))
}

impl State {
    /// # Safety
    /// The addresses reach as far as the configuration says.
    unsafe fn execute(&mut self, instruction: Instruction) {
        if !matches!(instruction, Instruction::Configure { .. } | Instruction::Release) {
            assert!(self.configured, "{instruction:?} before a configuration");
        }
        match instruction {
            Instruction::Configure { from } => {
                // SAFETY: by the contract.
                let bytes: [u8; 64] = unsafe { std::ptr::read_unaligned(from as *const [u8; 64]) };
                self.configure(&bytes);
            }
            Instruction::Release => self.configured = false,
            Instruction::Zero { tile } => self.tiles[tile] = [[0; 64]; 16],
            Instruction::Load { tile, from, stride } => {
                self.tiles[tile] = [[0; 64]; 16];
                for (row, to) in self.tiles[tile][..self.rows[tile]].iter_mut().enumerate() {
                    let from = from.wrapping_add(row.wrapping_mul(stride)) as *const u8;
                    // SAFETY: by the contract.
                    unsafe { std::ptr::copy_nonoverlapping(from, to.as_mut_ptr(), self.row_bytes[tile]) };
                }
            }
            Instruction::Store { tile, to, stride } => {
                for (row, from) in self.tiles[tile][..self.rows[tile]].iter().enumerate() {
                    let to = to.wrapping_add(row.wrapping_mul(stride)) as *mut u8;
                    // SAFETY: by the contract.
                    unsafe { std::ptr::copy_nonoverlapping(from.as_ptr(), to, self.row_bytes[tile]) };
                }
            }
            Instruction::MultiplyBf16 { sums, left, right } => self.multiply_bf16(sums, left, right),
        }
    }

    fn configure(&mut self, bytes: &[u8; 64]) {
        assert!(
            bytes[0] == 1 && bytes[1..16].iter().all(|&byte| byte == 0),
            "palette 1 from row 0 expected"
        );
        self.tiles = [[[0; 64]; 16]; 8];
        self.configured = true;
        for tile in 0..8 {
            self.row_bytes[tile] =
                usize::from(u16::from_le_bytes([bytes[16 + 2 * tile], bytes[17 + 2 * tile]]));
            self.rows[tile] = usize::from(bytes[48 + tile]);
            assert!(
                self.rows[tile] <= 16 && self.row_bytes[tile] <= 64,
                "tile {tile} is too large"
            );
        }
    }

    fn multiply_bf16(&mut self, sums: usize, left: usize, right: usize) {
        let pairs = self.row_bytes[left] / 4;
        assert!(
            self.rows[sums] == self.rows[left]
                && self.row_bytes[sums] == self.row_bytes[right]
                && self.rows[right] == pairs
                && sums != left
                && left != right
                && sums != right,
            "tiles {sums}, {left} and {right} do not fit"
        );
        let flush = |x: f32| {
            if x.abs() < f32::MIN_POSITIVE {
                0f32.copysign(x)
            } else {
                x
            }
        };
        let bf16 = |row: &[u8; 64], i: usize| {
            flush(f32::from_bits(
                u32::from(row[2 * i]) << 16 | u32::from(row[2 * i + 1]) << 24,
            ))
        };
        for i in 0..self.rows[sums] {
            for j in 0..self.row_bytes[sums] / 4 {
                let (mut even, mut odd) = (0f32, 0f32);
                for pair in 0..pairs {
                    let (a, b) = (&self.tiles[left][i], &self.tiles[right][pair]);
                    even = flush(even + bf16(a, 2 * pair) * bf16(b, 2 * j));
                    odd = flush(odd + bf16(a, 2 * pair + 1) * bf16(b, 2 * j + 1));
                }
                let place = 4 * j..4 * j + 4;
                let sum = &mut self.tiles[sums][i][place];
                let before = f32::from_le_bytes([sum[0], sum[1], sum[2], sum[3]]);
                sum.copy_from_slice(&flush(flush(before) + flush(even + odd)).to_le_bytes());
            }
        }
    }
}

/// Encodings as an assembler gives them, and what they mean.
#[test]
fn instructions_are_decoded() {
    let mut registers = [0; 16];
    for (i, register) in registers.iter_mut().enumerate() {
        *register = 0x1000 * (i + 1);
    }
    let check = |bytes: &[u8], expect: Instruction| {
        let mut code = [0x90; 11];
        code[..bytes.len()].copy_from_slice(bytes);
        assert_eq!(
            decode(&code, &registers),
            Some((expect, bytes.len())),
            "{bytes:x?}"
        );
    };
    check(&[0xc4, 0xe2, 0x78, 0x49, 0xc0], Instruction::Release);
    // tilezero tmm3
    check(&[0xc4, 0xe2, 0x7b, 0x49, 0xd8], Instruction::Zero { tile: 3 });
    // ldtilecfg [rax]
    check(
        &[0xc4, 0xe2, 0x78, 0x49, 0x00],
        Instruction::Configure { from: 0x1000 },
    );
    // tileloadd tmm6, [rdi + rsi]
    check(
        &[0xc4, 0xe2, 0x7b, 0x4b, 0x34, 0x37],
        Instruction::Load {
            tile: 6,
            from: 0x8000,
            stride: 0x7000,
        },
    );
    // tilestored [r9 + r10*2 + 0x40], tmm1
    check(
        &[0xc4, 0x82, 0x7a, 0x4b, 0x4c, 0x51, 0x40],
        Instruction::Store {
            tile: 1,
            to: 0xa040,
            stride: 0x16000,
        },
    );
    // tdpbf16ps tmm2, tmm5, tmm6
    check(
        &[0xc4, 0xe2, 0x4a, 0x5c, 0xd5],
        Instruction::MultiplyBf16 {
            sums: 2,
            left: 5,
            right: 6,
        },
    );
    // vaddps is none of ours.
    assert_eq!(
        decode(&[0xc5, 0xec, 0x58, 0xc1, 0, 0, 0, 0, 0, 0, 0], &registers),
        None
    );
}
