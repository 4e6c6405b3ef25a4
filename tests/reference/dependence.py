"""Long-run variances of hours, by their formulas alone: what crates/stats/src/dependence.rs must give.

    python tests/reference/dependence.py

needs numpy and scipy, shares no line with the program, and prints the numbers that its tests hold.
"""

import numpy as np
from scipy import stats

NAMED, PAID = 0.01, 0.1


def influences(values):
    values = np.asarray(values, float)
    return values - values.mean()


def long_run(z, count=None):
    """Influences by hour (zeros where an hour has no record) -> (kind, ratio to independent hours, degrees of freedom)."""
    z = np.asarray(z, float)
    length, count = len(z), count or len(z)
    independent = count / (count - 1) * np.sum(z**2)
    telling = min(count, 3 * np.sum(z**2) ** 2 / np.sum(z**4))
    if telling < 24:
        return "none", 1.0, np.inf
    candidates = []
    whole = length // 24
    rest, lost = z.copy(), 1.0
    if whole >= 3:
        hour_of_day = np.arange(length) % 24
        for hour in range(24):
            rest[hour_of_day == hour] -= z[hour_of_day == hour].mean()
        lost = length / (length - 24)
    correlation = np.sum(rest[1:] * rest[:-1]) / np.sum(rest**2)
    chance = stats.norm.sf(correlation * np.sqrt(telling))
    if chance < PAID:
        terms = int(max(np.floor(0.4 * length ** (2 / 3) + 0.5), 4))
        j = np.arange(1, terms + 1)[:, None]
        cosines = np.sqrt(2 / length) * np.cos(np.pi * j * (np.arange(length) + 0.5) / length) @ rest
        candidates.append(("hours" if chance < NAMED else "none", length / terms * np.sum(cosines**2) * lost, terms))
    if whole >= 7:
        sums = np.add.reduceat(z, np.arange(whole) * 24)
        variance = whole / (whole - 1) * np.sum(sums**2)
        if stats.chi2.sf(variance / independent * (whole - 1), whole - 1) < NAMED:
            candidates.append(("days", variance, whole - 1))
    if not candidates:
        return "none", 1.0, np.inf
    kind, variance, degrees = max(candidates, key=lambda found: stats.t.ppf(0.975, found[2]) * np.sqrt(found[1]))
    return kind, max(variance / independent, 1.0), degrees


if __name__ == "__main__":
    wave = lambda length, block: [(h * h) % 7 - 2.0 + (h // block % 2) * 4.0 for h in range(length)]
    print(40, long_run(influences(wave(40, 9))))
    print(100, long_run(influences(wave(100, 17))))
    print(240, long_run(influences([h // 24 % 3 + (h * 5) % 11 / 4.0 for h in range(240)])))
