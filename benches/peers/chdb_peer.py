"""The minutes table and one grouping by 512 bins per octave, in ClickHouse local (chdb)."""

import sys

from chdb import session

path, threads = sys.argv[1], int(sys.argv[2])
columns = (
    "execution_type String, success Nullable(Bool), duration_ms Nullable(Float64), timestamp DateTime64(6), "
    "file_size_mb Nullable(Float64), memory_mb Nullable(Float64), event_type Nullable(String)"
)
source = f"file('{path}', 'JSONEachRow', '{columns}')"
settings = (
    f"SETTINGS max_threads = {threads}, date_time_input_format = 'best_effort', "
    "input_format_skip_unknown_fields = 1, input_format_null_as_default = 1"
)
connection = session.Session()
minutes = connection.query(
    f"""SELECT count(), sum(uploads) FROM (
          SELECT toStartOfMinute(timestamp) AS minute, execution_type, count() AS uploads, countIf(success) AS successes,
                 sum(duration_ms), sumIf(file_size_mb, success), sum(memory_mb), max(memory_mb)
          FROM {source} WHERE event_type IS NULL GROUP BY minute, execution_type) {settings}""",
    "TabSeparated",
)
bins = connection.query(
    f"""SELECT count() FROM (
          SELECT toStartOfHour(timestamp) AS hour, execution_type,
                 toInt32(floor(512 * log2(greatest(duration_ms, 1e-6)))) AS bin, count()
          FROM {source} WHERE success AND event_type IS NULL GROUP BY hour, execution_type, bin) {settings}""",
    "TabSeparated",
)
print(str(minutes).strip(), str(bins).strip())
