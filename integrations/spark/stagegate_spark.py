"""Folds logs that are spread over a cluster into one cube, on Apache Spark.

    spark-submit --master spark://HOST:7077 stagegate_spark.py --stagegate ./stagegate -o all.cube 's3://bucket/logs/'
    stagegate report all.cube

stagegate does the work, and knows what belongs together: `stagegate plan` on the driver says who folds what, each task runs
`stagegate cube --part`, the cubes travel as one file each and are merged in a tree. Paths that all workers see are read by
their paths; what a URL names (s3, gs, abfs, hdfs) is read by pyarrow and fed through standard input.
"""

import argparse
import ctypes
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from pyspark import SparkConf, SparkContext, SparkFiles

BLOCK = 1 << 20


def filesystem(url):
    """The filesystem of a URL, and the path in it; credentials are the environment's."""
    from pyarrow import fs

    scheme, path = url.split("://", 1)
    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    if scheme != "s3" or not endpoint:
        return fs.FileSystem.from_uri(url)
    protocol, host = endpoint.split("://", 1)
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1"
    return fs.S3FileSystem(scheme=protocol, endpoint_override=host, region=region), path


def listed(url):
    """Name and size of what a URL names: an object, or all below a prefix."""
    from pyarrow import fs

    store, path = filesystem(url)
    scheme = url.split("://", 1)[0]
    found = store.get_file_info(path.rstrip("/"))
    if found.type != fs.FileType.File:
        found = store.get_file_info(fs.FileSelector(path.rstrip("/"), recursive=True))
    files = [{"name": f"{scheme}://{one.path}", "bytes": one.size} for one in (found if isinstance(found, list) else [found])
             if one.type == fs.FileType.File]
    if not files:
        raise SystemExit(f"error: nothing is at {url}")
    return files


def blocks(url, size, start):
    """The bytes of an object from a position on, to the length that it had when it was listed."""
    store, path = filesystem(url)
    with store.open_input_file(path) as file:
        file.seek(start)
        while start < size and (block := file.read(min(BLOCK, size - start))):
            start += len(block)
            yield block


def end_with_parent():
    # An executor that is killed must not leave a folding child behind.
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def stagegate(program, *arguments, feed=None):
    """What the program prints on standard output; its exit code 2 is an error that no second try mends."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as error:
        process = subprocess.Popen([program, *arguments], stdin=subprocess.PIPE if feed else subprocess.DEVNULL, stdout=out,
                                   stderr=error, preexec_fn=end_with_parent)
        try:
            for block in feed or ():
                process.stdin.write(block)
        except BrokenPipeError:
            pass  # it has what it needs
        finally:
            try:
                if process.stdin:
                    process.stdin.close()
            except BrokenPipeError:
                pass
        code = process.wait()
        out.seek(0)
        error.seek(0)
        if code != 0:
            raise RuntimeError(f"stagegate {' '.join(arguments[:1])}: {error.read().decode(errors='replace')}")
        return out.read()


def on_part(command, plan_name, number, threads, root):
    """Runs a command on a part of the plan that came with the job; its paths are relative to `root`."""
    plan_path = SparkFiles.get(plan_name)
    with open(plan_path) as file:
        plan = json.load(file)
    index, start, _ = plan["parts"][number][0]
    name, size = plan["files"][index]["path"], plan["files"][index]["bytes"]
    feed = blocks(name, size, max(start - 1, 0)) if "://" in name else None
    more = [*(["-"] if feed else []), *(["-o", "-"] if command == "cube" else [])]
    return stagegate(SparkFiles.get("stagegate"), command, "--quiet", "--threads", str(threads), "--plan", plan_path, "--part",
                     str(number), "--root", root, *more, feed=feed)


def merged(cubes, output="-", *options):
    """Cubes, each as one file -> the cube of all, as one file unless it is written elsewhere."""
    with tempfile.TemporaryDirectory(prefix="stagegate-") as work:
        paths = []
        for number, cube in enumerate(cubes):
            paths.append(os.path.join(work, f"{number}.cube.tar"))
            with open(paths[-1], "wb") as file:
                file.write(cube)
        return stagegate(SparkFiles.get("stagegate"), "cube", "--quiet", *options, *paths, "-o", output)


def made(program, plan_path, arguments, listing, timeline=None):
    """Writes the plan, and gives it."""
    options = ["--split", arguments.split, *(["--config", arguments.config] if arguments.config else [])]
    options += ["--listing", listing] if listing else []
    options += ["--timeline", timeline] if timeline else []
    paths = [one for one in arguments.inputs if "://" not in one]
    stagegate(program, "plan", "--quiet", *paths, *options, "-o", plan_path)
    with open(plan_path) as file:
        return json.load(file)


def run(context, arguments, work):
    began = time.monotonic()

    def told(what):
        print(f"{time.monotonic() - began:7.1f} s  {what}", file=sys.stderr, flush=True)

    program = os.path.abspath(shutil.which(arguments.stagegate) or arguments.stagegate)
    context.addFile(program)
    draft_path, plan_path = os.path.join(work, "draft.json"), os.path.join(work, "plan.json")
    listing, threads, root = None, arguments.threads, os.getcwd()
    urls = [url for url in arguments.inputs if "://" in url]
    if urls:
        listing = os.path.join(work, "listing.jsonl")
        with open(listing, "w") as file:
            file.writelines(json.dumps(one) + "\n" for url in urls for one in listed(url))
    plan = made(program, draft_path, arguments, listing, arguments.timeline)
    if plan["timeline"] is not None:
        os.rename(draft_path, plan_path)
    else:
        context.addFile(draft_path)
        context.setJobDescription("stagegate: search the stage events")
        parts = context.parallelize(range(len(plan["parts"])), len(plan["parts"]))
        events = parts.map(lambda number: on_part("timeline", "draft.json", number, threads, root)).collect()
        timeline = os.path.join(work, "events.jsonl")
        with open(timeline, "wb") as file:
            file.writelines(events)
        plan = made(program, plan_path, arguments, listing, timeline)
    context.addFile(plan_path)
    parts = len(plan["parts"])
    told(f"{len(plan['files'])} files in {parts} parts, {len(plan['timeline'])} stage events")
    context.setJobDescription(f"stagegate: fold {parts} parts, merge {arguments.fan_in} at a time")
    cubes = context.parallelize(range(parts), parts).map(lambda number: on_part("cube", "plan.json", number, threads, root))
    while parts > arguments.fan_in:
        parts = -(-parts // arguments.fan_in)
        # By default argument: a closure is pickled when the job starts, after the loop has changed it.
        numbered = cubes.mapPartitionsWithIndex(lambda index, some, parts=parts: ((index % parts, cube) for cube in some))
        cubes = numbered.groupByKey(parts).map(lambda keyed: merged(keyed[1]))
    # The last merge is the gate: what is missing, or there twice, is named.
    merged(cubes.collect(), arguments.output, "--plan", plan_path)
    told(f"wrote {arguments.output}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("inputs", nargs="+", help="globs that all workers see, or URLs of objects and prefixes")
    parser.add_argument("-o", "--output", required=True)
    parser.add_argument("--stagegate", default="stagegate", help="the program; it travels to the workers")
    parser.add_argument("--config", help="rollout.toml")
    parser.add_argument("--timeline", help="events, or a cube that knows them: then nothing is searched")
    parser.add_argument("--split", default="1GB", help="about how large a part is")
    parser.add_argument("--fan-in", type=int, default=16, help="cubes that are merged at once")
    parser.add_argument("--threads", type=int, default=1, help="of a task")
    arguments = parser.parse_args()
    context = SparkContext(conf=SparkConf().setAppName("stagegate cube"))
    context.setLogLevel("ERROR")
    try:
        with tempfile.TemporaryDirectory(prefix="stagegate-") as work:
            run(context, arguments, work)
    finally:
        context.stop()


if __name__ == "__main__":
    main()
