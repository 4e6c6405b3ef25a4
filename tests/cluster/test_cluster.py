"""stagegate on real clusters on loopback: Spark (a standalone master and two workers) and Dask. The report of each merged cube is,
byte for byte, that of one machine: of several files, of ranges of one, of packed and damaged lines, of an S3 server, with a
worker killed in the middle of the work, with the driver killed and started again.

    python tests/cluster/test_cluster.py target/release/stagegate

Needs pyspark, pyarrow, dask, distributed, moto[server] and boto3, and a Java runtime.
"""

import gzip
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pyspark

HERE = Path(__file__).resolve().parents[2]
STAGEGATE = str(Path(sys.argv[1]).resolve())
SPARK_JOB = HERE / "integrations/spark/stagegate_spark.py"
DASK_JOB = HERE / "integrations/dask/stagegate_dask.py"
SPARK = Path(pyspark.__file__).parent
MASTER = "spark://127.0.0.1:17077"
S3 = "http://127.0.0.1:15000"
ENVIRONMENT = os.environ | {
    "SPARK_HOME": str(SPARK), "PYSPARK_PYTHON": sys.executable, "SPARK_LOCAL_IP": "127.0.0.1", "STAGEGATE": STAGEGATE,
    "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": "us-east-1", "AWS_ENDPOINT_URL": S3,
}


def start(log, *command):
    """A process with a group of its own: what it starts ends with it."""
    return subprocess.Popen([str(word) for word in command], stdout=open(log, "wb"), stderr=subprocess.STDOUT,
                            env=ENVIRONMENT, start_new_session=True)


def kill(process):
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait()


def wait_for(log, text, seconds=60):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if text in Path(log).read_text(errors="replace"):
            return
        time.sleep(0.1)
    raise AssertionError(f"{text!r} did not come: {Path(log).read_text(errors='replace')[-2000:]}")


def stagegate(*arguments):
    subprocess.run([STAGEGATE, *map(str, arguments)], check=True, capture_output=True)


def report(*inputs):
    """report.json of logs or cubes."""
    with tempfile.TemporaryDirectory() as out:
        stagegate("report", "--quiet", "--generated-at", "2025-11-18T12:00:00Z", "--out", out, *inputs)
        return (Path(out) / "report.json").read_bytes()


def worker(number):
    log = f"worker-{number}.log"
    process = start(log, SPARK / "bin/spark-class", "org.apache.spark.deploy.worker.Worker", "-c", 1, "-m", "700m",
                    "--webui-port", 18080 + number, "-d", f"work-{number}", MASTER)
    wait_for(log, "Successfully registered with master")
    return process


def submit(log, *arguments):
    return start(log, SPARK / "bin/spark-submit", "--master", MASTER, "--executor-memory", "600m", "--driver-memory", "600m",
                 SPARK_JOB, "--stagegate", STAGEGATE, *arguments)


def finished(process, log, what, seconds=180):
    if process.wait(seconds) != 0:
        raise AssertionError(f"{what}: {Path(log).read_text(errors='replace')[-4000:]}")
    parts = re.search(r"in (\d+) parts", Path(log).read_text(errors="replace"))
    return int(parts[1]) if parts else 0


def on_spark(what, inputs, *options):
    want, began = report(*inputs), time.monotonic()
    parts = finished(submit("job.log", "-o", "all.cube", *inputs, *options), "job.log", what)
    assert report("all.cube") == want, what
    shutil.rmtree("all.cube")
    print(f"{what}: {parts} parts, {time.monotonic() - began:.1f} s, the report of one machine", flush=True)


def written_logs():
    """One file; the same lines dealt to four hosts, two of them packed; a log with bad lines and repeats."""
    stagegate("generate", "--uploads", 60000, "--seed", 5, "-o", "whole.jsonl")
    stagegate("generate", "--uploads", 20000, "--seed", 5, "--scenario", "messy", "-o", "messy.jsonl")
    os.mkdir("hosts")
    lines = Path("whole.jsonl").read_bytes().splitlines(keepends=True)
    for host in range(4):
        content = b"".join(lines[host::4])
        Path(f"hosts/{host}.jsonl" + ".gz" * (host % 2)).write_bytes(gzip.compress(content) if host % 2 else content)


def on_s3(processes):
    """Objects, whose names are all that differs."""
    import boto3

    processes.append(start("s3.log", sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", S3.rsplit(":", 1)[1]))
    wait_for("s3.log", "Running on")
    store = boto3.client("s3", endpoint_url=S3, region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="test")
    store.create_bucket(Bucket="logs")
    os.makedirs("bucket/logs")
    for name in sorted(os.listdir("hosts")):
        store.upload_file(f"hosts/{name}", "logs", f"day/{name}")
    want = report(*sorted(str(path) for path in Path("hosts").iterdir()))
    began = time.monotonic()
    parts = finished(submit("job.log", "-o", "s3.cube", "s3://logs/day/", "--split", "2MB"), "job.log", "S3")
    assert report("s3.cube").replace(b"s3://logs/day/", b"hosts/") == want, "S3"
    print(f"an S3 server: {parts} parts, {time.monotonic() - began:.1f} s, the report of one machine", flush=True)


def killed(processes):
    """A worker that is lost costs its tasks; a driver that is lost leaves nothing half made."""
    want, options = report("whole.jsonl"), ("-o", "killed.cube", "whole.jsonl", "--split", "250kB", "--fan-in", 8)
    began = time.monotonic()
    job = submit("job.log", *options)
    wait_for("job.log", "parts, ")
    time.sleep(3)
    assert job.poll() is None, "the job was over before a worker was killed"
    kill(processes.pop())
    parts = finished(job, "job.log", "a worker killed")
    assert report("killed.cube") == want, "a worker killed"
    print(f"a worker killed: {parts} parts, {time.monotonic() - began:.1f} s, the report of one machine", flush=True)
    shutil.rmtree("killed.cube")
    processes.append(worker(2))
    job = submit("job.log", *options)
    wait_for("job.log", "parts, ")
    time.sleep(2)
    kill(job)
    assert not Path("killed.cube").exists()
    finished(submit("job.log", *options), "job.log", "the driver killed")
    assert report("killed.cube") == want, "the driver killed"
    print("the driver killed and started again: the report of one machine", flush=True)


def refused():
    """What stagegate refuses fails the job with its words, and writes nothing."""
    Path("bad.toml").write_text("[analysis]\nsize_bounds = [1.0]\n")
    job = submit("job.log", "-o", "bad.cube", "whole.jsonl", "--config", "bad.toml")
    assert job.wait(60) != 0 and not Path("bad.cube").exists()
    assert "size_bounds" in Path("job.log").read_text(errors="replace")


def on_dask(processes):
    want = report("whole.jsonl", "messy.jsonl")
    address = "tcp://127.0.0.1:18786"
    processes.append(start("scheduler.log", sys.executable, "-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1",
                           "--port", "18786", "--no-dashboard"))
    for number in range(2):
        processes.append(start(f"dask-{number}.log", sys.executable, "-m", "distributed.cli.dask_worker", address, "--nthreads",
                               "1", "--no-dashboard"))
    os.environ["SPLIT"] = ENVIRONMENT["SPLIT"] = "1MB"
    began = time.monotonic()
    job = start("job.log", sys.executable, DASK_JOB, address, "dask.cube", "whole.jsonl", "messy.jsonl")
    finished(job, "job.log", "Dask")
    assert report("dask.cube") == want, "Dask"
    print(f"Dask: {time.monotonic() - began:.1f} s, the report of one machine", flush=True)


def main():
    processes = []
    with tempfile.TemporaryDirectory(prefix="stagegate-cluster-") as folder:
        os.chdir(folder)
        Path("rollout.toml").touch()
        try:
            written_logs()
            processes.append(start("master.log", SPARK / "bin/spark-class", "org.apache.spark.deploy.master.Master", "--host",
                                   "127.0.0.1", "--port", 17077, "--webui-port", 18080))
            wait_for("master.log", "I have been elected leader")
            processes += [worker(1)]
            on_s3(processes)
            processes.append(worker(2))
            hosts = sorted(str(path) for path in Path("hosts").iterdir())
            on_spark("several files", hosts, "--split", "2MB")
            on_spark("ranges of one file", ["whole.jsonl"], "--split", "500kB", "--fan-in", "4")
            on_spark("bad lines and repeats", ["messy.jsonl"], "--split", "300kB")
            killed(processes)
            refused()
            on_dask(processes)
        finally:
            for process in processes:
                kill(process)
            os.chdir("/")


if __name__ == "__main__":
    main()
