//! AMX: tiles of sixteen rows of 64 bytes, multiplied by one instruction. Inline assembly, since the compiler's
//! intrinsics are not stable.

use std::arch::asm;
use std::arch::x86_64::{__cpuid, __cpuid_count, _xgetbv};
use std::sync::OnceLock;

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
