//! What the order of a group's hours says of how they depend on each other, and what that does to an interval.

use super::Level;
use super::chi_square::upper_tail;
use super::distributions::normal_upper_tail;

/// Fewest hours from which dependence can be told: hours of which each says about as much.
pub const FEWEST_HOURS: usize = 24;
/// Hours of a day.
const DAY: usize = 24;
/// Whole days from which the height of the hour of the day is taken off.
const DAYS_WITH_HOURS: usize = 3;
/// Whole days from which days are clusters.
const DAYS_AS_CLUSTERS: usize = 7;
/// Dependence is named where independent hours would show as much this rarely.
const NAMED_LEVEL: f64 = 0.01;
/// Hours that look alike are paid for where independent ones would look so this rarely: dependence that is overlooked
/// costs more coverage than width is lost on one group in ten.
const PAID_LEVEL: f64 = 0.1;
/// Span over hours with observations above which hours are taken in their order alone: nobody waits for a wrong clock.
const SPARSE: usize = 4;

/// How the hours of a group depend on each other, from least to most.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Dependence {
    /// Not beyond what chance shows, or too few hours to know.
    #[default]
    None,
    /// An hour resembles the one before.
    Hours,
    /// Days differ by more than their hours explain.
    Days,
}

/// The long-run variance of a sum over hours.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LongRun {
    /// What is sure enough to be named; less is enough to widen an interval.
    pub dependence: Dependence,
    /// Over the variance of independent hours, at least 1.
    pub ratio: f64,
    /// Of the long-run variance; infinite where hours are independent.
    pub degrees_of_freedom: f64,
}

impl LongRun {
    /// Hours that are independent.
    pub const INDEPENDENT: Self = Self { dependence: Dependence::None, ratio: 1.0, degrees_of_freedom: f64::INFINITY };

    /// The long-run variance from what each hour adds to the estimate: `hours` are (hour, influence), rising, and the
    /// influences of an estimate add up to 0.
    ///
    /// Dependence is looked for first: a lag-1 correlation of the hours that independent ones show in one of ten groups,
    /// and a variance of days as clusters that they show in one of a hundred. Where hours are alike it is the equal-weighted cosine estimate
    /// of Lazarus, Lewis, Stock and Watson (2018), after the height of the hour of the day is taken off from three
    /// whole days on; where days differ, from a week on, that of days as clusters, if its interval is the wider one.
    pub fn of(hours: &[(i64, f64)], level: Level) -> Self {
        let count = hours.len();
        let squares: f64 = hours.iter().map(|(_, z)| z * z).sum();
        let (Some((first, _)), Some((last, _))) = (hours.first(), hours.last()) else { return Self::INDEPENDENT };
        // As many hours of normal influences have these moments: a few events in a hundred hours are few hours.
        let fourths: f64 = hours.iter().map(|(_, z)| z.powi(4)).sum();
        let telling = (3.0 * squares * squares / fourths).min(count as f64);
        // What is no number is no more than any other.
        if !(squares > 0.0 && squares.is_finite() && telling >= FEWEST_HOURS as f64) {
            return Self::INDEPENDENT;
        }
        let independent = count as f64 / (count as f64 - 1.0) * squares;
        let span = usize::try_from(last - first + 1).unwrap_or(usize::MAX);
        let is_sparse = span > SPARSE * count;
        let mut series: Vec<f64> = if is_sparse {
            hours.iter().map(|(_, z)| *z).collect()
        } else {
            let mut series = vec![0.0; span];
            hours.iter().for_each(|(hour, z)| series[(hour - first) as usize] += z);
            series
        };
        let by_days = if is_sparse { None } else { days(&series, independent) };
        let whole_days = series.len() / DAY;
        let lost = if !is_sparse && whole_days >= DAYS_WITH_HOURS { take_hours_off(&mut series) } else { 1.0 };
        let chance = correlation_p_value(&series, telling);
        let by_hours = (chance < PAID_LEVEL).then(|| {
            let (variance, degrees) = cosines(&series);
            let named = if chance < NAMED_LEVEL { Dependence::Hours } else { Dependence::None };
            (named, variance * lost, degrees)
        });
        let reach = |(_, variance, degrees): &(Dependence, f64, f64)| level.t(*degrees) * variance.sqrt();
        let widest = by_hours.into_iter().chain(by_days).max_by(|a, b| reach(a).total_cmp(&reach(b)));
        let Some((dependence, variance, degrees_of_freedom)) = widest else { return Self::INDEPENDENT };
        Self { dependence, ratio: (variance / independent).max(1.0), degrees_of_freedom }
    }

    /// How much wider an interval is for it than one of independent hours with so many degrees of freedom; at least 1.
    pub fn widening(self, degrees_of_freedom: f64, level: Level) -> f64 {
        if self.degrees_of_freedom.is_infinite() {
            return 1.0;
        }
        let (own, plain) = (level.t(self.degrees_of_freedom), level.t(degrees_of_freedom));
        (self.ratio.sqrt() * own / plain).max(1.0)
    }
}

/// How often independent hours have a lag-1 correlation like these, of which so many tell something.
fn correlation_p_value(series: &[f64], telling: f64) -> f64 {
    let squares: f64 = series.iter().map(|z| z * z).sum();
    let products: f64 = series.windows(2).map(|pair| pair[0] * pair[1]).sum();
    if squares > 0.0 { normal_upper_tail(products / squares * telling.sqrt()) } else { 1.0 }
}

/// Takes the mean of each hour of the day off; returns what the variance of the rest has lost by it.
fn take_hours_off(series: &mut [f64]) -> f64 {
    let length = series.len();
    for hour in 0..DAY {
        let of_hour = || (hour..length).step_by(DAY);
        let mean = of_hour().map(|index| series[index]).sum::<f64>() / of_hour().count() as f64;
        of_hour().for_each(|index| series[index] -= mean);
    }
    length as f64 / (length - DAY) as f64
}

/// Equal-weighted cosine estimate of the variance of the sum, and its degrees of freedom: T/B Σ L², L of cosine j
/// sqrt(2/T) Σ z cos(π j (h - 1/2) / T), B = 0.4 T^(2/3) (Lazarus, Lewis, Stock and Watson 2018).
fn cosines(series: &[f64]) -> (f64, f64) {
    let length = series.len() as f64;
    let count = (0.4 * length.powf(2.0 / 3.0)).round().max(4.0);
    let cosine = |j: f64| {
        let at = |index: usize| (std::f64::consts::PI * j * (index as f64 + 0.5) / length).cos();
        let sum: f64 = series.iter().enumerate().map(|(index, z)| z * at(index)).sum();
        2.0 / length * sum * sum
    };
    let squares: f64 = (1..=count as usize).map(|j| cosine(j as f64)).sum();
    (length / count * squares, count)
}

/// Variance of the sum with whole days as clusters, where it is beyond what independent hours show.
fn days(series: &[f64], independent: f64) -> Option<(Dependence, f64, f64)> {
    let count = series.len() / DAY;
    if count < DAYS_AS_CLUSTERS {
        return None;
    }
    // The hours that make up no whole day are with the last.
    let sums = (0..count).map(|day| {
        let end = if day + 1 == count { series.len() } else { (day + 1) * DAY };
        series[day * DAY..end].iter().sum::<f64>()
    });
    let degrees = count as f64 - 1.0;
    let variance = count as f64 / degrees * sums.map(|sum| sum * sum).sum::<f64>();
    let chance = upper_tail(variance / independent * degrees, degrees);
    (chance < NAMED_LEVEL).then_some((Dependence::Days, variance, degrees))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Stream;

    #[track_caller]
    fn close(got: f64, want: f64) {
        assert!((got / want - 1.0).abs() < 1e-9, "{got} for {want}");
    }

    fn series(length: usize, phi: f64, seed: u64) -> Vec<(i64, f64)> {
        let mut random = Stream::new(seed, "dependence");
        let mut state = random.normal();
        let values: Vec<f64> = (0..length)
            .map(|_| {
                state = phi * state + (1.0 - phi * phi).sqrt() * random.normal();
                state
            })
            .collect();
        let mean = values.iter().sum::<f64>() / length as f64;
        (0..).zip(values).map(|(hour, value)| (hour, value - mean)).collect()
    }

    // tests/reference/dependence.py prints these; numpy 2.4, scipy 1.17.
    #[test]
    fn known_long_run_variances() {
        let wave = |length: i64, block: i64| -> Vec<(i64, f64)> {
            (0..length).map(|hour| (hour, ((hour * hour) % 7) as f64 - 2.0 + (hour / block % 2) as f64 * 4.0)).collect()
        };
        let centred = |hours: Vec<(i64, f64)>| -> Vec<(i64, f64)> {
            let mean = hours.iter().map(|(_, z)| z).sum::<f64>() / hours.len() as f64;
            hours.into_iter().map(|(hour, z)| (hour, z - mean)).collect()
        };
        let short = LongRun::of(&centred(wave(40, 9)), Level::P95);
        assert_eq!(short.dependence, Dependence::Hours);
        close(short.ratio, KNOWN_40);
        assert_eq!(short.degrees_of_freedom, 5.0);
        let long = LongRun::of(&centred(wave(100, 17)), Level::P95);
        close(long.ratio, KNOWN_100);
        assert_eq!(long.degrees_of_freedom, 9.0);
        // Days whose level changes from one to the next, and hours that say no more.
        let stepped = (0..240).map(|hour| (hour, (hour / 24 % 3) as f64 + ((hour * 5) % 11) as f64 / 4.0)).collect();
        let stepped = LongRun::of(&centred(stepped), Level::P95);
        assert_eq!(stepped.dependence, Dependence::Days);
        close(stepped.ratio, KNOWN_DAYS);
        assert_eq!(stepped.degrees_of_freedom, 9.0);
    }

    const KNOWN_40: f64 = 4.4758987497254985;
    const KNOWN_100: f64 = 7.381509730907326;
    const KNOWN_DAYS: f64 = 13.95383093932539;

    #[test]
    fn independent_hours_pay_nothing() {
        let all: Vec<LongRun> = (0..400).map(|seed| LongRun::of(&series(96, 0.0, seed), Level::P95)).collect();
        let share = |of: fn(&LongRun) -> bool| all.iter().filter(|found| of(found)).count() as f64 / 400.0;
        let (named, paid) =
            (share(|found| found.dependence != Dependence::None), share(|found| *found != LongRun::INDEPENDENT));
        assert!(named < 0.03 && paid < 0.13, "{named} {paid}");
        let width = all.iter().map(|found| found.widening(95.0, Level::P95)).sum::<f64>() / 400.0;
        assert!(width < 1.06, "{width}");
    }

    #[test]
    fn hours_that_follow_each_other_are_found() {
        let found = |length, phi| {
            let is_found =
                |seed: &u64| LongRun::of(&series(length, phi, *seed), Level::P95).dependence == Dependence::Hours;
            (0..200).filter(is_found).count()
        };
        let found = [found(48, 0.7), found(96, 0.5), found(96, 0.7), found(168, 0.3)];
        assert!(found.iter().all(|found| *found > 150), "{found:?}");
    }

    #[test]
    fn a_cycle_of_the_day_is_no_dependence() {
        let mut random = Stream::new(7, "cycle");
        let hour = |hour: i64| (hour, (hour as f64 / 24.0 * std::f64::consts::TAU).sin() + 0.5 * random.normal());
        let hours: Vec<(i64, f64)> = (0..24 * 10).map(hour).collect();
        let mean = hours.iter().map(|(_, z)| z).sum::<f64>() / hours.len() as f64;
        let hours: Vec<(i64, f64)> = hours.into_iter().map(|(hour, z)| (hour, z - mean)).collect();
        assert_eq!(LongRun::of(&hours, Level::P95).dependence, Dependence::None);
    }

    #[test]
    fn too_little_to_know_is_no_dependence() {
        assert_eq!(LongRun::of(&series(23, 0.9, 1), Level::P95), LongRun::INDEPENDENT);
        assert_eq!(LongRun::of(&[], Level::P95), LongRun::INDEPENDENT);
        assert_eq!(LongRun::of(&[(3, 0.0); 30], Level::P95), LongRun::INDEPENDENT);
        // Three failures side by side in a week.
        let rare = |hour: i64| (hour, if (70..73).contains(&hour) { 1.0 } else { 0.0 } - 3.0 / 168.0);
        assert_eq!(LongRun::of(&(0..168).map(rare).collect::<Vec<_>>(), Level::P95), LongRun::INDEPENDENT);
        // A clock that is wrong by centuries costs no memory.
        let mut far = series(40, 0.9, 1);
        far.push((i64::MAX / 2, 0.0));
        assert!(LongRun::of(&far, Level::P95).ratio >= 1.0);
    }

    #[test]
    fn an_interval_is_widened_by_what_is_known_less_well() {
        let known = LongRun { dependence: Dependence::Hours, ratio: 4.0, degrees_of_freedom: 9.0 };
        close(known.widening(95.0, Level::P95), 2.0 * Level::P95.t(9.0) / Level::P95.t(95.0));
        assert_eq!(LongRun::INDEPENDENT.widening(3.0, Level::P95), 1.0);
    }
}
