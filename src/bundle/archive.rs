//! The bundle's folder as one .zip: sorted, with one date for all, so that the same bundle has the same bytes.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Write};
use std::path::Path;

use rawzip::time::UtcDateTime;
use rawzip::{CompressionMethod, DataDescriptorOutput, ZipArchiveWriter, ZipDataWriterConfig, ZipEntryWriter};
use rayon::prelude::*;

use super::payload::Payload;
use crate::run::Run;

/// Largest file that is packed in memory, in bytes.
const MAX_IN_MEMORY: u64 = 4 << 20;
/// Bytes that are packed at once.
const BATCH: u64 = 32 << 20;
/// Speed before size: most of a bundle is read once.
const LEVEL: u32 = 1;
const PERMISSIONS: u32 = 0o100_644;
/// 1980-01-01T00:00:00Z, the first date that the format has: without one it would be month 0, which is none.
const FIRST_DATE: i64 = 315_532_800;
/// Endings of files that are packed already.
const PACKED: [&str; 12] = ["gz", "zst", "xz", "bz2", "zip", "png", "jpg", "jpeg", "webp", "woff2", "parquet", "pdf"];

/// A file packed in memory.
struct Packed {
    bytes: Vec<u8>,
    crc: u32,
}

/// Writes the files of the bundle at `root`, in their order, into `zip` below a folder called `top`.
///
/// # Errors
/// A file cannot be read, or the disk refuses.
pub(super) fn write(root: &Path, top: &str, files: &[Payload], zip: &mut File, run: &Run) -> io::Result<()> {
    let mut archive = ZipArchiveWriter::new(BufWriter::with_capacity(1 << 20, zip));
    let mut rest = files;
    while let Some(first) = rest.first() {
        if first.bytes > MAX_IN_MEMORY {
            stream(&mut archive, root, top, first)?;
            run.advance(first.bytes);
            rest = &rest[1..];
            continue;
        }
        let mut bytes = 0;
        let batch = rest.iter().take_while(|file| {
            bytes += file.bytes;
            file.bytes <= MAX_IN_MEMORY && bytes <= BATCH
        });
        let (batch, behind) = rest.split_at(batch.count().max(1));
        let packed: Vec<Packed> = batch.par_iter().map(|file| pack(root, file)).collect::<io::Result<_>>()?;
        for (file, packed) in batch.iter().zip(packed) {
            let (mut entry, _) = begin(&mut archive, top, file)?;
            entry.write_all(&packed.bytes)?;
            entry.finish(DataDescriptorOutput::new(packed.crc, file.bytes)).map_err(io::Error::other)?;
            run.advance(file.bytes);
        }
        rest = behind;
    }
    archive.finish().map_err(io::Error::other)?.flush()
}

/// Begins the entry of a file.
fn begin<'a, W: Write>(
    archive: &'a mut ZipArchiveWriter<W>,
    top: &str,
    file: &Payload,
) -> io::Result<(ZipEntryWriter<'a, W>, ZipDataWriterConfig)> {
    archive
        .new_file(format!("{top}/{}", file.name))
        .compression_method(method(&file.name))
        .unix_permissions(PERMISSIONS)
        .last_modified(UtcDateTime::from_unix(FIRST_DATE))
        .start()
        .map_err(io::Error::other)
}

fn method(name: &str) -> CompressionMethod {
    let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending).to_ascii_lowercase();
    if PACKED.contains(&ending.as_str()) { CompressionMethod::STORE } else { CompressionMethod::DEFLATE }
}

fn pack(root: &Path, file: &Payload) -> io::Result<Packed> {
    let content = std::fs::read(root.join(&file.name))?;
    let mut crc = flate2::Crc::new();
    crc.update(&content);
    if method(&file.name) == CompressionMethod::STORE {
        return Ok(Packed { bytes: content, crc: crc.sum() });
    }
    let out = Vec::with_capacity(content.len() / 2 + 64);
    let mut encoder = flate2::write::DeflateEncoder::new(out, flate2::Compression::new(LEVEL));
    encoder.write_all(&content)?;
    Ok(Packed { bytes: encoder.finish()?, crc: crc.sum() })
}

fn stream<W: Write>(archive: &mut ZipArchiveWriter<W>, root: &Path, top: &str, file: &Payload) -> io::Result<()> {
    let (mut entry, config) = begin(archive, top, file)?;
    let mut content = BufReader::with_capacity(1 << 20, File::open(root.join(&file.name))?);
    let output = if method(&file.name) == CompressionMethod::STORE {
        let mut out = config.wrap(&mut entry);
        io::copy(&mut content, &mut out)?;
        out.finish().map_err(io::Error::other)?.1
    } else {
        let encoder = flate2::write::DeflateEncoder::new(&mut entry, flate2::Compression::new(LEVEL));
        let mut out = config.wrap(encoder);
        io::copy(&mut content, &mut out)?;
        let (encoder, output) = out.finish().map_err(io::Error::other)?;
        encoder.finish()?;
        output
    };
    entry.finish(output).map_err(io::Error::other)?;
    Ok(())
}
