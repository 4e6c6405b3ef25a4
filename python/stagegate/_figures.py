"""What the program wrote, as Python has it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, overload

if TYPE_CHECKING:
    import pandas
    import polars
    import pyarrow

Frame = Literal["arrow", "pandas", "polars"]


@overload
def read(path: Path, frame: Literal["arrow"]) -> pyarrow.Table: ...
@overload
def read(path: Path, frame: Literal["pandas"]) -> pandas.DataFrame: ...
@overload
def read(path: Path, frame: Literal["polars"]) -> polars.DataFrame: ...
def read(path: Path, frame: Frame) -> Any:
    """A Parquet table as a frame of the library that is asked for, which must be installed."""
    if frame == "arrow":
        import pyarrow.parquet

        return pyarrow.parquet.read_table(path)
    if frame == "pandas":
        import pandas

        return pandas.read_parquet(path)
    if frame == "polars":
        import polars

        return polars.read_parquet(path)
    raise ValueError(f"frame is arrow, pandas or polars, not {frame!r}")


@dataclass(frozen=True)
class Report:
    """A report that was written."""

    folder: Path

    @cached_property
    def data(self) -> dict[str, Any]:
        """report.json: its schema is `stagegate schema report`."""
        data: dict[str, Any] = json.loads((self.folder / "report.json").read_text(encoding="utf-8"))
        return data

    @property
    def decision(self) -> str:
        """go, incomplete, review, no_go or rollback."""
        return str(self.data["decision"]["value"])

    @property
    def reasons(self) -> list[str]:
        """What speaks against going on, the gravest first."""
        return [str(reason["text"]) for reason in self.data["decision"]["reasons"]]

    @property
    def summary(self) -> list[str]:
        """Plain sentences, the decision first."""
        return [str(sentence) for sentence in self.data["summary"]]

    @property
    def html(self) -> Path:
        """The page."""
        return self.folder / "report.html"

    @overload
    def figures(self, frame: Literal["arrow"] = ...) -> pyarrow.Table: ...
    @overload
    def figures(self, frame: Literal["pandas"]) -> pandas.DataFrame: ...
    @overload
    def figures(self, frame: Literal["polars"]) -> polars.DataFrame: ...
    def figures(self, frame: Frame = "arrow") -> Any:
        """Every figure with its n and interval, one a row."""
        return read(self.folder / "figures.parquet", frame)


@dataclass(frozen=True)
class Cube:
    """A cube that was written: small tables that a report, or a query, is made of."""

    folder: Path

    @cached_property
    def header(self) -> dict[str, Any]:
        """header.json: rules, timeline, and what became of every line of every file."""
        header: dict[str, Any] = json.loads((self.folder / "header.json").read_text(encoding="utf-8"))
        return header

    @property
    def names(self) -> list[str]:
        """Names of the tables."""
        return sorted(path.stem for path in self.folder.glob("*.parquet"))

    @overload
    def table(self, name: str, frame: Literal["arrow"] = ...) -> pyarrow.Table: ...
    @overload
    def table(self, name: str, frame: Literal["pandas"]) -> pandas.DataFrame: ...
    @overload
    def table(self, name: str, frame: Literal["polars"]) -> polars.DataFrame: ...
    def table(self, name: str, frame: Frame = "arrow") -> Any:
        """A table by its name: docs/cube.md describes the columns."""
        if name not in self.names:
            raise KeyError(f"{name!r} is no table of the cube: {', '.join(self.names)}")
        return read(self.folder / f"{name}.parquet", frame)
