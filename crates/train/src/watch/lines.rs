//! A file of lines that grows, and may be written anew while we look.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

/// Bytes before the place where reading goes on that must be the same as last time.
const REMEMBERED: usize = 512;

/// A place in a file of lines.
#[derive(Debug)]
pub(super) struct Lines {
    path: PathBuf,
    /// Whole lines read so far, in bytes.
    offset: u64,
    /// The last bytes before `offset`. A resumed run takes lines away and writes others; by the time we look the file
    /// may be longer than before, and only its content tells.
    remembered: Vec<u8>,
}

/// What was found.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct News {
    /// The file is another than before: what was read earlier is void.
    pub(super) anew: bool,
    /// Whole lines, each ended. A last line that is still being written waits for the next time.
    pub(super) text: Vec<u8>,
}

impl Lines {
    pub(super) fn new(path: PathBuf) -> Self {
        Self {
            path,
            offset: 0,
            remembered: Vec::new(),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The lines since the last call. A file that is not there has none.
    pub(super) fn news(&mut self) -> io::Result<News> {
        let mut file = match File::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let anew = self.offset > 0;
                self.forget();
                return Ok(News {
                    anew,
                    text: Vec::new(),
                });
            }
            Err(error) => return Err(error),
        };
        let anew = !self.goes_on(&mut file)?;
        if anew {
            self.forget();
        }
        file.seek(SeekFrom::Start(self.offset))?;
        let mut text = Vec::new();
        file.read_to_end(&mut text)?;
        let whole = text
            .iter()
            .rposition(|byte| *byte == b'\n')
            .map_or(0, |at| at + 1);
        text.truncate(whole);
        self.offset += whole as u64;
        self.remembered.extend(&text[whole.saturating_sub(REMEMBERED)..]);
        let excess = self.remembered.len().saturating_sub(REMEMBERED);
        self.remembered.drain(..excess);
        Ok(News { anew, text })
    }

    /// Whether the file still holds, right before our place, what it held there.
    fn goes_on(&self, file: &mut File) -> io::Result<bool> {
        let length = self.remembered.len();
        if length == 0 {
            return Ok(true);
        }
        file.seek(SeekFrom::Start(self.offset - length as u64))?;
        let mut found = Vec::with_capacity(length);
        file.take(length as u64).read_to_end(&mut found)?;
        Ok(found == self.remembered)
    }

    fn forget(&mut self) {
        self.offset = 0;
        self.remembered.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::io::Write as _;

    fn read(lines: &mut Lines) -> (bool, String) {
        let news = lines.news().unwrap();
        (news.anew, String::from_utf8(news.text).unwrap())
    }

    fn append(path: &Path, text: &str) {
        let mut file = fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(path)
            .unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    #[test]
    fn a_line_is_read_once_and_when_it_is_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let mut lines = Lines::new(path.clone());
        assert_eq!(read(&mut lines), (false, String::new()), "no file yet");
        append(&path, "one\ntw");
        assert_eq!(read(&mut lines), (false, "one\n".into()));
        assert_eq!(read(&mut lines), (false, String::new()));
        append(&path, "o\nthree\n");
        assert_eq!(read(&mut lines), (false, "two\nthree\n".into()));
    }

    #[test]
    fn a_file_written_anew_is_read_anew() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let mut lines = Lines::new(path.clone());
        append(&path, "one\ntwo\nthree\n");
        read(&mut lines);
        fs::write(&path, "one\n").unwrap();
        assert_eq!(read(&mut lines), (true, "one\n".into()), "shorter");
        append(&path, "two\n");
        read(&mut lines);
        fs::write(&path, "one\n2\nthree\nfour\n").unwrap();
        assert_eq!(
            read(&mut lines),
            (true, "one\n2\nthree\nfour\n".into()),
            "longer, but another"
        );
        fs::remove_file(&path).unwrap();
        assert_eq!(read(&mut lines), (true, String::new()), "gone");
        assert_eq!(read(&mut lines), (false, String::new()), "still gone");
    }

    #[test]
    fn long_files_are_remembered_by_their_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let mut lines = Lines::new(path.clone());
        for at in 0..50 {
            append(&path, &format!("{at:>99}\n"));
            assert_eq!(read(&mut lines), (false, format!("{at:>99}\n")));
        }
        assert_eq!(lines.remembered.len(), REMEMBERED);
    }
}
