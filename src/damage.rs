//! What a disk, a network or an enemy makes of sound bytes: for the fuzz targets beside the code that reads them.

/// Where, what, and with which byte.
pub(crate) type Edit = (u16, u8, u8);

/// `sound` with some edits done to it: a bit or a byte changed, a piece removed, doubled or put in, the end cut off.
pub(crate) fn damaged(sound: &[u8], edits: &[Edit]) -> Vec<u8> {
    let mut bytes = sound.to_vec();
    for (at, what, byte) in edits.iter().take(6) {
        // Spread over files longer than 64 KiB, too.
        let at = usize::from(*at) * (bytes.len() / 65_536 + 1) % bytes.len().max(1);
        let end = (at + 1 + usize::from(*byte) % 40).min(bytes.len());
        match what % 7 {
            _ if bytes.is_empty() => bytes.push(*byte),
            0 | 1 => bytes[at] ^= 1 << (byte % 8),
            2 => bytes[at] = *byte,
            3 => bytes.insert(at, *byte),
            4 => drop(bytes.drain(at..end)),
            5 => {
                let piece = bytes[at..end].to_vec();
                bytes.splice(at..at, piece);
            }
            _ => bytes.truncate(at),
        }
    }
    bytes
}

/// Runs `check` on a thousand damaged copies of `sound`; a fuzzer that drives the target makes as many as it likes.
pub(crate) fn for_each_damage(sound: &[u8], check: impl Fn(&[u8]) + std::panic::RefUnwindSafe) {
    bolero::check!()
        .with_type::<Vec<Edit>>()
        .with_iterations(1000)
        .with_max_len(64)
        .for_each(|edits| check(&damaged(sound, edits)));
}
