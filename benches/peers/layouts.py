"""Logs in the layouts that loggers really write, for `run.py --layouts`; made with numpy, not with `stagegate generate`.

Each layout is a log, the rollout.toml that reads it, and the columns of the same log in DuckDB's SQL. The traffic is the same in
all: two weeks with days, nights and bursts, stages by events, log-normal durations, the digits that `json.dumps` writes.
"""

import json
import zlib
from datetime import datetime, timezone

try:
    import numpy as np
except ImportError:  # `run.py` needs the names alone; logs are made by the peers' Python
    np = None

START = 1_762_905_600
"""2025-11-12T00:00:00Z"""
DAYS = 14
STAGES = [(0, 0), (3, 10), (6, 50), (10, 100)]
"""Day and percentage."""
FILE_TYPES = ["text", "json", "csv", "md", "python", "binary"]
OWN = ["execution_type", "success", "duration_ms", "timestamp", "error_type", "fallback_used", "file_size_mb", "provider",
       "request_id", "file_type", "memory_mb"]
BLOCK = 100_000


def moments(rng, lines: int, returning: bool) :
    """Seconds since START, rising; with `returning` the same week ten times."""
    hours = np.arange(DAYS * 24)
    weight = 1.2 + np.sin((hours % 24 - 8) / 24 * 2 * np.pi)
    weight *= np.where(rng.random(hours.size) < 0.02, 4.0, 1.0)
    edges = np.concatenate([[0], np.cumsum(weight / weight.sum())])
    at = np.sort(np.interp(rng.random(lines), edges, np.arange(DAYS * 24 + 1) * 3600.0))
    return (np.arange(lines) * (DAYS * 86_400 * 10 / lines)) % (DAYS * 86_400) if returning else at


def rows(lines: int, seed: int, returning: bool = False, names: int = 0):
    """Dictionaries in the logger's own terms, one an upload."""
    rng = np.random.default_rng(seed)
    at = moments(rng, lines, returning)
    days = at / 86_400
    share = np.select([days < 3, days < 6, days < 10], [0.0, 0.1, 0.5], 1.0)
    for begin in range(0, lines, BLOCK):
        block = slice(begin, min(begin + BLOCK, lines))
        count = block.stop - begin
        treated = rng.random(count) < share[block]
        size = rng.lognormal(1.0, 1.2, count)
        duration = rng.lognormal(6.0, 0.6, count) * np.where(treated, 0.7, 1.0) * (1 + size / 40)
        failed = rng.random(count) < 0.012
        memory = rng.lognormal(3.0, 0.4, count)
        providers = rng.integers(0, names or 2, count)
        types = rng.integers(0, names or len(FILE_TYPES), count)
        for index in range(count):
            micros = int(at[begin + index] * 1e6)
            stamp = datetime.fromtimestamp(START + micros // 1_000_000, timezone.utc).replace(tzinfo=None, microsecond=micros % 1_000_000)
            yield {
                "execution_type": "async" if treated[index] else "sync",
                "success": not failed[index],
                "duration_ms": float(duration[index]),
                "timestamp": stamp.isoformat(timespec="microseconds"),
                "error_type": "TimeoutError" if failed[index] else None,
                "fallback_used": False,
                "file_size_mb": float(size[index]),
                "provider": f"provider-{providers[index]}" if names else ("kimi", "glm")[providers[index]],
                "request_id": f"{(begin + index) * 2_654_435_761 % 2**32:08x}-{begin + index:08x}",
                "file_type": f"type-{types[index]}" if names else FILE_TYPES[types[index]],
                "memory_mb": float(memory[index]),
            }


def events():
    for day, percentage in STAGES:
        at = datetime.fromtimestamp(START + day * 86_400, timezone.utc).replace(tzinfo=None).isoformat()
        yield json.dumps({"event_type": "rollout_stage", "timestamp": at, "percentage": percentage})


def nanos(row: dict) -> int:
    at = datetime.fromisoformat(row["timestamp"] + "+00:00")
    return int(at.timestamp()) * 10**9 + at.microsecond * 1000


def rounded(row: dict, _: int) -> str:
    return json.dumps({key: round(value, 2) if isinstance(value, float) else value for key, value in row.items()})


def full(row: dict, _: int) -> str:
    return json.dumps(row)


def compact(row: dict, _: int) -> str:
    return json.dumps(row, separators=(",", ":"))


def hash_of(text: str, seed: int) -> int:
    return zlib.crc32(f"{seed} {text}".encode())


ORDERS = [sorted(OWN, key=lambda key: hash_of(key, seed)) for seed in range(8)]


def shuffled(row: dict, index: int) -> str:
    """Another order of the keys every 50 000 lines."""
    return json.dumps({key: row[key] for key in ORDERS[index // 50_000 % len(ORDERS)]})


def optional(row: dict, index: int) -> str:
    """Missing fields, escapes, exponents, Z and offsets."""
    drop = [key for bit, key in enumerate(["error_type", "fallback_used", "memory_mb", "file_type"]) if index * 2_654_435_761 >> (16 + bit) & 3 == 0]
    row = {key: value for key, value in row.items() if key not in drop}
    if index % 50 == 0:
        row["file_size_mb"] = 1e-7
    if index % 100 == 0:
        row["provider"] = 'ki"mi'
    row["timestamp"] += ("Z", "123Z", "+00:00")[index % 3]
    return json.dumps(row)


WORDS = "alpha beta gamma delta epsilon zeta eta theta".split()


def extra(row: dict, index: int) -> str:
    """Twelve fields that nobody asked for, some nested: lines of 1 kB."""
    return json.dumps({
        "level": "info", "logger": "app.uploads.worker", "pid": 31337, "host": f"worker-{index % 7:02}.internal",
        "trace": {"trace_id": f"{index * 0x9E3779B97F4A7C15F39CC0605CEDC835 % 2**128:032x}", "span_id": f"{index * 0x9E3779B97F4A7C15 % 2**64:016x}", "sampled": True},
        **row,
        "message": f"uploaded {row['file_type']} in {index % 3} attempts \"ok\" " + " ".join(WORDS[index * 7 * step % 8] for step in range(24)),
        "attempt": index % 3, "bytes": index * 7919 % 10**9,
        "http": {"status": 200, "method": "PUT", "url": f"https://files.example/v1/objects/{index * 7919:08x}?part={index % 9}",
                 "headers": {"content-type": "application/octet-stream", "x-request-start": f"t={nanos(row) // 10**6}"}},
        "tags": [WORDS[index % 8], WORDS[index * 3 % 8]], "queue_ms": row["memory_mb"] / 7, "region": "eu-central-1", "build": "2025.11.3+g1a2b3c4",
    })


K6 = ["http_req_waiting", "http_req_sending", "http_req_duration", "http_req_receiving"]


def k6(row: dict, index: int) -> str:
    """k6's JSON output: of four samples one is of the metric that counts."""
    tags = {"expected_response": str(row["success"]).lower(), "group": "", "method": "PUT", "name": "https://files.example/v1", "proto": "HTTP/2.0",
            "scenario": row["execution_type"], "status": "200" if row["success"] else "503", "tls_version": "tls1.3", "url": "https://files.example/v1"}
    if not row["success"]:
        tags = {"error_code": "1503", **tags}
    point = {"metric": K6[index % 4], "type": "Point", "data": {"time": row["timestamp"] + f"{index % 1000:03}+00:00", "value": row["duration_ms"], "tags": tags}}
    return json.dumps(point, separators=(",", ":"))


def pino(row: dict, index: int) -> str:
    return json.dumps({
        "level": 30, "time": nanos(row) // 10**6, "pid": 657, "hostname": "api-6d5f7c9b4-x2x7k",
        "req": {"id": row["request_id"], "method": "POST", "url": f"/upload/{index * 31}", "headers": {"x-variant": row["execution_type"]}, "remotePort": 1024 + index % 60_000},
        "res": {"statusCode": 200 if row["success"] else 503}, "responseTime": row["duration_ms"], "msg": "request completed"}, separators=(",", ":"))


def otlp(row: dict, index: int) -> str:
    """One span a line, as a collector writes what comes alone."""
    start = nanos(row)
    status = {} if row["success"] else {"code": 2}
    text = lambda key, value: {"key": key, "value": {"stringValue": value}}
    span = {"traceId": f"{index * 0x9E3779B97F4A7C15F39CC0605CEDC835 % 2**128:032x}", "spanId": f"{index * 0x9E3779B97F4A7C15 % 2**64:016x}", "name": "PUT /upload", "kind": 2,
            "startTimeUnixNano": str(start), "endTimeUnixNano": str(start + int(row["duration_ms"] * 1e6)),
            "attributes": [text("variant", row["execution_type"]), {"key": "http.response.status_code", "value": {"intValue": "200"}}], "status": status}
    return json.dumps({"resourceSpans": [{"resource": {"attributes": [text("service.name", "upload")]}, "scopeSpans": [{"scope": {"name": "upload"}, "spans": [span]}]}]}, separators=(",", ":"))


COLUMNS = ["timestamp", "execution_type", "success", "duration_ms", "error_type", "file_size_mb", "provider", "file_type", "memory_mb", "request_id"]


def csv(row: dict, _: int) -> str:
    word = lambda value: "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
    return ",".join(word(row[key]) for key in COLUMNS)


STARTS = "".join(
    f'[[starts]]\nat = "{datetime.fromtimestamp(START + day * 86_400, timezone.utc).isoformat().replace("+00:00", "Z")}"\npercentage = {percentage}\n'
    for day, percentage in STAGES
)
TARGETS = "[targets]\n"


def preset(name: str, fields: str, more: str = "") -> str:
    return f'[[sources]]\npreset = "{name}"\n{more}[sources.fields]\n{fields}\n{STARTS}'


PLAIN = (
    "SELECT {time} AS moment, {arm} AS arm, {ok} AS success, {duration}::DOUBLE AS duration_ms, {size} AS size, {memory} AS memory "
    "FROM {source}"
)
NATIVE = PLAIN.format(
    time="timestamp", arm="execution_type", ok="success", duration="duration_ms", size="file_size_mb", memory="memory_mb",
    source="read_json('{path}', format = 'newline_delimited', columns = {{execution_type: 'VARCHAR', success: 'BOOLEAN', duration_ms: 'DOUBLE', "
    "timestamp: 'TIMESTAMP', file_size_mb: 'DOUBLE', memory_mb: 'DOUBLE', event_type: 'VARCHAR'}}) WHERE event_type IS NULL",
)
K6_SQL = PLAIN.format(
    time="data.time::TIMESTAMPTZ AT TIME ZONE 'UTC'", arm="data.tags.scenario", ok="data.tags.expected_response = 'true'", duration="data.value", size="NULL::DOUBLE", memory="NULL::DOUBLE",
    source="read_json('{path}', format = 'newline_delimited', columns = {{metric: 'VARCHAR', type: 'VARCHAR', data: 'STRUCT(time VARCHAR, value DOUBLE, "
    "tags STRUCT(scenario VARCHAR, expected_response VARCHAR))'}}) WHERE metric = 'http_req_duration' AND type = 'Point'",
)
PINO_SQL = PLAIN.format(
    time="epoch_ms(time)", arm="req.headers.\"x-variant\"", ok="res.statusCode < 500", duration="responseTime", size="NULL::DOUBLE", memory="NULL::DOUBLE",
    source="read_json('{path}', format = 'newline_delimited', columns = {{time: 'BIGINT', req: 'STRUCT(id VARCHAR, headers STRUCT(\"x-variant\" VARCHAR))', "
    "res: 'STRUCT(statusCode INTEGER)', responseTime: 'DOUBLE'}})",
)
OTLP_SQL = PLAIN.format(
    time="make_timestamp_ns(span.startTimeUnixNano::BIGINT)", arm="list_filter(span.attributes, lambda item: item.key = 'variant')[1].value.stringValue",
    ok="span.status.code IS DISTINCT FROM 2", duration="(span.endTimeUnixNano::BIGINT - span.startTimeUnixNano::BIGINT) / 1e6", size="NULL::DOUBLE", memory="NULL::DOUBLE",
    source="(SELECT unnest(scoped.spans) AS span FROM (SELECT unnest(resource.scopeSpans) AS scoped FROM (SELECT unnest(resourceSpans) AS resource "
    "FROM read_json('{path}', format = 'newline_delimited', columns = {{resourceSpans: 'STRUCT(scopeSpans STRUCT(spans STRUCT(startTimeUnixNano VARCHAR, "
    "endTimeUnixNano VARCHAR, attributes STRUCT(key VARCHAR, value STRUCT(stringValue VARCHAR))[], status STRUCT(code INTEGER))[])[])[]'}}))))",
)
CSV_SQL = PLAIN.format(
    time="timestamp", arm="execution_type", ok="success", duration="duration_ms", size="file_size_mb", memory="memory_mb",
    source="read_csv('{path}', columns = {{timestamp: 'TIMESTAMP', execution_type: 'VARCHAR', success: 'BOOLEAN', duration_ms: 'DOUBLE', error_type: 'VARCHAR', "
    "file_size_mb: 'DOUBLE', provider: 'VARCHAR', file_type: 'VARCHAR', memory_mb: 'DOUBLE', request_id: 'VARCHAR'}}, header = true)",
)
CSV_FIELDS = """timestamp = "timestamp"
duration = { path = "duration_ms", unit = "ms" }
success = "success"
error = "error_type"
arm = "execution_type"
provider = "provider"
file_type = "file_type"
size = { path = "file_size_mb", unit = "MB" }
memory = { path = "memory_mb", unit = "MB" }
id = "request_id"
"""

LAYOUTS = {
    # name: (line, arguments of rows, bytes a line, config, SQL)
    "rounded": (rounded, {}, 272, TARGETS, NATIVE),
    "full": (full, {}, 310, TARGETS, NATIVE),
    "compact": (compact, {}, 289, TARGETS, NATIVE),
    "shuffled": (shuffled, {}, 310, TARGETS, NATIVE),
    "optional": (optional, {}, 289, TARGETS, NATIVE),
    "extra": (extra, {}, 1049, TARGETS, NATIVE),
    "k6": (k6, {}, 331, preset("k6-json", 'arm = "data.tags.scenario"'), K6_SQL),
    "pino": (pino, {}, 285, preset("pino-http", "arm = 'req.headers[\"x-variant\"]'"), PINO_SQL),
    "otlp": (otlp, {}, 486, preset("otlp-traces", "arm = 'attributes[\"variant\"]'", "keep = ['kind == 2']\n"), OTLP_SQL),
    "csv": (csv, {}, 122, f'[[sources]]\nparse = "csv"\n[sources.fields]\n{CSV_FIELDS}\n{STARTS}', CSV_SQL),
    "returning": (full, {"returning": True}, 310, TARGETS, NATIVE),
    "names": (full, {"names": 300}, 321, TARGETS, NATIVE),
}


def write(folder, name: str, megabytes: int, seed: int = 11):
    """The log and its rollout.toml in `folder`, made once; and DuckDB's SELECT of moment, arm, success, duration_ms, size, memory."""
    line, arguments, width, config, sql = LAYOUTS[name]
    path = folder / f"{name}-{megabytes}.{'csv' if name == 'csv' else 'jsonl'}"
    toml = folder / f"{name}.toml"
    toml.write_text(config)
    if not path.exists():
        with path.open("w") as out:
            if config is TARGETS:
                out.writelines(event + "\n" for event in events())
            if name == "csv":
                out.write(",".join(COLUMNS) + "\n")
            for index, row in enumerate(rows(megabytes * 1_000_000 // width, seed, **arguments)):
                out.write(line(row, index) + "\n")
    return path, toml, sql.format(path=path)
