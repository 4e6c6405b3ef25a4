//! The cube of several cubes: the same whatever their order, nesting and number.

use polars_core::prelude::{DataFrame, PolarsError};
use rayon::prelude::*;
use rustc_hash::FxHashMap;

use super::dimension::{NameList, Renumbering};
use super::header::{Cube, Header, Tables, damaged, join_spans, listed_errors, listed_names, same_rules};
use super::partial;
use super::request_ids::RequestIds;
use super::segments::{SegmentList, Tuple, renumbered, settle};
use super::table::{self, TableSpec};
use crate::config::Plan;
use crate::error::{Error, Result};
use crate::ingest::ledger::FileLedger;
use crate::ingest::timeline::Timeline;

impl Cube {
    /// The cube of all of them, at least one; neither order nor nesting matters.
    ///
    /// # Errors
    /// The cubes were folded by different rules, share a file, or one was made without the
    /// `rollout_stage` events that another saw.
    pub fn merge(mut cubes: Vec<Self>, plan: &Plan) -> Result<Self> {
        if cubes.len() == 1 {
            return Ok(cubes.remove(0));
        }
        cubes.windows(2).try_for_each(|pair| same_rules(&pair[0].header.rules, &pair[1].header.rules))?;
        no_shared_file(&cubes)?;
        let timeline = cubes.iter().fold(Timeline::default(), |all, cube| all.union(&cube.header.timeline));
        cubes.iter().try_for_each(|cube| agree(&cube.header, &timeline))?;
        let max_distinct = usize::from(plan.input.max_distinct);
        let error_types: Vec<&NameList> = cubes.iter().map(|cube| &cube.header.error_types).collect();
        let (error_types, error_numbers) = NameList::merge(&error_types, &listed_errors(plan), max_distinct);
        let (dimensions, segments, segment_numbers) = merge_segments(&cubes, plan);
        let numbers: Vec<_> = segment_numbers.into_iter().zip(error_numbers).collect();
        let mut files: Vec<FileLedger> = cubes.iter().flat_map(|cube| cube.header.files.iter().cloned()).collect();
        files.sort_by(|a, b| a.path.cmp(&b.path).then_with(|| a.digest.cmp(&b.digest)));
        let header = Header {
            format: cubes[0].header.format.clone(),
            version: cubes[0].header.version,
            rules: cubes[0].header.rules.clone(),
            timeline,
            placed_span: cubes.iter().fold(None, |span, cube| join_spans(span, cube.header.placed_span)),
            numbered_span: cubes.iter().fold(None, |span, cube| join_spans(span, cube.header.numbered_span)),
            dimensions,
            absorbed_dimensions: segments.absorbed,
            error_types,
            files,
        };
        let specs = cubes[0].specs();
        let (tables, ids): (Vec<Tables>, Vec<RequestIds>) =
            cubes.into_iter().map(|cube| (cube.tables, cube.request_ids)).unzip();
        let (tables, request_ids) = rayon::join(
            || merge_tables(&specs, tables, &numbers).map_err(damaged),
            || ids.into_iter().reduce(|all, more| all.merge(&more)).unwrap_or_default(),
        );
        Ok(Self { header, tables: tables?, segments: segments.tuples, request_ids })
    }
}

/// The names and segments of all cubes, and the numbers of each cube's segments among them.
fn merge_segments(cubes: &[Cube], plan: &Plan) -> (Vec<NameList>, SegmentList, Vec<Vec<u32>>) {
    let mut names = Vec::new();
    let mut renumberings: Vec<Vec<Renumbering>> = vec![Vec::new(); cubes.len()];
    for (index, listed) in listed_names(plan).into_iter().enumerate() {
        let parts: Vec<&NameList> = cubes.iter().map(|cube| &cube.header.dimensions[index]).collect();
        let (merged, numbers) = match listed {
            Some(listed) => NameList::merge(&parts, &listed, usize::from(plan.input.max_distinct)),
            None => (NameList::default(), vec![Renumbering::new(); cubes.len()]),
        };
        names.push(merged);
        renumberings.iter_mut().zip(numbers).for_each(|(of_cube, numbers)| of_cube.push(numbers));
    }
    let parts = cubes.iter().zip(&renumberings).map(|(cube, numbers)| renumbered(&cube.segments, numbers));
    let mut parts: Vec<Vec<Tuple>> = parts.collect();
    let absorbed = cubes.iter().map(|cube| cube.header.absorbed_dimensions).max().unwrap_or(0);
    let (list, numbers) = settle(&plan.schema.dimensions, &mut names, &mut parts, absorbed);
    (names, list, numbers)
}

fn merge_tables(
    specs: &[TableSpec],
    parts: Vec<Tables>,
    numbers: &[(Vec<u32>, Renumbering)],
) -> Result<Tables, PolarsError> {
    let mut by_table: Vec<Vec<DataFrame>> = specs.iter().map(|_| Vec::new()).collect();
    for part in parts {
        part.into_iter().zip(&mut by_table).for_each(|(table, tables)| tables.push(table));
    }
    let merge = |(spec, parts): (&TableSpec, Vec<DataFrame>)| {
        let mut whole: Option<DataFrame> = None;
        for (mut part, (segments, error_types)) in parts.into_iter().zip(numbers) {
            table::renumber_segments(&mut part, segments)?;
            table::renumber(&mut part, "error_type", error_types)?;
            match &mut whole {
                None => whole = Some(part),
                Some(whole) => {
                    whole.vstack_mut(&part)?;
                }
            }
        }
        table::normalise(spec, whole.unwrap_or_default())
    };
    let merged: Result<Vec<DataFrame>, PolarsError> = specs.par_iter().zip(by_table).map(merge).collect();
    let mut merged: Tables = merged?.try_into().expect("as many tables as there are");
    merged[table::EVENTS] = merged[table::EVENTS].head(Some(partial::MAX_EVENTS));
    Ok(merged)
}

fn no_shared_file(cubes: &[Cube]) -> Result<()> {
    let mut seen = FxHashMap::default();
    let files = cubes.iter().enumerate().flat_map(|(cube, of)| of.header.files.iter().map(move |file| (cube, file)));
    for (cube, file) in files.filter(|(_, file)| file.bytes > 0) {
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
    use crate::ingest::{source, timeline};
    use crate::run::Run;

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
        let inputs = source::resolve(&plan).unwrap();
        fold(&plan, &inputs.logs, timeline.clone(), &Run::new(2)).unwrap().into_cube().unwrap()
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
        timeline::collect_all(&source::resolve(&plan).unwrap().logs, &Run::new(1)).unwrap()
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
            let merge = |cubes: Vec<Cube>| Cube::merge(cubes, &plan).unwrap();
            let left = merge(vec![merge(vec![a.clone(), b.clone()]), c.clone()]);
            let right = merge(vec![a.clone(), merge(vec![b.clone(), c.clone()])]);
            let turned = merge(vec![c, b, a]);
            assert_same(&left, &whole);
            assert_same(&right, &whole);
            assert_same(&turned, &whole);
            prop_assert_eq!(left.header.files, turned.header.files);
        }

        #[test]
        fn a_cube_survives_the_disk(lines in log(), record in record()) {
            let folder = tempfile::tempdir().unwrap();
            let plan = plan_of(&record);
            let mut cube = folded_by(&plan, &lines, &timeline_of(&lines));
            let path = folder.path().join("x.cube");
            store::write(&mut cube, &path).unwrap();
            let read = store::read("x.cube", &path, &plan).unwrap();
            assert_same(&read, &cube);
            prop_assert_eq!(&read.header, &cube.header);
            // Another engine need not sort.
            let mut turned = Cube { tables: cube.tables.each_ref().map(DataFrame::reverse), ..cube.clone() };
            store::write(&mut turned, &path).unwrap();
            assert_same(&store::read("x.cube", &path, &plan).unwrap(), &cube);
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
            let read = store::read("x.cube", &path, &both).unwrap();
            let without = |lines: &[String]| -> Vec<String> { lines.iter().map(|line| line.replace("\"tokens\"", "\"t\"")).collect() };
            assert_same(&read, &folded_by(&both, &without(&lines), &timeline));
            let whole = folded_by(&both, &[without(&lines), more.clone()].concat(), &timeline);
            assert_same(&Cube::merge(vec![folded_by(&both, &more, &timeline), read], &both).unwrap(), &whole);
            // What the config does not name is not lost without a word.
            store::write(&mut folded_by(&both, &lines, &timeline), &path).unwrap();
            prop_assert!(store::read("x.cube", &path, &few).is_err());
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
            match store::read("x.cube", &path, &plan()) {
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
        assert_same(&store::read("x.cube", &path, &plan()).unwrap(), &cube);
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
            store::read("x.cube", &path, &plan()).expect_err("must be refused").to_string()
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
        let told = store::read("x.cube", &path, &plan()).expect_err("must be refused").to_string();
        assert!(told.contains("the bins of row 0 do not rise"), "{told}");
    }
}
