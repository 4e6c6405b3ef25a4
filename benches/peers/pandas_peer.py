"""The minutes table and one grouping by 512 bins per octave, in pandas, a million lines at a time."""

import sys

import numpy as np
import pandas as pd

path = sys.argv[1]
wanted = ["execution_type", "success", "duration_ms", "timestamp", "file_size_mb", "memory_mb", "event_type"]
minutes, bins = [], []
for part in pd.read_json(path, lines=True, chunksize=1_000_000, engine="ujson"):
    part = part.reindex(columns=wanted)
    part = part[part["event_type"].isna()]
    part["at"] = pd.to_datetime(part["timestamp"], format="ISO8601")
    good = part["success"].astype(bool)
    part["success_size_mb"] = part["file_size_mb"].where(good)
    part["good"] = good
    minutes.append(
        part.groupby([part["at"].dt.floor("min"), "execution_type"]).agg(
            uploads=("good", "size"),
            successes=("good", "sum"),
            duration_ms=("duration_ms", "sum"),
            size_mb=("success_size_mb", "sum"),
            memory_mb=("memory_mb", "sum"),
            memory_max_mb=("memory_mb", "max"),
        )
    )
    fast = part[good]
    bin_ = np.floor(512 * np.log2(fast["duration_ms"].astype(float).clip(lower=1e-6))).astype(int).rename("bin")
    bins.append(fast.groupby([fast["at"].dt.floor("h"), "execution_type", bin_]).size())
minutes = pd.concat(minutes).groupby(level=[0, 1]).agg(
    {"uploads": "sum", "successes": "sum", "duration_ms": "sum", "size_mb": "sum", "memory_mb": "sum", "memory_max_mb": "max"}
)
bins = pd.concat(bins).groupby(level=[0, 1, 2]).sum()
print(minutes["uploads"].sum(), len(minutes), len(bins))
