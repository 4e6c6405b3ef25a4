//! Bytes as they lie on disk: how they are packed, their digests, hexadecimal, buffers filled. It knows no
//! format of ours.

use std::io::{self, BufReader, Read, Write};
use std::path::Path;

use sha2::Sha256;

const GZIP_LEVEL: u32 = 6;
/// Bytes of a packed file that are read at once.
const BLOCK: usize = 1 << 17;

/// What a packed byte of a log costs, in plain ones, about.
pub const PACKED_TIMES: u64 = 8;

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
            // A frame to be skipped, in front of the others.
            [0x50..=0x5f, 0x2a, 0x4d, 0x18] => Self::Zstandard,
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

/// What is made of bytes as they pass, and is theirs alone.
pub trait Digest {
    fn update(&mut self, bytes: &[u8]);
    /// The digest of all bytes, as people write it.
    fn text(self) -> String;
}

/// In lower-case hexadecimal.
impl Digest for Sha256 {
    fn update(&mut self, bytes: &[u8]) {
        sha2::Digest::update(self, bytes);
    }

    fn text(self) -> String {
        hex(&sha2::Digest::finalize(self))
    }
}

/// `blake3:` and lower-case hexadecimal: what logs are known by. Unlike SHA-256 it can be put together from the digests of
/// parts, and it is read off a log at twice the speed.
impl Digest for blake3::Hasher {
    fn update(&mut self, bytes: &[u8]) {
        Self::update(self, bytes);
    }

    fn text(self) -> String {
        blake3_text(&self.finalize())
    }
}

/// `blake3:` and lower-case hexadecimal.
pub fn blake3_text(digest: &blake3::Hash) -> String {
    format!("blake3:{digest}")
}

/// Digests of before stand without the algorithm, which was SHA-256.
///
/// # Errors
/// It is no text.
pub fn digest_with_algorithm<'de, D: serde::Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    let digest = <String as serde::Deserialize>::deserialize(from)?;
    Ok(if digest.contains(':') { digest } else { format!("sha256:{digest}") })
}

/// Bytes that are hashed as they are read.
pub struct Hashed<R, D> {
    raw: R,
    digest: D,
    bytes: u64,
}

impl<R: Read, D: Digest> Hashed<R, D> {
    pub fn new(raw: R, digest: D) -> Self {
        Self { raw, digest, bytes: 0 }
    }

    /// The digest of all bytes: what was not read yet is read for it.
    ///
    /// # Errors
    /// The rest cannot be read.
    pub fn finish(self) -> io::Result<String> {
        Ok(self.finish_with_length()?.0)
    }

    /// As [`Self::finish`], with how many bytes there were.
    ///
    /// # Errors
    /// As there.
    pub fn finish_with_length(mut self) -> io::Result<(String, u64)> {
        io::copy(&mut self, &mut io::sink())?;
        Ok((self.digest.text(), self.bytes))
    }
}

impl<R: Read, D: Digest> Read for Hashed<R, D> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.raw.read(buffer)?;
        self.digest.update(&buffer[..read]);
        self.bytes += read as u64;
        Ok(read)
    }
}

/// SHA-256 in lower-case hexadecimal.
pub fn sha256(bytes: impl AsRef<[u8]>) -> String {
    hex(&<Sha256 as sha2::Digest>::digest(bytes))
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
            let mut unpacked = Unpacked::new(Hashed::new(packed.as_slice(), Sha256::default()), compression).unwrap();
            let mut text = [0; 4];
            assert_eq!((fill(&mut unpacked, &mut text).0, &text), (4, b"one\n"));
            assert_eq!(unpacked.into_inner().finish().unwrap(), sha256(&packed));
        }
        assert_eq!(Compression::named(Path::new("a.jsonl.zst")), Compression::Zstandard);
    }
}
