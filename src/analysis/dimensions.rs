//! The dimensions of the mix and the names of their values.

use std::collections::{BTreeMap, BTreeSet};

use crate::cube::Cube;
use crate::cube::slice::Segment;
use crate::schema::record::{Dimension, Schema, UNKNOWN, Values};

/// Numbers of the cube -> names.
pub(super) struct Names<'a> {
    schema: &'a Schema,
    cube: &'a Cube,
}

impl<'a> Names<'a> {
    pub(super) fn new(schema: &'a Schema, cube: &'a Cube) -> Self {
        Self { schema, cube }
    }

    /// The dimensions along which the log tells records apart: of which it holds more than `unknown`.
    pub(super) fn told(&self) -> impl Iterator<Item = usize> {
        (0..self.schema.dimensions.len()).filter(|dimension| {
            let values: BTreeSet<u16> = self.cube.segments.iter().map(|tuple| tuple[*dimension]).collect();
            values.into_iter().any(|value| self.name(*dimension, value) != UNKNOWN)
        })
    }

    /// The word of the report contract.
    pub(super) fn word(&self, dimension: usize) -> &'a str {
        &self.schema.dimensions[dimension].name
    }

    /// The number of a segment's value.
    pub(super) fn value(&self, dimension: usize, segment: Segment) -> u16 {
        self.cube.segments[segment.0 as usize][dimension]
    }

    /// What a value is called.
    pub(super) fn name(&self, dimension: usize, value: u16) -> String {
        match &self.schema.dimensions[dimension].values {
            Values::Names => {
                let names = &self.cube.header.dimensions[dimension].names;
                names.get(usize::from(value)).cloned().unwrap_or_else(|| UNKNOWN.into())
            }
            Values::Bounds(bounds) => Dimension::bucket_name(bounds, usize::from(value)),
        }
    }

    /// For each segment one that stands for all that differ from it in this dimension alone.
    pub(super) fn without(&self, dimension: usize) -> Vec<Segment> {
        let mut first = BTreeMap::new();
        let segments = (0..).zip(&self.cube.segments);
        segments
            .map(|(number, tuple)| {
                let mut rest = *tuple;
                rest[dimension] = 0;
                *first.entry(rest).or_insert(Segment(number))
            })
            .collect()
    }
}
