//! The dimensions of the mix and the names of their values.

use crate::config::Plan;
use crate::cube::Cube;
use crate::cube::slice::Segment;
use crate::format;

/// A dimension of the mix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dimension {
    Provider,
    FileType,
    Size,
}

impl Dimension {
    pub(super) const ALL: [Self; 3] = [Self::Provider, Self::FileType, Self::Size];

    /// The word of the report contract.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Provider => "provider",
            Self::FileType => "file_type",
            Self::Size => "size",
        }
    }

    /// The number of a segment's value.
    pub(super) fn value(self, segment: Segment) -> u16 {
        match self {
            Self::Provider => segment.provider,
            Self::FileType => segment.file_type,
            Self::Size => u16::from(segment.size_bucket),
        }
    }
}

/// Numbers of the cube -> names.
pub(super) struct Names<'a> {
    providers: &'a [String],
    file_types: &'a [String],
    /// Rising, MB.
    size_bounds_mb: &'a [f64],
}

impl<'a> Names<'a> {
    pub(super) fn new(plan: &'a Plan, cube: &'a Cube) -> Self {
        Self {
            providers: &cube.header.providers.names,
            file_types: &cube.header.file_types.names,
            size_bounds_mb: &plan.analysis.size_bounds_mb,
        }
    }

    pub(super) fn name(&self, dimension: Dimension, value: u16) -> String {
        let named = |names: &[String]| names.get(usize::from(value)).cloned().unwrap_or_else(|| "unknown".into());
        match dimension {
            Dimension::Provider => named(self.providers),
            Dimension::FileType => named(self.file_types),
            Dimension::Size => self.size_name(usize::from(value)),
        }
    }

    /// `<=1`, `1-10`, … `>100`, `unknown`.
    fn size_name(&self, bucket: usize) -> String {
        let bounds = self.size_bounds_mb;
        match bucket {
            0 => format!("<={}", format::plain(bounds[0])),
            above if above == bounds.len() => format!(">{}", format::plain(bounds[bounds.len() - 1])),
            between if between < bounds.len() => {
                format!("{}-{}", format::plain(bounds[between - 1]), format::plain(bounds[between]))
            }
            _ => "unknown".into(),
        }
    }

    /// The bucket that a file of this size falls into.
    pub(super) fn size_bucket(&self, size_mb: f64) -> u16 {
        let bounds = self.size_bounds_mb;
        bounds.iter().position(|bound| size_mb <= *bound).unwrap_or(bounds.len()) as u16
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_named_by_their_bounds() {
        let names = Names { providers: &[], file_types: &[], size_bounds_mb: &[1.0, 10.0, 50.0] };
        let of = |bucket| names.name(Dimension::Size, bucket);
        assert_eq!([of(0), of(1), of(2), of(3), of(4)], ["<=1", "1-10", "10-50", ">50", "unknown"]);
        assert_eq!([names.size_bucket(1.0), names.size_bucket(10.0), names.size_bucket(51.0)], [0, 1, 3]);
    }
}
