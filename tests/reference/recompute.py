"""Recomputes figures of a report from the log alone, with numpy and scipy, and shares no line with the program.

    python tests/reference/recompute.py target/release/stagegate

writes rollouts whose hours depend on each other in several ways (full-precision durations, bursts, quiet nights, days
that differ), runs the program on each, and compares: rates, their design effects and intervals, and means to 1e-9;
medians and their intervals to the width of the program's bins.
"""

import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
from scipy import stats

from dependence import long_run

START = 1_762_128_000  # 2025-11-03T00:00:00Z
STAGES = [(0, 100), (10, 60), (50, 80), (100, 200)]
ARMS = ("all", "treated", "control", "per_protocol")
Z = stats.norm.ppf(0.975)


def rollout(kind, seed):
    """Lines of a log, and its records as (stage, arm word, end in s, duration in ms, success, error)."""
    random = np.random.default_rng(seed)
    lines, records, start = [], [], START
    weather = random.normal()
    day = {}
    for stage, (percentage, hours) in enumerate(STAGES):
        lines.append(json.dumps({"event_type": "rollout_stage", "percentage": percentage, "timestamp": start}))
        for hour in range(hours):
            at = start + 3600 * hour
            weather = 0.7 * weather + np.sqrt(0.51) * random.normal() if kind == "following" else random.normal()
            today = day.setdefault(at // 86400, random.normal())
            effect = (weather + today) / np.sqrt(2) if kind == "days" else weather
            volume = 25 * (1 + 0.8 * np.sin(2 * np.pi * (at % 86400) / 86400)) if kind == "nights" else 25
            count = 12 * random.poisson(volume / 12) if kind == "bursts" else random.poisson(volume)
            for _ in range(count):
                treated = random.uniform() < percentage / 100
                word = ("sync_fallback" if random.uniform() < 0.03 else "async") if treated else "sync"
                duration = (500 if treated else 900) * np.exp(0.2 * effect + 0.6 * random.normal())
                failed = random.uniform() < 0.04 * np.exp(0.7 * effect)
                error = (["TimeoutError", "ServerError"][random.integers(2)]) if failed else None
                end = at + 3599.5 * random.uniform() + duration / 1000
                record = {"duration_ms": duration, "success": not failed, "timestamp": end, "execution_type": word, "error_type": error}
                keys = list(record)
                random.shuffle(keys)
                lines.append(json.dumps({key: record[key] for key in keys}))
                # Ends count in their hour; the stage is that of the start.
                records.append((stage, word, end, duration, not failed, error))
        start += 3600 * hours
    return lines, records


def wilson(events, n):
    share = events / n
    centre = (share + Z * Z / (2 * n)) / (1 + Z * Z / n)
    half = Z / (1 + Z * Z / n) * np.sqrt(share * (1 - share) / n + Z * Z / (4 * n * n))
    poisson = lambda events: stats.gamma.ppf(0.05, events) / n if 0 < events < 1.5 else (0.0 if events <= 0 else np.inf)
    low = 0.0 if events <= 0 else max(centre - half, 0.0)
    high = 1.0 if events >= n else min(centre + half, 1.0)
    return min(low, poisson(events)), max(high, 1 - poisson(n - events))


def by_hour(hours, *values):
    """Sums by hour, and how long the span from the first hour to the last is."""
    first = hours.min()
    length = int(hours.max() - first + 1)
    return [np.bincount((hours - first).astype(int), weights=value, minlength=length) for value in values]


def design_effect(y, n):
    """Of hourly events and observations: (value, divisor)."""
    used = n > 0
    count, total, events = used.sum(), n.sum(), y.sum()
    if count < 8 or events in (0, total):
        return 1.0, 1.0
    rate = events / total
    z = np.where(used, y - rate * n, 0.0)
    ratio = count / (count - 1) * np.sum(z**2) / total**2 / (rate * (1 - rate) / total)
    degrees = max(total**2 / np.sum(n**2) - 1, 1)
    _, more, fewer = long_run(z, count)
    ratio, degrees = ratio * more, min(degrees, fewer)
    penalty = (max(stats.t.ppf(0.975, degrees), Z) / Z) ** 2 if np.isfinite(degrees) else 1.0
    return max(ratio, 1.0), max(ratio * penalty, 1.0)


class Differences(list):
    def check(self, what, got, want, tolerance):
        if abs(got - want) > tolerance * max(abs(want), 1e-12):
            self.append(f"{what}: the report says {got!r}, the recomputation {want!r}")


def compare(report, records, name):
    wrong, compared = Differences(), 0
    table = {
        "stage": np.array([record[0] for record in records]),
        "word": np.array([record[1] for record in records]),
        "hour": np.array([record[2] // 3600 for record in records]),
        "ms": np.round(np.array([record[3] for record in records]) * 1e6) / 1e6,
        "ok": np.array([record[4] for record in records], float),
        "timeout": np.array([record[5] == "TimeoutError" for record in records], float),
    }
    words = {"all": None, "treated": ["async", "sync_fallback"], "control": ["sync"], "per_protocol": ["async"]}
    for index, stage in enumerate(report["stages"]):
        for arm in ARMS:
            own = table["stage"] == index
            if words[arm]:
                own &= np.isin(table["word"], words[arm])
            group = stage["groups"][arm]
            wrong.check(f"{name} {stage['name']} {arm} n", group["n"], own.sum(), 0)
            if own.sum() == 0:
                continue
            part = {key: value[own] for key, value in table.items()}
            one = np.ones(len(part["ok"]))
            for metric, events in (("success_rate", part["ok"]), ("error_rate", 1 - part["ok"]), ("timeout_rate", part["timeout"])):
                figure, at = group[metric], f"{name} {stage['name']} {arm} {metric}"
                y, n = by_hour(part["hour"], events, one)
                value, divisor = design_effect(y, n)
                wrong.check(at, figure["value"], events.mean(), 1e-12)
                wrong.check(f"{at} design effect", figure["design_effect"], value, 1e-9)
                for end, got, want in zip(("low", "high"), figure["ci"], wilson(y.sum() / divisor, n.sum() / divisor)):
                    wrong.check(f"{at} {end}", got, want, 1e-9)
                compared += 4
            good = part["ok"] == 1
            if good.sum() == 0:
                continue
            wrong.check(f"{name} {stage['name']} {arm} mean", group["latency_mean_ms"]["value"], part["ms"][good].mean(), 1e-9)
            ordered = np.sort(part["ms"][good])
            median = ordered[int(np.ceil(0.5 * len(ordered))) - 1]
            wrong.check(f"{name} {stage['name']} {arm} median", group["latency_p50_ms"]["value"], median, 2e-3)
            compared += 2
    return wrong, compared


def main(program):
    plan = "".join(f'[[stages]]\nname = "{percentage}%"\npercentage = {percentage}\n' for percentage, _ in STAGES)
    all_wrong, all_compared = [], 0
    for seed, kind in enumerate(["independent", "following", "days", "nights", "bursts"], 1):
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            lines, records = rollout(kind, seed)
            (folder / "rollout.toml").write_text(plan)
            (folder / "log.jsonl").write_text("\n".join(lines) + "\n")
            program = pathlib.Path(program).resolve()
            run = subprocess.run([program, "report", "--out", "out", "log.jsonl"], cwd=folder, capture_output=True, text=True)
            if run.returncode != 0:
                sys.exit(f"{kind}: {run.stderr}")
            report = json.loads((folder / "out/report.json").read_text())
            wrong, compared = compare(report, records, kind)
            named = sum("hours_correlated" in text or "days_differ" in text for text in map(str, report["stages"]))
            print(f"{kind}: {compared} figures of {len(records)} records agree but for {len(wrong)}; dependence in {named} of 4 stages")
            all_wrong += wrong
            all_compared += compared
    if all_wrong:
        sys.exit("\n".join(all_wrong[:40]))
    print(f"all {all_compared} figures agree")


if __name__ == "__main__":
    main(*sys.argv[1:])
