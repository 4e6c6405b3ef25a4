"""The minutes table and one grouping by 512 bins per octave, in DuckDB: `duckdb_peer.py THREADS SELECT`, where SELECT gives
the columns moment, arm, success, duration_ms, size and memory, one row a record (`layouts.py`)."""

import sys

import duckdb

threads, select = int(sys.argv[1]), sys.argv[2]
connection = duckdb.connect()
connection.execute(f"SET threads = {threads}")
connection.execute("SET preserve_insertion_order = false")
connection.execute(f"CREATE VIEW log AS {select}")
minutes = connection.execute(
    """SELECT date_trunc('minute', moment) AS minute, arm, count(*) AS records,
              count(*) FILTER (success) AS successes, sum(duration_ms), sum(size) FILTER (success),
              sum(memory), max(memory)
       FROM log GROUP BY 1, 2"""
).fetchall()
bins = connection.execute(
    """SELECT date_trunc('hour', moment), arm, floor(512 * log2(greatest(duration_ms, 1e-6)))::INT, count(*)
       FROM log WHERE success GROUP BY 1, 2, 3"""
).fetchall()
print(sum(row[2] for row in minutes), len(minutes), len(bins))
