"""Judges staged rollouts: runs the stagegate that this package carries, and hands its figures over as frames.

>>> import stagegate
>>> report = stagegate.report("logs/*.jsonl.gz", config="rollout.toml")
>>> report.decision, report.summary[0]
>>> report.figures("polars")
"""

from ._figures import Cube, Report
from ._run import StagegateError, executable
from ._commands import check, cube, report

__all__ = ["Cube", "Report", "StagegateError", "check", "cube", "executable", "report"]
