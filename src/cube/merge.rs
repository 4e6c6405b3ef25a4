//! The cube of several cubes: the same whatever their order, nesting and number.

use std::collections::{BTreeMap, BTreeSet};

use polars_core::prelude::DataFrame;
use rayon::prelude::*;
use rustc_hash::FxHashMap;

use super::add_up::add_up;
use super::dimension::{NameList, Renumbering};
use super::header::{
    Cube, Header, PartsOfPlan, Tables, are, counted_numbers, damaged, join_spans, listed_errors, listed_names,
    same_rules,
};
use super::opened::Opened;
use super::partial;
use super::request_ids::RequestIds;
use super::segments::{SegmentList, Tuple, renumbered, settle};
use super::table::{self, TableSpec};
use crate::config::Plan;
use crate::error::{Error, Result};
use crate::ingest::parts;
use crate::ingest::timeline::Timeline;

/// A cube that is merged: one in memory, or one on disk whose tables are read when it is their turn.
#[derive(Debug)]
pub enum Input {
    Held(Box<Cube>),
    Opened(Box<Opened>),
}

impl From<Cube> for Input {
    fn from(cube: Cube) -> Self {
        Self::Held(Box::new(cube))
    }
}

impl Input {
    pub fn header(&self) -> &Header {
        match self {
            Self::Held(cube) => &cube.header,
            Self::Opened(opened) => &opened.header,
        }
    }

    fn segments(&self) -> &[Tuple] {
        match self {
            Self::Held(cube) => &cube.segments,
            Self::Opened(opened) => &opened.segments,
        }
    }

    fn table(&self, number: usize) -> Result<DataFrame> {
        match self {
            Self::Held(cube) => Ok(cube.tables[number].clone()),
            Self::Opened(opened) => opened.table(number),
        }
    }

    fn add_request_ids(&self, to: RequestIds) -> Result<RequestIds> {
        match self {
            Self::Held(cube) => Ok(to.merge(&cube.request_ids)),
            Self::Opened(opened) => Ok(to.merge(&opened.request_ids()?)),
        }
    }
}

impl Cube {
    /// The cube of all of them, at least one; neither order nor nesting matters. Of those on disk a few tables at a time
    /// are in memory.
    ///
    /// # Errors
    /// The cubes were folded by different rules, share a file or a part of one, one was made without the
    /// `rollout_stage` events that another saw, or one is damaged.
    pub fn merge(mut cubes: Vec<Input>, plan: &Plan) -> Result<Self> {
        if cubes.len() == 1 {
            return match cubes.remove(0) {
                Input::Held(cube) => Ok(*cube),
                Input::Opened(opened) => opened.into_cube(),
            };
        }
        let headers: Vec<&Header> = cubes.iter().map(Input::header).collect();
        headers.windows(2).try_for_each(|pair| same_rules(&pair[0].rules, &pair[1].rules))?;
        let plans = join_plans(&headers)?;
        no_shared_file(&headers)?;
        let timeline = headers.iter().fold(Timeline::default(), |all, header| all.union(&header.timeline));
        headers.iter().try_for_each(|header| agree(header, &timeline))?;
        let error_types: Vec<&NameList> = headers.iter().map(|header| &header.error_types).collect();
        let max_distinct = usize::from(plan.input.max_distinct);
        let (error_types, error_numbers) = NameList::merge(&error_types, &listed_errors(plan), max_distinct);
        let (dimensions, segments, segment_numbers) = merge_segments(&cubes, plan);
        let numbers: Vec<_> = segment_numbers.into_iter().zip(error_numbers).collect();
        let header = Header {
            format: headers[0].format.clone(),
            version: headers[0].version,
            rules: headers[0].rules.clone(),
            timeline,
            placed_span: headers.iter().fold(None, |span, header| join_spans(span, header.placed_span)),
            numbered_span: headers.iter().fold(None, |span, header| join_spans(span, header.numbered_span)),
            dimensions,
            absorbed_dimensions: segments.absorbed,
            error_types,
            files: parts::join(headers.iter().flat_map(|header| header.files.iter().cloned()).collect())?,
            made_by: headers
                .iter()
                .flat_map(|header| header.made_by.iter().cloned())
                .collect::<BTreeSet<_>>()
                .into_iter()
                .collect(),
            plans,
        };
        let specs = table::specs(&header.rules.measures);
        let tables = || {
            let merged: Vec<Result<DataFrame>> = (0..specs.len())
                .into_par_iter()
                .map(|number| merge_table(&specs[number], number, &cubes, &numbers))
                .collect();
            // Of several errors the first is told, whichever came first.
            merged.into_iter().collect::<Result<Vec<_>>>()
        };
        let ids = || cubes.iter().try_fold(RequestIds::default(), |all, cube| cube.add_request_ids(all));
        // One after the other: both at once would need half as much again.
        let (request_ids, tables) = (ids()?, tables()?);
        let mut tables: Tables = tables.try_into().expect("as many tables as there are");
        tables[table::EVENTS] = tables[table::EVENTS].head(Some(partial::MAX_EVENTS));
        Ok(Self { header, tables, segments: segments.tuples, request_ids })
    }
}

/// The names and segments of all cubes, and the numbers of each cube's segments among them.
fn merge_segments(cubes: &[Input], plan: &Plan) -> (Vec<NameList>, SegmentList, Vec<Vec<u32>>) {
    let mut names = Vec::new();
    let mut renumberings: Vec<Vec<Renumbering>> = vec![Vec::new(); cubes.len()];
    for (index, listed) in listed_names(plan).into_iter().enumerate() {
        let parts: Vec<&NameList> = cubes.iter().map(|cube| &cube.header().dimensions[index]).collect();
        let (merged, numbers) = match listed {
            Some(listed) => NameList::merge(&parts, &listed, usize::from(plan.input.max_distinct)),
            None => (NameList::default(), vec![Renumbering::new(); cubes.len()]),
        };
        names.push(merged);
        renumberings.iter_mut().zip(numbers).for_each(|(of_cube, numbers)| of_cube.push(numbers));
    }
    let parts = cubes.iter().zip(&renumberings).map(|(cube, numbers)| renumbered(cube.segments(), numbers));
    let mut parts: Vec<Vec<Tuple>> = parts.collect();
    let absorbed = cubes.iter().map(|cube| cube.header().absorbed_dimensions).max().unwrap_or(0);
    let (list, numbers) = settle(&plan.schema.dimensions, &mut names, &mut parts, absorbed);
    (names, list, numbers)
}

/// Bytes of a table that wait to be added up, at least.
const PENDING_BYTES: usize = 32 << 20;

/// A table of all cubes, which are read one after the other. What waits is added up when it is as large as what was
/// added up before: so all is added up a few times at most, and memory holds the result and as much again.
fn merge_table(
    spec: &TableSpec,
    number: usize,
    cubes: &[Input],
    numbers: &[(Vec<u32>, Renumbering)],
) -> Result<DataFrame> {
    let renumbered = |cube: &Input, (segments, error_types): &(Vec<u32>, Renumbering)| {
        let mut part = cube.table(number)?;
        table::renumber_segments(&mut part, segments)
            .and_then(|()| table::renumber(&mut part, "error_type", error_types))
            .map_err(damaged)?;
        Ok::<_, Error>(part)
    };
    let (mut waiting, mut bytes, mut added_up) = (Vec::new(), 0, 0);
    for (cube, numbers) in cubes.iter().zip(numbers) {
        let part = renumbered(cube, numbers)?;
        bytes += part.estimated_size();
        waiting.push(part);
        if bytes > PENDING_BYTES.max(2 * added_up) {
            let sum = add_up(spec, std::mem::take(&mut waiting)).map_err(damaged)?;
            added_up = sum.estimated_size();
            bytes = added_up;
            waiting.push(sum);
        }
    }
    add_up(spec, waiting).map_err(damaged)
}

/// The parts of all plans.
fn join_plans(headers: &[&Header]) -> Result<Vec<PartsOfPlan>> {
    let mut joined: BTreeMap<&str, (usize, Vec<usize>)> = BTreeMap::new();
    for plan in headers.iter().flat_map(|header| &header.plans) {
        joined.entry(&plan.id).or_insert((plan.of, Vec::new())).1.extend(&plan.parts);
    }
    let join = |(id, (of, mut parts)): (&str, (usize, Vec<usize>))| {
        parts.sort_unstable();
        let twice: Vec<usize> = parts.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| pair[0]).collect();
        if twice.is_empty() {
            return Ok(PartsOfPlan { id: id.to_owned(), of, parts });
        }
        let message = format!("{} of the plan {} in two of the inputs", counted_numbers("part", &twice), are(&twice));
        Err(Error::new(message).help("their records would count twice: give the cube of each part once"))
    };
    joined.into_iter().map(join).collect()
}

fn no_shared_file(headers: &[&Header]) -> Result<()> {
    let mut seen = FxHashMap::default();
    let files = headers.iter().enumerate().flat_map(|(cube, of)| of.files.iter().map(move |file| (cube, file)));
    // Parts of a file are told apart by their ranges.
    for (cube, file) in files.filter(|(_, file)| file.bytes > 0 && file.part.is_none()) {
        let known = *seen.entry((&file.digest, &file.path)).or_insert(cube);
        if known != cube {
            return Err(Error::new(format!("{} is in two of the inputs", file.path))
                .help("its uploads would count twice: leave one of the inputs out"));
        }
    }
    Ok(())
}

/// Refuses a cube that would have placed its uploads elsewhere, had it known the whole timeline.
fn agree(header: &Header, whole: &Timeline) -> Result<()> {
    let in_stage = |span| header.timeline.first_disagreement(whole, span, |progress| progress);
    let in_period = |span| header.timeline.first_disagreement(whole, span, |progress| progress.period);
    let placed = header.placed_span.and_then(in_stage);
    let Some(at) = placed.or_else(|| header.numbered_span.and_then(in_period)) else { return Ok(()) };
    let at = chrono::DateTime::from_timestamp_nanos(at).format("%Y-%m-%dT%H:%M:%SZ");
    let file = header.files.first().map_or("a cube", |file| file.path.as_str());
    let message = format!(
        "the cube of {file} was made without rollout_stage or rollback events that another input holds (they differ from {at})"
    );
    Err(Error::new(message)
        .help("make it again with the other files as --timeline: `stagegate cube FILES --timeline OTHERS -o x.cube`"))
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::panic::AssertUnwindSafe;
    use std::sync::atomic::{AtomicU64, Ordering};

    use polars_core::prelude::Column;
    use proptest::prelude::*;

    use super::super::{fold, store};
    use super::*;
    use crate::ingest::{inputs, source, timeline};
    use crate::run::Run;

    fn from_disk(name: &str, path: &std::path::Path, plan: &Plan) -> Result<Cube> {
        Opened::open(name, path, plan)?.into_cube()
    }

    /// Folds lines as one file under a given timeline.
    fn folded(lines: &[String], timeline: &Timeline) -> Cube {
        folded_by(&plan(), lines, timeline)
    }

    fn folded_by(plan: &Plan, lines: &[String], timeline: &Timeline) -> Cube {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(lines.concat().as_bytes()).unwrap();
        let mut plan = plan.clone();
        plan.input.files = vec![file.path().to_str().unwrap().to_owned()];
        plan.files_from_command_line = true;
        let inputs = inputs::resolve(&plan).unwrap();
        fold(&plan, &inputs.logs, super::super::Events::Of(timeline.clone()), &Run::new(2))
            .unwrap()
            .into_cube()
            .unwrap()
    }

    fn plan() -> Plan {
        plan_of("")
    }

    fn plan_of(record: &str) -> Plan {
        // Three names beyond the listed ones overflow a dimension.
        let text = format!("[input]\nmax_distinct = 3\n{record}");
        crate::config::parse("rollout.toml", &text, Default::default()).unwrap()
    }

    /// Some of the dimensions and measures that lines carry, in any order: what `[record]` may hold.
    fn record() -> impl Strategy<Value = String> {
        let entries = vec![
            "[[record.dimensions]]\nname = \"region\"\nfield = \"region\"\nexpected = [\"a\"]\n",
            "[[record.dimensions]]\nname = \"depth\"\nfield = \"depth\"\nbounds = [2, 40]\n",
            "[[record.dimensions]]\nname = \"size\"\nbounds = [3.5]\n",
            "[[record.measures]]\nname = \"cost\"\nfield = \"usage.cost\"\nunit = \"USD\"\n",
            "[[record.measures]]\nname = \"tokens\"\nfield = \"usage.tokens\"\n",
            "[[record.measures]]\nname = \"quality\"\nfield = \"depth\"\nbetter = \"higher\"\n",
        ];
        (prop::sample::subsequence(entries, 0..=6).prop_shuffle(), any::<bool>()).prop_map(|(entries, renamed)| {
            let noun = if renamed { "[record]\nnoun = [\"job\", \"jobs\"]\n" } else { "" };
            format!("{noun}{}", entries.concat())
        })
    }

    fn line() -> impl Strategy<Value = String> {
        let kinds = prop_oneof![Just("sync"), Just("async"), Just("sync_fallback")];
        let times = prop_oneof![0u32..4000, 0u32..500_000];
        let names = prop_oneof![Just("kimi"), Just("glm"), Just("a"), Just("b"), Just("c"), Just("d")];
        (kinds, any::<bool>(), 0.0..90_000.0_f64, times, names, 0.0..120.0_f64, 0u32..60, any::<bool>()).prop_map(
            |(kind, success, duration, second, name, size, id, memory)| {
                let memory = if memory { format!(", \"memory_mb\": {size}") } else { String::new() };
                let more = if id % 3 == 0 { String::new() } else { format!(", \"region\": \"{name}\", \"depth\": {id}, \"usage\": {{\"cost\": {:?}, \"tokens\": {second}}}", size / 1e4) };
                format!(
                    "{{\"execution_type\": \"{kind}\", \"success\": {success}, \"duration_ms\": {duration}, \"timestamp\": {}, \"error_type\": \"{name}\", \"provider\": \"{name}\", \"file_type\": \"x{name}\", \"file_size_mb\": {size}, \"request_id\": \"{id}\"{memory}{more}}}\n",
                    1_762_905_600 + second
                )
            },
        )
    }

    fn event() -> impl Strategy<Value = String> {
        prop_oneof![
            (0u32..500_000, prop_oneof![Just(1), Just(10), Just(100)]).prop_map(|(second, percentage)| format!(
                "{{\"event_type\": \"rollout_stage\", \"timestamp\": {}, \"percentage\": {percentage}}}\n",
                1_762_905_600 + second
            )),
            (0u32..500_000).prop_map(|second| format!(
                "{{\"event_type\": \"rollback\", \"timestamp\": {}}}\n",
                1_762_905_600 + second
            )),
            (0u32..500_000, 1.0..500.0_f64).prop_map(|(second, rss)| format!(
                "{{\"event_type\": \"memory_sample\", \"timestamp\": {}, \"rss_mb\": {rss}}}\n",
                1_762_905_600 + second
            )),
            Just("not json\n".to_owned()),
        ]
    }

    fn log() -> impl Strategy<Value = Vec<String>> {
        prop::collection::vec(prop_oneof![8 => line(), 1 => event()], 1..60)
    }

    fn timeline_of(lines: &[String]) -> Timeline {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(lines.concat().as_bytes()).unwrap();
        let mut plan = plan();
        plan.input.files = vec![file.path().to_str().unwrap().to_owned()];
        plan.files_from_command_line = true;
        timeline::collect_all(&inputs::resolve(&plan).unwrap().logs, &Run::new(1)).unwrap()
    }

    /// Everything but the ledger, which names the files.
    #[track_caller]
    fn assert_same(a: &Cube, b: &Cube) {
        for ((spec, left), right) in a.specs().iter().zip(&a.tables).zip(&b.tables) {
            assert!(left.equals(right), "{}: {left:?} {right:?}", spec.name);
        }
        let names = |cube: &Cube| {
            let header = &cube.header;
            let lists = (header.dimensions.clone(), header.absorbed_dimensions, header.error_types.clone());
            (lists, header.rules.clone(), header.placed_span, header.numbered_span)
        };
        assert_eq!(names(a), names(b));
        assert_eq!(a.segments, b.segments);
        assert_eq!(a.request_ids, b.request_ids);
        assert_eq!(a.header.timeline, b.header.timeline);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn any_split_in_any_order_gives_the_same_cube(
            lines in log(),
            owners in prop::collection::vec(0usize..3, 60),
            record in record(),
        ) {
            let plan = plan_of(&record);
            let timeline = timeline_of(&lines);
            let whole = folded_by(&plan, &lines, &timeline);
            let part = |owner: usize| -> Cube {
                let own: Vec<String> = lines.iter().zip(&owners).filter(|(_, of)| **of == owner).map(|(line, _)| line.clone()).collect();
                folded_by(&plan, &own, &timeline)
            };
            let [a, b, c] = [part(0), part(1), part(2)];
            let merge = |cubes: Vec<Cube>| Cube::merge(cubes.into_iter().map(Input::from).collect(), &plan).unwrap();
            let left = merge(vec![merge(vec![a.clone(), b.clone()]), c.clone()]);
            let right = merge(vec![a.clone(), merge(vec![b.clone(), c.clone()])]);
            let turned = merge(vec![c, b, a]);
            assert_same(&left, &whole);
            assert_same(&right, &whole);
            assert_same(&turned, &whole);
            prop_assert_eq!(left.header.files, turned.header.files);
        }

        /// Cut anywhere, also within lines and characters, and merged in any tree: the same cube, ledger and digest.
        #[test]
        fn any_tiling_of_a_file_gives_the_same_cube(
            lines in log(), cuts in prop::collection::vec(any::<prop::sample::Index>(), 1..9),
            order in prop::collection::vec(any::<prop::sample::Index>(), 20),
            endings in prop::sample::select(vec!["\n", "\r\n", "\n\n", "\n\u{e4}{\n"]), mark in any::<bool>(), last in any::<bool>(),
        ) {
            let plan = plan();
            let mut bytes: Vec<u8> = if mark { vec![0xef, 0xbb, 0xbf] } else { Vec::new() };
            lines.iter().for_each(|line| bytes.extend(line.replace('\n', endings).bytes()));
            // Half a character: no UTF-8 from here on.
            bytes.extend(if last { &b"{}\n\xc3"[..] } else { b"" });
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("log.jsonl");
            std::fs::write(&path, &bytes).unwrap();
            let timeline = timeline_of(&lines);
            let size = bytes.len() as u64;
            let fold_range = |range| {
                let source = source::planned("log".into(), path.clone(), size, range, (None, None)).unwrap();
                fold(&plan, &[source], super::super::Events::All(timeline.clone()), &Run::new(2)).unwrap().into_cube().unwrap()
            };
            let whole = fold_range(0..size);
            prop_assert_eq!(&whole.header.files[0].digest, &crate::packing::blake3_text(&blake3::hash(&bytes)));
            let mut at: Vec<u64> = cuts.iter().map(|cut| cut.index(bytes.len()) as u64).chain([0, size]).collect();
            at.sort_unstable();
            at.dedup();
            let mut cubes: Vec<Cube> = at.windows(2).map(|pair| fold_range(pair[0]..pair[1])).collect();
            // Any two, over and over, through the disk.
            for (step, pick) in order.iter().cycle().enumerate() {
                if cubes.len() == 1 { break; }
                let mut left = cubes.swap_remove(pick.index(cubes.len()));
                let right = cubes.swap_remove(pick.index(cubes.len()));
                let left = if step % 2 == 0 { left.into() } else {
                    let path = folder.path().join(format!("{step}.cube.tar"));
                    store::write(&mut left, &path).unwrap();
                    Input::Opened(Box::new(Opened::open("x", &path, &plan).unwrap()))
                };
                cubes.push(Cube::merge(vec![left, right.into()], &plan).unwrap());
            }
            assert_same(&cubes[0], &whole);
            prop_assert_eq!(&cubes[0].header, &whole.header);
            prop_assert!(cubes[0].whole().is_ok());
        }

        #[test]
        fn a_cube_survives_the_disk(lines in log(), record in record()) {
            let folder = tempfile::tempdir().unwrap();
            let plan = plan_of(&record);
            let mut cube = folded_by(&plan, &lines, &timeline_of(&lines));
            let path = folder.path().join("x.cube");
            store::write(&mut cube, &path).unwrap();
            let read = from_disk("x.cube", &path, &plan).unwrap();
            assert_same(&read, &cube);
            prop_assert_eq!(&read.header, &cube.header);
            // Another engine need not sort.
            let mut turned = Cube { tables: cube.tables.each_ref().map(DataFrame::reverse), ..cube.clone() };
            store::write(&mut turned, &path).unwrap();
            assert_same(&from_disk("x.cube", &path, &plan).unwrap(), &cube);
        }

        /// Other engines have no unsigned numbers, or write wider ones: those that fit are the same.
        #[test]
        fn integers_of_other_engines_are_read(lines in log(), wide in any::<bool>()) {
            use polars_core::prelude::DataType;
            let folder = tempfile::tempdir().unwrap();
            let plan = plan();
            let cube = folded_by(&plan, &lines, &timeline_of(&lines));
            let path = folder.path().join("x.cube");
            let mut foreign = cube.clone();
            for table in &mut foreign.tables {
                let turned: Vec<Column> = table.columns().iter().map(|column| {
                    let to = match column.dtype() {
                        DataType::UInt8 if wide => DataType::Int64,
                        DataType::UInt8 => DataType::Int16,
                        DataType::UInt16 | DataType::UInt32 => DataType::Int64,
                        DataType::UInt64 if wide => DataType::Decimal(30, 0),
                        DataType::UInt64 => DataType::Int64,
                        DataType::List(_) => DataType::List(Box::new(if wide { DataType::Int64 } else { DataType::Int32 })),
                        other => other.clone(),
                    };
                    column.strict_cast(&to).unwrap()
                }).collect();
                *table = DataFrame::new_infer_height(turned).unwrap();
            }
            store::write(&mut foreign, &path).unwrap();
            assert_same(&from_disk("x.cube", &path, &plan).unwrap(), &cube);
            // What does not fit is refused.
            let stages = foreign.tables[0].column("stage").unwrap();
            if !stages.is_empty() {
                let beyond = Column::new("stage".into(), vec![if wide { 256_i64 } else { -1 }; stages.len()]);
                foreign.tables[0].with_column(beyond).unwrap();
                store::write(&mut foreign, &path).unwrap();
                prop_assert!(from_disk("x.cube", &path, &plan).is_err());
            }
        }

        /// What a cube does not have was not measured there, wherever the measure stands in the config.
        #[test]
        fn a_measure_that_a_cube_lacks_was_not_measured_there(lines in log(), more in log(), first in any::<bool>()) {
            let folder = tempfile::tempdir().unwrap();
            let cost = "[[record.measures]]\nname = \"cost\"\nfield = \"usage.cost\"\n";
            let tokens = "[[record.measures]]\nname = \"tokens\"\nfield = \"usage.tokens\"\n";
            let both = plan_of(&if first { format!("{tokens}{cost}") } else { format!("{cost}{tokens}") });
            let (few, all) = (plan_of(cost), [lines.clone(), more.clone()].concat());
            let timeline = timeline_of(&all);
            let path = folder.path().join("x.cube");
            store::write(&mut folded_by(&few, &lines, &timeline), &path).unwrap();
            let read = from_disk("x.cube", &path, &both).unwrap();
            let without = |lines: &[String]| -> Vec<String> { lines.iter().map(|line| line.replace("\"tokens\"", "\"t\"")).collect() };
            assert_same(&read, &folded_by(&both, &without(&lines), &timeline));
            let whole = folded_by(&both, &[without(&lines), more.clone()].concat(), &timeline);
            assert_same(&Cube::merge(vec![folded_by(&both, &more, &timeline).into(), read.into()], &both).unwrap(), &whole);
            // What the config does not name is not lost without a word.
            store::write(&mut folded_by(&both, &lines, &timeline), &path).unwrap();
            prop_assert!(from_disk("x.cube", &path, &few).is_err());
        }
    }

    fn some_lines() -> Vec<String> {
        let line = |second: u32| {
            let (kind, failed) = (["sync", "async", "sync_fallback"][second as usize % 3], second.is_multiple_of(7));
            format!(
                "{{\"execution_type\": \"{kind}\", \"success\": {}, \"duration_ms\": {}, \"timestamp\": {}, \"error_type\": \"E\", \"provider\": \"p{}\", \"file_type\": \"x\", \"file_size_mb\": {}, \"request_id\": \"{second}\", \"memory_mb\": {}}}\n",
                !failed,
                200 + second % 90,
                1_762_905_600 + second * 100,
                second % 4,
                second % 60,
                second % 50
            )
        };
        let event = "{\"event_type\": \"rollout_stage\", \"timestamp\": 1762910000, \"percentage\": 10}\n".to_owned();
        (0..300).map(line).chain([event]).collect()
    }

    #[test]
    fn a_damaged_cube_is_refused_or_the_same() {
        damage_cubes(200);
    }

    #[test]
    #[ignore = "five thousand damaged cubes"]
    fn thousands_of_damaged_cubes_are_refused_or_the_same() {
        damage_cubes(5000);
    }

    fn damage_cubes(tries: usize) {
        let folder = tempfile::tempdir().unwrap();
        let lines = some_lines();
        let mut cube = folded(&lines, &timeline_of(&lines));
        let path = folder.path().join("x.cube");
        store::write(&mut cube, &path).unwrap();
        let mut files: Vec<_> = std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        let (refused, same) = (AtomicU64::new(0), AtomicU64::new(0));
        let check = AssertUnwindSafe(|which: u8, edits: &[crate::damage::Edit]| {
            let file = &files[usize::from(which) % files.len()];
            let whole = std::fs::read(file).unwrap();
            std::fs::write(file, crate::damage::damaged(&whole, edits)).unwrap();
            match from_disk("x.cube", &path, &plan()) {
                Err(_) => refused.fetch_add(1, Ordering::Relaxed),
                Ok(read) => {
                    assert_same(&read, &cube);
                    assert_eq!(read.header, cube.header);
                    same.fetch_add(1, Ordering::Relaxed)
                }
            };
            std::fs::write(file, whole).unwrap();
        });
        bolero::check!()
            .with_type::<(u8, Vec<crate::damage::Edit>)>()
            .with_iterations(tries)
            .for_each(|(which, edits)| check(*which, edits));
        let (refused, same) = (refused.load(Ordering::Relaxed), same.load(Ordering::Relaxed));
        // Damage that leaves a cube as it was, such as blanks in the header, is rare: chance decides whether there is any.
        assert!(refused > 5 * same, "{refused} refused, {same} the same");
        assert_same(&from_disk("x.cube", &path, &plan()).unwrap(), &cube);
    }

    /// A cube may come from another program: whole, and yet not to be added up.
    #[test]
    fn a_table_that_cannot_be_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let lines = some_lines();
        let cube = folded(&lines, &timeline_of(&lines));
        let path = folder.path().join("x.cube");
        let refused = |table: usize, column: Column| {
            let mut bad = cube.clone();
            bad.tables[table].with_column(column).unwrap();
            store::write(&mut bad, &path).unwrap();
            from_disk("x.cube", &path, &plan()).expect_err("must be refused").to_string()
        };
        let rows = |table: usize| cube.tables[table].height();
        let told = refused(table::MINUTES, table::count_column("successes", vec![1 << 30; rows(table::MINUTES)]));
        assert!(told.contains("more successes than records"), "{told}");
        let told = refused(table::SEGMENTS, table::count_column("n", vec![u64::MAX; rows(table::SEGMENTS)]));
        assert!(told.contains("column n holds what it cannot"), "{told}");
        let told = refused(table::SEGMENTS, table::max_column("memory_max", vec![f64::NAN; rows(table::SEGMENTS)]));
        assert!(told.contains("column memory_max holds what it cannot"), "{told}");
        let hours = Column::new("hour".into(), vec![i32::MAX; rows(table::FINE)]);
        assert!(refused(table::FINE, hours).contains("hour lies centuries away"));
        let mut histograms = table::HistogramColumns::with_capacity(rows(table::FINE), 0);
        (0..rows(table::FINE)).for_each(|_| histograms.push_row((&[7, 5], &[1, 1])));
        let [bins, counts] = histograms.finish();
        let mut bad = cube.clone();
        bad.tables[table::FINE].with_column(bins).unwrap();
        bad.tables[table::FINE].with_column(counts).unwrap();
        store::write(&mut bad, &path).unwrap();
        let told = from_disk("x.cube", &path, &plan()).expect_err("must be refused").to_string();
        assert!(told.contains("the bins of row 0 do not rise"), "{told}");
    }
}
