//! A part of a file as a slice, without a copy.

use std::fs::File;
use std::ops::Deref;

use memmap2::{Mmap, MmapOptions};

/// Bytes of a file, mapped into memory for as long as this lives: the system reads them when they are looked at, and
/// forgets them when the mapping goes.
///
/// Whoever writes to the file meanwhile changes the bytes, and whoever cuts it short ends the process (`SIGBUS`), so
/// map what nobody else writes to, and briefly.
#[derive(Debug)]
pub struct Mapping(Mmap);

impl Mapping {
    /// Maps `len` bytes from `start` on.
    ///
    /// # Errors
    /// The file is shorter than that, or what the system says.
    pub fn new(file: &File, start: u64, len: usize) -> std::io::Result<Self> {
        let length = file.metadata()?.len();
        if start.checked_add(len as u64).is_none_or(|end| end > length) {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        // SAFETY: the range lies inside the file, as was just seen. That nobody changes the file while it is mapped
        // cannot be seen from here: the documentation asks it of the caller, as every reader of mapped weights does.
        let mapping = unsafe { MmapOptions::new().offset(start).len(len).map(file)? };
        Ok(Self(mapping))
    }
}

impl Deref for Mapping {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn any_part_of_a_file_can_be_looked_at_and_nothing_beyond_it() {
        let mut file = tempfile::tempfile().unwrap();
        let bytes: Vec<u8> = (0..10_000u32).map(|i| (i % 251) as u8).collect();
        file.write_all(&bytes).unwrap();
        for (start, len) in [(0, 10_000), (1, 5_000), (4_097, 3), (9_999, 1), (0, 0)] {
            let mapping = Mapping::new(&file, start, len).unwrap();
            assert_eq!(&mapping[..], &bytes[start as usize..][..len]);
        }
        for (start, len) in [(0, 10_001), (9_999, 2), (u64::MAX, 2)] {
            let error = Mapping::new(&file, start, len).unwrap_err();
            assert_eq!(error.kind(), std::io::ErrorKind::UnexpectedEof);
        }
    }
}
