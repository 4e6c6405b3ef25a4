"""Folds logs into one cube on a Dask cluster.

    python stagegate_dask.py SCHEDULER:8786 all.cube 'logs/*.jsonl*'
    stagegate report all.cube

All workers see the logs and the folder of the cubes by the same paths, and have stagegate.
"""

import json
import os
import subprocess
import sys
import tempfile

from dask.distributed import Client

STAGEGATE = os.environ.get("STAGEGATE", "stagegate")
SPLIT = os.environ.get("SPLIT", "1GB")


def stagegate(*arguments):
    done = subprocess.run([STAGEGATE, *arguments], capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(done.stderr)
    return done.stdout


def fold(plan, part, folder, root):
    """A part that is there already is not folded again: a second try costs nothing."""
    cube = os.path.join(folder, f"{part}.cube.tar")
    stagegate("cube", "--quiet", "--threads", "1", "--plan", plan, "--part", str(part), "--root", root, "-o", cube)
    return cube


def main(scheduler, output, *logs):
    client = Client(scheduler)
    with tempfile.TemporaryDirectory(dir=os.path.dirname(os.path.abspath(output)), prefix="parts-") as folder:
        plan = os.path.join(folder, "plan.json")
        stagegate("plan", "--quiet", *logs, "--split", SPLIT, "-o", plan)
        with open(plan) as file:
            parts = len(json.load(file)["parts"])
        cubes = client.gather(client.map(fold, [plan] * parts, range(parts), [folder] * parts, [os.getcwd()] * parts))
        stagegate("cube", "--quiet", "--plan", plan, *cubes, "-o", output)
    client.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
