#!/usr/bin/env python3
"""The same log through stagegate and its peers, in turns, in one run; prints a Markdown table.

    cargo build --release && python3 benches/peers/run.py            # 100 MB and 1 GB, plain
    python3 benches/peers/run.py --sizes 1GB --packed gz,zst --threads 2,all --rounds 5
    python3 benches/peers/run.py --layouts all --megabytes 1000      # the layouts of layouts.py against DuckDB, the worst first

The peers are installed from PyPI into a folder beside this file by the first run. stagegate folds the log into its nine
tables and writes them; the peers compute the minutes table and one grouping by 512 bins per octave and write nothing.
`newlines` is `wc -l`, the least that any reader does; `unpack` is gzip or zstd to nowhere.
"""

import argparse
import gzip
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path

import layouts

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
STAGEGATE = ROOT / "target" / "release" / "stagegate"
# About 265 bytes an upload.
UPLOADS = {"100MB": 380_000, "1GB": 4_000_000, "10GB": 40_000_000}
PEERS = ["duckdb", "polars", "chdb", "pandas"]


def python_of_peers() -> Path:
    folder = HERE / ".venv"
    python = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    if not python.exists():
        venv.create(folder, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "-q", "-r", HERE / "requirements.txt"], check=True)
    return python


def log(folder: Path, size: str, packed: str) -> Path:
    plain = folder / f"{size}.jsonl"
    if not plain.exists():
        command = [STAGEGATE, "generate", "--uploads", str(UPLOADS[size]), "--seed", "3", "-o", plain]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    if packed == "plain":
        return plain
    target = plain.with_suffix(f".jsonl.{packed}")
    if not target.exists():
        if packed == "gz":
            with plain.open("rb") as source, gzip.open(target, "wb", 6) as out:
                shutil.copyfileobj(source, out, 1 << 20)
        else:
            subprocess.run(["zstd", "-q", "-3", plain, "-o", target], check=True)
    return target


def measure(command: list) -> tuple:
    """Wall seconds, processor seconds, peak MB."""
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    error = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{command}: {error.decode(errors='replace').strip().splitlines()[-1:]}")
    return wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def contenders(names: list, python: Path, path: Path, threads: int, packed: str, folder: Path) -> dict:
    commands = {"stagegate": [STAGEGATE, "cube", "-q", "--threads", threads, "-o", folder / "out.cube", path]}
    for name in names:
        # pandas has no threads; polars reads no packed lines as a stream.
        if name == "duckdb":
            commands[name] = [python, HERE / "duckdb_peer.py", threads, layouts.NATIVE.format(path=path)]
        elif not (packed != "plain" and name in ("polars", "pandas")) and not (name == "pandas" and threads > 1):
            commands[name] = [python, HERE / f"{name}_peer.py", path, threads]
    if packed == "plain":
        commands["newlines"] = ["wc", "-l", path]
    else:
        commands["unpack"] = ["gzip" if packed == "gz" else "zstd", "-dc", path]
    return {name: [str(part) for part in command] for name, command in commands.items()}


def of_layouts(names: list, megabytes: int, threads: list, rounds: int, folder: Path, python: Path) -> None:
    """A table of the layouts, the one with the smallest ratio first."""
    table = []
    for name in names:
        # Made by the peers' Python, which has numpy.
        made = f"import sys, pathlib; sys.path.insert(0, {str(HERE)!r}); import layouts; print(*layouts.write(pathlib.Path({str(folder)!r}), {name!r}, {megabytes}), sep='\\n')"
        path, config, select = subprocess.run([python, "-c", made], check=True, capture_output=True, text=True).stdout.strip().split("\n", 2)
        subprocess.run(["cksum", path], check=True, stdout=subprocess.DEVNULL)
        for count in threads:
            ours = [STAGEGATE, "cube", "-q", "--threads", count, "--config", config, "-o", folder / "out.cube", path]
            commands = {"stagegate": ours, "duckdb": [python, HERE / "duckdb_peer.py", count, select]}
            runs = {name: [] for name in commands}
            for _ in range(rounds):
                for contender, command in commands.items():
                    runs[contender].append(measure([str(part) for part in command]))
            middle = {contender: [statistics.median(column) for column in zip(*rows)] for contender, rows in runs.items()}
            table.append((name, count, Path(path).stat().st_size / 1e9, middle["stagegate"], middle["duckdb"]))
    print("| layout | GB | threads | stagegate: wall s | CPU s | peak MB | DuckDB: wall s | CPU s | peak MB | wall, times ours | CPU, times ours |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    for name, count, size, ours, theirs in sorted(table, key=lambda row: row[4][0] / row[3][0]):
        figures = " | ".join(f"{wall:.2f} | {cpu:.2f} | {memory:.0f}" for wall, cpu, memory in (ours, theirs))
        print(f"| {name} | {size:.2f} | {count} | {figures} | {theirs[0] / ours[0]:.2f} | {theirs[1] / ours[1]:.2f} |")


def main() -> None:
    global STAGEGATE
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default="100MB,1GB", help="of 100MB, 1GB, 10GB")
    parser.add_argument("--packed", default="plain", help="of plain, gz, zst")
    parser.add_argument("--threads", default="1,2,all")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peers", default=",".join(PEERS))
    parser.add_argument("--layouts", default="", help="all, or names of layouts.py; instead of sizes and packings")
    parser.add_argument("--megabytes", type=int, default=1000, help="of the log of each layout [default: 1000]")
    parser.add_argument("--binary", type=Path, default=STAGEGATE, help="[default: target/release/stagegate]")
    parser.add_argument("--folder", type=Path, help="for the logs; kept [default: a temporary one]")
    options = parser.parse_args()
    STAGEGATE = options.binary.resolve()
    if not STAGEGATE.exists():
        sys.exit("build it first: cargo build --release")
    cores = os.cpu_count() or 1
    threads = sorted({cores if text == "all" else int(text) for text in options.threads.split(",")})
    names = [name for name in options.peers.split(",") if name]
    python = python_of_peers() if names else Path(sys.executable)
    folder = options.folder or Path(tempfile.mkdtemp(prefix="peers-"))
    folder.mkdir(parents=True, exist_ok=True)
    if options.layouts:
        known = list(layouts.LAYOUTS) if options.layouts == "all" else options.layouts.split(",")
        of_layouts(known, options.megabytes, threads, options.rounds, folder, python_of_peers())
        return
    print(f"{cores} cores, {platform.machine()}, {platform.system()}; median of {options.rounds} rounds, in turns; page cache warm\n")
    print("| log | threads | contender | wall s | CPU s | peak MB | GB/s | wall, times stagegate's | CPU, times |")
    print("| --- | ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    try:
        for size in options.sizes.split(","):
            for packed in options.packed.split(","):
                path = log(folder, size, packed)
                plain_bytes = log(folder, size, "plain").stat().st_size
                # By another process: what this one holds would count as the peak of its children.
                subprocess.run(["cksum", path], check=True, stdout=subprocess.DEVNULL)
                for count in threads:
                    commands = contenders(names, python, path, count, packed, folder)
                    runs = {name: [] for name in commands}
                    failed = {}
                    for _ in range(options.rounds):
                        for name, command in commands.items():
                            try:
                                runs[name].append(measure(command))
                            except RuntimeError as error:
                                failed[name] = str(error)
                    middle = {name: [statistics.median(column) for column in zip(*rows)] for name, rows in runs.items() if rows}
                    ours = middle["stagegate"]
                    for name, (wall, cpu, memory) in middle.items():
                        print(
                            f"| {size} {packed} | {count} | {name} | {wall:.2f} | {cpu:.2f} | {memory:.0f} | "
                            f"{plain_bytes / wall / 1e9:.2f} | {wall / ours[0]:.2f} | {cpu / ours[1]:.2f} |",
                            flush=True,
                        )
                    for name, why in failed.items():
                        print(f"| {size} {packed} | {count} | {name} | failed: {why} | | | | | |", flush=True)
    finally:
        if options.folder is None:
            shutil.rmtree(folder)


if __name__ == "__main__":
    main()
