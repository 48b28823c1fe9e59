//! HTTP as far as the examples need it.

use std::error::Error;
use std::io::{BufRead as _, BufReader, Read as _};
use std::net::TcpStream;

pub(crate) type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// Reads one message: its first line and its body.
pub(crate) fn read(stream: &mut BufReader<TcpStream>) -> Result<Option<(String, Vec<u8>)>> {
    let mut first = String::new();
    if stream.read_line(&mut first)? == 0 {
        return Ok(None);
    }
    let (mut length, mut chunked) = (0, false);
    loop {
        let mut line = String::new();
        stream.read_line(&mut line)?;
        if line.trim().is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse()?;
        }
        chunked |= line.eq_ignore_ascii_case("transfer-encoding: chunked\r\n");
    }
    let mut body = Vec::new();
    if chunked {
        loop {
            let mut size = String::new();
            stream.read_line(&mut size)?;
            let size = usize::from_str_radix(size.trim(), 16)?;
            let end = body.len() + size;
            // Each chunk ends in a line break of its own.
            body.resize(end + 2, 0);
            stream.read_exact(&mut body[end - size..])?;
            body.truncate(end);
            if size == 0 {
                return Ok(Some((first, body)));
            }
        }
    }
    body.resize(length, 0);
    stream.read_exact(&mut body)?;
    Ok(Some((first, body)))
}

/// A request with a JSON body.
pub(crate) fn post(address: &str, path: &str, body: &str) -> Vec<u8> {
    request("POST", address, path, body)
}

/// A request.
pub(crate) fn request(method: &str, address: &str, path: &str, body: &str) -> Vec<u8> {
    format!(
        "{method} {path} HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}
