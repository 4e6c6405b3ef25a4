"""The minutes table and one grouping by 512 bins per octave, in polars (streaming)."""

import os
import sys

path, threads = sys.argv[1], sys.argv[2]
os.environ["POLARS_MAX_THREADS"] = threads

import polars as pl  # noqa: E402 (the number of threads is read on import)

schema = {
    "execution_type": pl.String,
    "success": pl.Boolean,
    "duration_ms": pl.Float64,
    "timestamp": pl.String,
    "file_size_mb": pl.Float64,
    "memory_mb": pl.Float64,
    "event_type": pl.String,
}
log = (
    pl.scan_ndjson(path, schema=schema)
    .filter(pl.col("event_type").is_null())
    .with_columns(at=pl.col("timestamp").str.to_datetime("%Y-%m-%dT%H:%M:%S%.f"))
)
success = pl.col("success")
minutes = log.group_by(pl.col("at").dt.truncate("1m"), "execution_type").agg(
    uploads=pl.len(),
    successes=success.sum(),
    duration_ms=pl.col("duration_ms").sum(),
    size_mb=pl.col("file_size_mb").filter(success).sum(),
    memory_mb=pl.col("memory_mb").sum(),
    memory_max_mb=pl.col("memory_mb").max(),
)
bins = (
    log.filter(success)
    .group_by(
        pl.col("at").dt.truncate("1h"),
        "execution_type",
        bin=(512 * pl.col("duration_ms").clip(1e-6).log(2)).floor().cast(pl.Int32),
    )
    .agg(pl.len())
)
minutes, bins = pl.collect_all([minutes, bins], engine="streaming")
print(minutes["uploads"].sum(), minutes.height, bins.height)
