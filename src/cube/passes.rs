//! How often the logs are read, and by whom: in one pass where that can be, in two where events must be known first.

use rayon::prelude::*;

use super::fold::{Batch, Folded, Ids, Shared, Worker};
use super::key::METRIC_MEASURES;
use super::tries::Counting;
use crate::config::Plan;
use crate::error::{Error, Position, Result};
use crate::ingest::chunks::{self, Content, Outcomes, Pool, Queue};
use crate::ingest::source::Source;
use crate::ingest::timeline::{self, GrowingTimeline, Timeline};
use crate::run::Run;
use crate::schema::record::MAX_MEASURES;

/// What is known of the stage events before the first line is read.
#[derive(Debug)]
pub enum Events {
    /// Those of other inputs: the logs may hold more.
    Of(Timeline),
    /// All that there are: none is searched.
    All(Timeline),
}

/// Folds the logs under the plan.
///
/// Which stage an upload belongs to depends on events that may stand behind it, or in another file. One log, and
/// archives, are read once all the same: their lines are placed by the events read so far, and what a later one shows
/// to have been wrong (a log that is not in the order of time) is read again. In plain files among several the events
/// are searched first, which is faster than a second reading.
///
/// # Errors
/// A file that cannot be read.
pub fn fold(plan: &Plan, sources: &[Source], events: Events, run: &Run) -> Result<Folded> {
    // Room for as many measures as there are: cells are kept small, as most logs have one.
    match plan.schema.measures.len() {
        0 | 1 => fold_measures::<1, 3>(plan, sources, events, run),
        2 => fold_measures::<2, 4>(plan, sources, events, run),
        3 | 4 => fold_measures::<4, 6>(plan, sources, events, run),
        _ => fold_measures::<MAX_MEASURES, { MAX_MEASURES + METRIC_MEASURES }>(plan, sources, events, run),
    }
}

fn fold_measures<const M: usize, const L: usize>(
    plan: &Plan,
    sources: &[Source],
    events: Events,
    run: &Run,
) -> Result<Folded> {
    if !plan.schema.tries.is_all() {
        return fold_one_try::<M, L>(plan, sources, events, run);
    }
    let known = match events {
        Events::Of(known) => known,
        Events::All(whole) => {
            let whole = GrowingTimeline::whole(whole);
            return Ok(run.time("read", || fold_under::<M, L>(Shared::new(plan, sources), &whole, run))?.0);
        }
    };
    if let [source] = sources
        && source.stage.is_none()
    {
        let growing = GrowingTimeline::from(known);
        let (folded, misplaced) = run.time("read", || fold_under::<M, L>(Shared::new(plan, sources), &growing, run))?;
        if misplaced {
            let whole = GrowingTimeline::whole(Timeline::clone(&growing.now()));
            return Ok(run.time("read again", || fold_under::<M, L>(Shared::new(plan, sources), &whole, run))?.0);
        }
        return Ok(folded);
    }
    let archives = sources.iter().any(|source| !source.packing.is_plain());
    // Uploads of other days are left out by where they are placed: then what was counted cannot be mended.
    if archives
        && plan.by_day.is_none()
        && !timeline::is_needless(sources)
        && let Some(folded) = fold_unpacking_once::<M, L>(plan, sources, &known, run)?
    {
        return Ok(folded);
    }
    let own = run.time("timeline", || timeline::collect_all(sources, run))?;
    let whole = GrowingTimeline::whole(known.union(&own));
    Ok(run.time("read", || fold_under::<M, L>(Shared::new(plan, sources), &whole, run))?.0)
}

/// Folds of the rows of a request the one that counts. Which that is shows when all were read: the logs are read for
/// their events, for their ids, and to fold them.
fn fold_one_try<const M: usize, const L: usize>(
    plan: &Plan,
    sources: &[Source],
    events: Events,
    run: &Run,
) -> Result<Folded> {
    if let Some(part) = sources.iter().find(|source| source.range.is_some()) {
        return Err(Error::new("which try counts shows in the whole log only, and this is a part of it")
            .at(Position::file(&part.name))
            .help("leave out [record] tries, or fold the log as one"));
    }
    let whole = match events {
        Events::All(whole) => whole,
        Events::Of(known) => known.union(&run.time("timeline", || timeline::collect_all(sources, run))?),
    };
    let whole = GrowingTimeline::whole(whole);
    let all: Vec<usize> = (0..sources.len()).collect();
    let gathering = Shared::new(plan, sources);
    let (units, _) = run.time("tries", || scan::<M, L>(&gathering, &all, &whole, Ids::Gather, run))?;
    let mut shared = Shared::new(plan, sources);
    shared.counting = Counting::new(plan.schema.tries, units.into_iter().flat_map(|unit| unit.tries).collect());
    Ok(run.time("read", || fold_under::<M, L>(shared, &whole, run))?.0)
}

/// Folds all sources side by side, and tells whether a line was placed by events that a later one contradicts.
fn fold_under<const M: usize, const L: usize>(
    shared: Shared<'_>,
    timeline: &GrowingTimeline,
    run: &Run,
) -> Result<(Folded, bool)> {
    let all: Vec<usize> = (0..shared.sources.len()).collect();
    let (units, outcomes) = scan::<M, L>(&shared, &all, timeline, Ids::Count, run)?;
    let whole = timeline.now();
    let misplaced = units.iter().any(|unit| unit.misplaced(&whole));
    let parts = units.into_iter().map(|unit| unit.parts).collect();
    Ok((shared.folded(&whole, parts, outcomes), misplaced))
}

/// Folds the sources numbered `which`, their chunks by any worker.
fn scan<const M: usize, const L: usize>(
    shared: &Shared<'_>,
    which: &[usize],
    timeline: &GrowingTimeline,
    ids: Ids,
    run: &Run,
) -> Result<(Vec<Batch<M>>, Outcomes)> {
    let scanned = chunks::scan(
        shared.sources,
        which,
        run,
        |source, content, origin| timeline.see(source, content, origin),
        || Worker::<M, L>::new(shared, timeline.now(), ids),
        |worker, chunk| worker.chunk(chunk),
    );
    let (workers, outcomes) = scanned?;
    Ok((workers.into_par_iter().map(|mut worker| worker.hand_over()).collect(), outcomes))
}

/// Packed bytes that are folded by themselves, at least: what a wrongly placed line costs to read again.
const UNIT_BYTES: u64 = 4 << 20;
/// Units of a run, about: what each of them folded is held until the whole timeline is known.
const UNITS: u64 = 64;

/// Folds archives each by one thread, without knowing the events of the others, and those that this placed wrongly
/// again; then the plain files. `None` where a line could not be placed, before or after: it was counted, or not, as
/// if that were certain.
fn fold_unpacking_once<const M: usize, const L: usize>(
    plan: &Plan,
    sources: &[Source],
    known: &Timeline,
    run: &Run,
) -> Result<Option<Folded>> {
    let shared = Shared::new(plan, sources);
    let (plain, packed): (Vec<usize>, Vec<usize>) =
        (0..sources.len()).partition(|index| sources[*index].packing.is_plain());
    let of_plain = run.time("timeline", || timeline::collect(sources, &plain, run))?;
    let growing = GrowingTimeline::from(known.union(&of_plain));
    let folded =
        run.time("read", || fold_units::<M, L>(&shared, units(sources, &packed), &growing, Ids::Count, run))?;
    let whole = growing.now();
    let (wrong, mut right): (Vec<_>, Vec<_>) = folded.into_iter().partition(|(unit, _)| unit.misplaced(&whole));
    let whole = GrowingTimeline::whole(Timeline::clone(&whole));
    if !wrong.is_empty() {
        let numbers = |outcomes: &Outcomes| outcomes.iter().map(|(index, _)| *index).collect();
        let units: Vec<Vec<usize>> = wrong.iter().map(|(_, outcomes)| numbers(outcomes)).collect();
        units.iter().flatten().for_each(|index| shared.forget_lines(*index));
        let again = run.time("read again", || fold_units::<M, L>(&shared, units, &whole, Ids::Known, run))?;
        if wrong.iter().chain(&again).any(|(unit, _)| unit.unplaced) {
            return Ok(None);
        }
        right.extend(again);
    }
    let (mut units, outcomes): (Vec<Batch<M>>, Vec<Outcomes>) = right.into_iter().unzip();
    let mut outcomes = outcomes.concat();
    if !plain.is_empty() {
        let (of_plain, read) = run.time("read", || scan::<M, L>(&shared, &plain, &whole, Ids::Count, run))?;
        units.extend(of_plain);
        outcomes.extend(read);
    }
    let parts = units.into_iter().map(|unit| unit.parts).collect();
    Ok(Some(shared.folded(&whole.now(), parts, outcomes)))
}

/// Sources that follow each other, put together.
fn units(sources: &[Source], which: &[usize]) -> Vec<Vec<usize>> {
    let all: u64 = which.iter().map(|index| sources[*index].bytes).sum();
    let enough = UNIT_BYTES.max(all / UNITS);
    let (mut units, mut unit, mut bytes) = (Vec::new(), Vec::new(), 0);
    for index in which {
        unit.push(*index);
        bytes += sources[*index].bytes;
        if bytes >= enough {
            units.push(std::mem::take(&mut unit));
            bytes = 0;
        }
    }
    units.extend((!unit.is_empty()).then_some(unit));
    units
}

/// Folds units of sources, each by one thread; what each gave, with the outcomes of its sources.
fn fold_units<const M: usize, const L: usize>(
    shared: &Shared<'_>,
    units: Vec<Vec<usize>>,
    timeline: &GrowingTimeline,
    ids: Ids,
    run: &Run,
) -> Result<Vec<(Batch<M>, Outcomes)>> {
    let threads = run.threads.min(units.len());
    let units = &Queue::new(units);
    std::thread::scope(|scope| {
        let folding = || {
            let mut worker = Worker::<M, L>::new(shared, timeline.now(), ids);
            let pool = Pool::default();
            units.map(|unit| {
                let mark = |source: &Source, content: &Content, origin| timeline.see(source, content, origin);
                let outcomes: Result<Outcomes> = unit
                    .into_iter()
                    .map(|index| {
                        let source = &shared.sources[index];
                        let outcome = chunks::read(index, source, &pool, run, mark, |chunk| worker.chunk(&chunk))?;
                        Ok((index, outcome))
                    })
                    .collect();
                Ok((worker.hand_over(), outcomes?))
            })
        };
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(folding)).collect();
        let folded: Result<Vec<_>> = threads.into_iter().map(chunks::join).collect();
        Ok(folded?.into_iter().flatten().collect())
    })
}
