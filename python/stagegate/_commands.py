"""The commands that answer with data."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Iterable

from ._figures import Cube, Report
from ._run import StrPath, run


def _arguments(files: tuple[StrPath, ...], config: StrPath | None, more: Iterable[StrPath]) -> list[StrPath]:
    options: list[StrPath] = [] if config is None else ["--config", config]
    # A file whose name begins with a dash is no option.
    return [*options, *more, "--", *files]


def report(
    *files: StrPath, config: StrPath | None = None, out: StrPath = "out", options: Iterable[StrPath] = ()
) -> Report:
    """Writes the report of logs or cubes into the folder `out`, and gives it.

    Without `files` the log is that of the config, which is rollout.toml of the working directory, or above it, where
    none is given. `options` are further arguments of `stagegate report`.

    Raises StagegateError where there is nothing to report.
    """
    run(["report", "--quiet", *_arguments(files, config, ["-o", out, *options])])
    return Report(Path(out))


def cube(
    *files: StrPath, out: StrPath, config: StrPath | None = None, options: Iterable[StrPath] = ()
) -> Cube:
    """Folds logs, or cubes of shards, into the cube `out`, and gives it.

    Raises StagegateError where a file cannot be read, or `out` exists.
    """
    run(["cube", "--quiet", *_arguments(files, config, ["-o", out, *options])])
    return Cube(Path(out))


def check(
    *files: StrPath, config: StrPath | None = None, stage: str | None = None, options: Iterable[StrPath] = ()
) -> dict[str, Any]:
    """Judges logs or cubes and writes nothing: decision, reasons, criteria, as `stagegate check --format json`.

    `stage` asks whether the rollout may go on from there.

    Raises StagegateError where there is nothing to judge.
    """
    asked: list[StrPath] = [] if stage is None else ["--stage", stage]
    told = run(["check", "--quiet", *_arguments(files, config, ["--format", "json", *asked, *options])])
    answer: dict[str, Any] = json.loads(told)
    return answer
