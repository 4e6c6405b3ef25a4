"""Writes one log as lines of JSON and as Parquet, each with a writer that people have.

    python tests/reference/parquet_logs.py tests/it/formats/parquet

needs pyarrow, duckdb, polars and numpy. The files stand in the repository: a test reads all of them and wants the
figures of the lines.
"""

import datetime
import decimal
import json
import pathlib
import sys

import duckdb
import numpy as np
import polars
import pyarrow as pa
import pyarrow.parquet as pq

ROWS = 300
START = datetime.datetime(2026, 3, 2, tzinfo=datetime.timezone.utc)


def rows():
    """A baseline of ten hours and as long with every record treated; durations have all their digits."""
    random = np.random.default_rng(20260302)
    for number in range(ROWS):
        treated = number >= ROWS // 2
        ok = bool(random.random() > (0.01 if treated else 0.08))
        yield {
            "at": START + datetime.timedelta(seconds=240 * number, microseconds=int(random.integers(0, 1_000_000))),
            "variant": "canary" if treated else "stable",
            "took_us": int(random.lognormal(13.0 if treated else 13.8, 0.4)),
            "ok": ok,
            "error": None if ok else "Timeout" if random.random() < 0.7 else "Zurückgewiesen \"503\"",
            "cost": decimal.Decimal(int(random.integers(1, 90_000))).scaleb(-4),
            "load": float(random.normal(0.5, 0.1)),
            "request": {"route": f"/v{number % 3}", "bytes": int(random.integers(1_000, 9_000_000))},
            "tags": [("region", "eu" if number % 2 else "us"), ("zone", str(number % 5))],
            "parts": [int(part) for part in random.integers(0, 9, number % 4)],
        }


def main(folder):
    """Writes the files into a folder."""
    log = list(rows())
    texts = [
        {
            **row,
            "at": row["at"].isoformat().replace("+00:00", "Z"),
            "took_us": f"{row['took_us']}us",
            "cost": float(row["cost"]),
            "tags": [{"key": key, "value": value} for key, value in row["tags"]],
        }
        for row in log
    ]
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in texts)
    (folder / "rows.jsonl").write_text(lines, encoding="utf-8")

    schema = pa.schema(
        [
            ("at", pa.timestamp("us", "UTC")),
            ("variant", pa.dictionary(pa.int8(), pa.string())),
            ("took_us", pa.duration("us")),
            ("ok", pa.bool_()),
            ("error", pa.large_string()),
            ("cost", pa.decimal128(12, 4)),
            ("load", pa.float64()),
            ("request", pa.struct([("route", pa.string()), ("bytes", pa.int64())])),
            ("tags", pa.map_(pa.string(), pa.string())),
            ("parts", pa.list_(pa.int16())),
        ]
    )
    microseconds = [{**row, "took_us": datetime.timedelta(microseconds=row["took_us"])} for row in log]
    table = pa.Table.from_pylist(microseconds, schema)
    pq.write_table(table, folder / "pyarrow.parquet", row_group_size=128, compression="zstd")
    # As Spark wrote times for years; without the types that arrow keeps beside the file's own.
    old = table.drop_columns(["took_us"]).append_column("took_us", pa.array([f"{row['took_us']}us" for row in log]))
    pq.write_table(
        old,
        folder / "int96.parquet",
        use_deprecated_int96_timestamps=True,
        store_schema=False,
        compression="gzip",
        data_page_version="1.0",
    )
    flat = polars.DataFrame(
        {
            "at": [row["at"] for row in log],
            "variant": [row["variant"] for row in log],
            "took_us": [f"{row['took_us']}us" for row in log],
            "ok": [row["ok"] for row in log],
            "error": [row["error"] for row in log],
            "cost": [float(row["cost"]) for row in log],
            "load": [row["load"] for row in log],
            "request.route": [row["request"]["route"] for row in log],
            "request.bytes": [row["request"]["bytes"] for row in log],
            "tags.region": [dict(row["tags"])["region"] for row in log],
        }
    )
    flat.write_parquet(folder / "polars.parquet", row_group_size=250, compression="lz4")
    duckdb.sql(
        f"COPY (SELECT * FROM read_json('{folder / 'rows.jsonl'}', format = 'newline_delimited',"
        " columns = {\"at\": 'TIMESTAMPTZ', variant: 'VARCHAR', took_us: 'VARCHAR', ok: 'BOOLEAN', error: 'VARCHAR',"
        " cost: 'DOUBLE', load: 'DOUBLE', request: 'JSON', tags: 'JSON', parts: 'JSON'}))"
        f" TO '{folder / 'duckdb.parquet'}' (FORMAT parquet, COMPRESSION snappy)"
    )


main(pathlib.Path(sys.argv[1]))
