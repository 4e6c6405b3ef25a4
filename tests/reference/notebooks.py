"""Runs the examples of docs/notebooks.md as they stand, in the folder of a report of the sample, and holds the two tables
against each other and against report.json: `python notebooks.py STAGEGATE` with duckdb, polars and pandas."""

import json
import math
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import pandas
import polars

root = Path(__file__).resolve().parents[2]
stagegate = str(Path(sys.argv[1]).resolve())

with tempfile.TemporaryDirectory() as folder:
    log = str(root / "data" / "rollout.jsonl.gz")
    subprocess.run([stagegate, "report", "-q", "--config", str(root / "rollout.toml"), "--out", folder, log], check=True)
    os.chdir(folder)
    parquet = polars.read_parquet("figures.parquet").to_dicts()
    csv = pandas.read_csv("figures.csv", keep_default_na=False, na_values={"low": "", "high": ""}).to_dict("records")
    assert len(parquet) == len(csv) > 300, (len(parquet), len(csv))
    for one, other in zip(parquet, csv):
        for key, value in one.items():
            known = None if isinstance(other[key], float) and math.isnan(other[key]) else other[key]
            assert value == known, (one, other)
    claims = {claim["id"]: claim for claim in json.load(open("report.json"))["claims"]}
    whole = [row for row in parquet if row["segment"] == ""]
    for row in whole:
        claim = claims[f"stages.{row['stage']}.{row['arm']}.{row['metric']}"]
        assert (row["value"], row["n"], row["unit"]) == (claim["value"], claim["n"], claim["unit"]), (row, claim)
    print(f"{len(whole)} figures are those of report.json, and both tables are the same")

    blocks = re.findall(r"```python\n(.*?)```", (root / "docs" / "notebooks.md").read_text(), re.DOTALL)
    assert len(blocks) == 4
    for block in blocks:
        run = subprocess.run([sys.executable, "-c", block], capture_output=True, text=True)
        assert run.returncode == 0, f"{block}\n{run.stderr}"
        lines = run.stdout.strip().splitlines()
        assert len(lines) >= 3, run.stdout
        print(run.stdout)
