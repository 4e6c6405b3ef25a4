"""Where the program is, and how it is run."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Iterable, Union

StrPath = Union[str, "os.PathLike[str]"]

# Exit codes of answers: go, no go or roll back, review, incomplete.
ANSWERS = (0, 1, 3, 4)


class StagegateError(RuntimeError):
    """An input or a config that cannot be meant. Its text says what, where, why and what to do."""


def executable() -> Path:
    """The program that came with this package, else the one on the path.

    Raises StagegateError where there is none.
    """
    name = "stagegate.exe" if sys.platform == "win32" else "stagegate"
    folders = [Path(sysconfig.get_path("scripts")), Path(sysconfig.get_path("scripts", f"{os.name}_user"))]
    for folder in folders:
        if (folder / name).is_file():
            return folder / name
    found = shutil.which(name)
    if found is None:
        raise StagegateError(f"{name} is neither in {folders[0]} nor on the path: install the package again")
    return Path(found)


def run(arguments: Iterable[StrPath]) -> str:
    """Runs the program; what it printed, whatever its answer.

    Raises StagegateError where it could not answer.
    """
    command = [str(executable()), *(os.fspath(argument) for argument in arguments)]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=False)
    if done.returncode not in ANSWERS:
        raise StagegateError(done.stderr.strip() or f"stagegate ended with {done.returncode}")
    return done.stdout
