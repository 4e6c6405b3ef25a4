"""Makes small/log.jsonl and small/expected.json: a log of three stages, and its figures computed
from the definitions in docs/methodology.md with numpy and nothing of stagegate.

    pip install numpy scipy && python3 tests/it/cases/make_small.py
"""
import collections
import datetime
import json
import math
import pathlib
import random

import numpy as np
from scipy import stats

HERE = pathlib.Path(__file__).parent / "small"
START = 1_762_905_600  # 2025-11-12T00:00:00Z
TIMEOUTS = {"TimeoutError", "ReadTimeout"}
ARMS = {
    "all": ("sync", "async", "sync_fallback"),
    "treated": ("async", "sync_fallback"),
    "control": ("sync",),
    "per_protocol": ("async",),
}
STAGES = [("baseline", 0, 0, 10), ("50%", 50, 10, 22), ("100%", 100, 22, 34)]


def iso(seconds):
    return datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%f")


def make():
    rng = random.Random(20251118)
    lines, uploads = [], []
    for name, percentage, first, last in STAGES:
        if percentage:
            lines.append((START + first * 3600, {"event_type": "rollout_stage", "timestamp": iso(START + first * 3600), "stage": 1, "percentage": percentage}))
        for hour in range(first, last):
            weather = rng.lognormvariate(0, 0.2)
            for _ in range(rng.randint(4, 9)):
                treated = rng.random() < percentage / 100
                kind = "sync" if not treated else ("sync_fallback" if rng.random() < 0.1 else "async")
                duration = round(1500 * weather * (0.6 if kind == "async" else 1) * rng.lognormvariate(0, 0.4), 2)
                end = round(START + hour * 3600 + 60 + rng.random() * 3500, 6)
                success = rng.random() > (0.02 if treated else 0.12)
                error = None if success else rng.choice(["TimeoutError", "ReadTimeout", "ConnectionError"])
                upload = {
                    "execution_type": kind, "success": success, "duration_ms": duration, "timestamp": iso(end),
                    "error_type": error, "fallback_used": kind == "sync_fallback",
                    "file_size_mb": rng.choice([0.5, 2.25, 12.0, 0]), "provider": rng.choice(["kimi", "glm", None]),
                    "request_id": f"r-{len(uploads):04}", "file_type": rng.choice(["json", "csv"]),
                    "memory_mb": round(rng.uniform(20, 40), 1) if rng.random() < 0.9 else None,
                }
                upload["end"], upload["stage_name"] = end, name
                uploads.append(upload)
                lines.append((end, {key: value for key, value in upload.items() if key not in ("end", "stage_name")}))
    lines.sort(key=lambda line: line[0])
    (HERE / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for _, line in lines))
    return uploads


def wilson(successes, n):
    z = 1.959963984540054
    share = successes / n
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    low, high = max(0.0, centre - half), min(1.0, centre + half)
    # Brown, Cai and DasGupta (2001): the end next to 0 or 1 of a single event.
    if 0 < successes < 1.5:
        low = min(low, stats.gamma.ppf(0.05, successes) / n)
    if 0 < n - successes < 1.5:
        high = max(high, 1 - stats.gamma.ppf(0.05, n - successes) / n)
    return [low, high]


def nearest_rank(values, q):
    return sorted(values)[math.ceil(q * len(values) - 1e-9) - 1]


def penalty(sizes):
    """Korn and Graubard: (t / z)^2 with Kish's effective number of hours, less one."""
    sizes = np.asarray(sizes, float)
    return (stats.t.ppf(0.975, max(1.0, sizes.sum() ** 2 / (sizes**2).sum() - 1)) / 1.959963984540054) ** 2


def studentised(blocks, rng):
    """Bootstrap-t of sum(y) / sum(n) over blocks, on the log scale."""
    y, n = np.array(blocks, float).T
    k = len(y)

    def estimate(w):
        r = (w * y).sum() / (w * n).sum()
        return r, np.sqrt((w * (y - r * n) ** 2).sum()) / (w * y).sum()

    value, error = estimate(np.ones(k))
    error *= math.sqrt(1 + 1 / max(1.0, n.sum() ** 2 / (n**2).sum() - 1))
    draws = [estimate(np.bincount(rng.integers(0, k, k), minlength=k)) for _ in range(8000)]
    off = [math.log(r / value) / e for r, e in draws if e > 0]
    low, high = np.percentile(off, [2.5, 97.5])
    return [value * math.exp(-high * error), value * math.exp(-low * error)]


def woodruff(blocks, q):
    """Wilson's interval of the share at or below the quantile, on effective counts, turned over."""
    values = sorted(value for block in blocks for value in block)
    at = nearest_rank(values, q)
    y = np.array([sum(value <= at for value in block) for block in blocks], float)
    n = np.array([len(block) for block in blocks], float)
    y, n = y[n > 0], n[n > 0]
    k, p = len(n), y.sum() / n.sum()
    z = y - p * n
    ratio = k / (k - 1) * (z**2).sum() / n.sum() ** 2 / (p * (1 - p) / n.sum())
    spread = (z**4).sum() - (z**2).sum() ** 2 / k
    moments = max(2.0, 2 * (z**2).sum() ** 2 / spread)
    sizes = max(1.0, n.sum() ** 2 / (n**2).sum() - 1)
    divisor = max(1.0, max(1.0, ratio) * (stats.t.ppf(0.975, min(moments, sizes)) / 1.959963984540054) ** 2)
    effective = n.sum() / divisor
    low, high = wilson(q * effective, effective)
    return [nearest_rank(values, low), nearest_rank(values, high)]


def figures(group, rng):
    ok = [upload for upload in group if upload["success"]]
    durations = np.array([upload["duration_ms"] for upload in ok])
    busy = set()
    for upload in group:
        start = math.floor(round(upload["end"] - upload["duration_ms"] / 1000, 6))
        busy.update(range(start, math.floor(upload["end"]) + 1))
    hours = collections.defaultdict(list)
    for upload in group:
        hours[int(upload["end"] // 3600)].append(upload)
    blocks = list(hours.values())
    y = np.array([sum(upload["success"] for upload in block) for block in blocks])
    n = np.array([len(block) for block in blocks])
    rate = y.sum() / n.sum()
    deff = 1.0
    if len(blocks) >= 8 and 0 < rate < 1:
        k = len(blocks)
        ratio = k / (k - 1) * ((y - rate * n) ** 2).sum() / n.sum() ** 2 / (rate * (1 - rate) / n.sum())
        deff = max(1.0, ratio * penalty(n))
    memory = [upload["memory_mb"] for upload in group if upload["memory_mb"] is not None]
    busy_by_hour = collections.Counter(second // 3600 for second in busy)
    throughput = [(sum(u["success"] for u in hours.get(hour, [])), busy_by_hour[hour]) for hour in set(hours) | set(busy_by_hour)]
    return {
        "uploads": len(group),
        "busy_seconds": len(busy),
        "success_rate": len(ok) / len(group),
        "success_rate_ci": wilson(y.sum() / deff, n.sum() / deff),
        "timeout_rate": sum(upload["error_type"] in TIMEOUTS for upload in group) / len(group),
        "latency_mean_ms": float(durations.mean()),
        "latency_max_ms": float(durations.max()),
        **{f"latency_p{q}_ms": nearest_rank(durations, q / 100) for q in (50, 90, 95, 99)},
        "throughput_uploads_per_s": len(ok) / len(busy),
        "throughput_mb_per_s": sum(upload["file_size_mb"] for upload in ok) / len(busy),
        "concurrency": sum(upload["duration_ms"] for upload in group) / 1000 / len(busy),
        "memory_mean_mb": float(np.mean(memory)),
        "memory_p50_mb": nearest_rank(memory, 0.5),
        "bootstrap": {
            "throughput_uploads_per_s": studentised(throughput, rng),
            "latency_mean_ms": studentised(
                [(sum(u["duration_ms"] for u in block if u["success"]), sum(u["success"] for u in block)) for block in blocks
                 if any(u["success"] for u in block)], rng),
        } if len(blocks) >= 8 else {},
        "woodruff": {
            "latency_p50_ms": woodruff([[u["duration_ms"] for u in block if u["success"]] for block in blocks], 0.5),
        } if len(blocks) >= 8 else {},
    }


def main():
    HERE.mkdir(exist_ok=True)
    uploads, rng = make(), np.random.default_rng(1)
    expected = {}
    for name, *_ in STAGES:
        for arm, kinds in ARMS.items():
            group = [u for u in uploads if u["stage_name"] == name and u["execution_type"] in kinds]
            if group:
                expected[f"{name}/{arm}"] = figures(group, rng)
    (HERE / "expected.json").write_text(json.dumps(expected, indent=1) + "\n")


main()
