//! Bytes as they lie on disk: how they are packed, their digests, hexadecimal, buffers filled. It knows no
//! format of ours.

use std::io::{self, BufReader, Read, Write};
use std::path::Path;

use sha2::{Digest, Sha256};

const GZIP_LEVEL: u32 = 6;
/// Bytes of a packed file that are read at once.
const BLOCK: usize = 1 << 17;

/// How the bytes of a file are packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    None,
    Gzip,
    Zstandard,
}

impl Compression {
    /// By the first four bytes of a file.
    pub fn of(head: &[u8]) -> Self {
        match head {
            [0x1f, 0x8b, ..] => Self::Gzip,
            [0x28, 0xb5, 0x2f, 0xfd] => Self::Zstandard,
            _ => Self::None,
        }
    }

    /// As a file's name says.
    pub fn named(path: &Path) -> Self {
        match path.extension().and_then(|ending| ending.to_str()) {
            Some("gz") => Self::Gzip,
            Some("zst") => Self::Zstandard,
            _ => Self::None,
        }
    }
}

/// Bytes that come unpacked out of `R`.
pub enum Unpacked<R: Read> {
    Plain(R),
    Gzip(Box<flate2::bufread::MultiGzDecoder<BufReader<R>>>),
    Zstandard(Box<zstd::stream::read::Decoder<'static, BufReader<R>>>),
}

impl<R: Read> Unpacked<R> {
    /// # Errors
    /// The decoder cannot be made.
    pub fn new(raw: R, compression: Compression) -> io::Result<Self> {
        Ok(match compression {
            Compression::None => Self::Plain(raw),
            Compression::Gzip => {
                Self::Gzip(Box::new(flate2::bufread::MultiGzDecoder::new(BufReader::with_capacity(BLOCK, raw))))
            }
            Compression::Zstandard => Self::Zstandard(Box::new(zstd::stream::read::Decoder::with_buffer(
                BufReader::with_capacity(BLOCK, raw),
            )?)),
        })
    }

    /// The bytes that were packed, as far as they were not read.
    pub fn into_inner(self) -> R {
        match self {
            Self::Plain(raw) => raw,
            Self::Gzip(decoder) => decoder.into_inner().into_inner(),
            Self::Zstandard(decoder) => decoder.finish().into_inner(),
        }
    }
}

impl<R: Read> Read for Unpacked<R> {
    #[inline]
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(raw) => raw.read(buffer),
            Self::Gzip(decoder) => decoder.read(buffer),
            Self::Zstandard(decoder) => decoder.read(buffer),
        }
    }
}

/// What `write` writes, packed into `out`.
///
/// # Errors
/// `write` fails, or `out` does.
pub fn pack(
    mut out: impl Write,
    compression: Compression,
    zstd_level: i32,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> io::Result<()> {
    match compression {
        Compression::None => {
            write(&mut out)?;
            out.flush()
        }
        Compression::Gzip => {
            let mut packed = flate2::write::GzEncoder::new(out, flate2::Compression::new(GZIP_LEVEL));
            write(&mut packed)?;
            packed.finish()?.flush()
        }
        Compression::Zstandard => {
            let mut packed = zstd::stream::write::Encoder::new(out, zstd_level)?;
            write(&mut packed)?;
            packed.finish()?.flush()
        }
    }
}

/// Fills a buffer as far as the stream goes: how far, and what stopped it before its end.
pub fn fill(stream: &mut (impl Read + ?Sized), bytes: &mut [u8]) -> (usize, Option<io::Error>) {
    let mut filled = 0;
    while filled < bytes.len() {
        match stream.read(&mut bytes[filled..]) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return (filled, Some(error)),
        }
    }
    (filled, None)
}

/// Bytes that are hashed as they are read.
pub struct Hashed<R> {
    raw: R,
    digest: Sha256,
}

impl<R: Read> Hashed<R> {
    pub fn new(raw: R) -> Self {
        Self { raw, digest: Sha256::new() }
    }

    /// SHA-256 of all bytes, in lower-case hexadecimal: what was not read yet is read for it.
    ///
    /// # Errors
    /// The rest cannot be read.
    pub fn finish(mut self) -> io::Result<String> {
        io::copy(&mut self, &mut io::sink())?;
        Ok(hex(&self.digest.finalize()))
    }
}

impl<R: Read> Read for Hashed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.raw.read(buffer)?;
        self.digest.update(&buffer[..read]);
        Ok(read)
    }
}

/// SHA-256 in lower-case hexadecimal.
pub fn sha256(bytes: impl AsRef<[u8]>) -> String {
    hex(&Sha256::digest(bytes))
}

/// Bytes in lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        use std::fmt::Write;
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_comes_out_again_and_is_hashed_whole() {
        for compression in [Compression::None, Compression::Gzip, Compression::Zstandard] {
            let mut packed = Vec::new();
            pack(&mut packed, compression, 3, |out| out.write_all(b"one\ntwo\n")).unwrap();
            assert_eq!(Compression::of(&packed[..4]), compression);
            let mut unpacked = Unpacked::new(Hashed::new(packed.as_slice()), compression).unwrap();
            let mut text = [0; 4];
            assert_eq!((fill(&mut unpacked, &mut text).0, &text), (4, b"one\n"));
            assert_eq!(unpacked.into_inner().finish().unwrap(), sha256(&packed));
        }
        assert_eq!(Compression::named(Path::new("a.jsonl.zst")), Compression::Zstandard);
    }
}
