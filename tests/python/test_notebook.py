"""Runs docs/rollout.ipynb with the installed package and holds what it prints against what stands in it:
`python tests/python/test_notebook.py [--write]`; needs nbclient, ipykernel, polars, and the wheel installed."""

import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOK = ROOT / "docs" / "rollout.ipynb"


def printed(notebook: nbformat.NotebookNode) -> list[str]:
    """The text below each cell of code."""
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    return ["".join(output.get("text", "") for output in cell.outputs) for cell in cells]


notebook = nbformat.read(NOTEBOOK, as_version=4)
nbformat.validate(notebook)
kept = printed(notebook)
NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(ROOT)}}).execute()
found = printed(notebook)
assert all(text.strip() for text in found), "every cell prints something"
if "--write" in sys.argv[1:]:
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
    notebook.metadata.language_info = {"name": "python"}
    NOTEBOOK.write_text(nbformat.writes(notebook, indent=1) + "\n", encoding="utf-8")
elif kept != found:
    sys.exit("docs/rollout.ipynb prints something else now:\n" + "\n".join(found))
