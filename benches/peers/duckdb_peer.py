"""The minutes table and one grouping by 512 bins per octave, in DuckDB."""

import sys

import duckdb

path, threads = sys.argv[1], int(sys.argv[2])
connection = duckdb.connect()
connection.execute(f"SET threads = {threads}")
connection.execute("SET preserve_insertion_order = false")
columns = (
    "{execution_type: 'VARCHAR', success: 'BOOLEAN', duration_ms: 'DOUBLE', timestamp: 'TIMESTAMP', "
    "file_size_mb: 'DOUBLE', memory_mb: 'DOUBLE', event_type: 'VARCHAR'}"
)
connection.execute(
    f"CREATE VIEW log AS SELECT * FROM read_json('{path}', format = 'newline_delimited', columns = {columns}) "
    "WHERE event_type IS NULL"
)
minutes = connection.execute(
    """SELECT date_trunc('minute', timestamp) AS minute, execution_type, count(*) AS uploads,
              count(*) FILTER (success) AS successes, sum(duration_ms), sum(file_size_mb) FILTER (success),
              sum(memory_mb), max(memory_mb)
       FROM log GROUP BY 1, 2"""
).fetchall()
bins = connection.execute(
    """SELECT date_trunc('hour', timestamp), execution_type, floor(512 * log2(greatest(duration_ms, 1e-6)))::INT, count(*)
       FROM log WHERE success GROUP BY 1, 2, 3"""
).fetchall()
print(sum(row[2] for row in minutes), len(minutes), len(bins))
