"""wrk as the load generator, with a script that counts wrong answers and puts new ids into the requests."""

import random
import shutil
import subprocess
import uuid
from pathlib import Path

import orjson

from benchmarks.load_generator.traffic import Figures, Traffic

SCRIPT = Path(__file__).with_suffix(".lua")
MARK = "figures "


def is_installed() -> bool:
    return shutil.which("wrk") is not None


def send(port: int, traffic: Traffic, clients: int, seconds: int) -> Figures:
    """Each client sends its next request when it has the answer to its last one."""
    # wrk's own time-out is two seconds, and it would count a slow answer as a wrong one.
    options = ["-t1", f"-c{clients}", "--timeout=60s", f"-d{seconds}s", "-s", str(SCRIPT), f"http://127.0.0.1:{port}"]
    prefix, seed = f"{uuid.uuid4().hex[:12]}-", random.randrange(1_000_000)
    values = [traffic.method, traffic.path, traffic.body, traffic.success, traffic.many, prefix, seed]
    program = ["wrk", *options, "--", *map(str, values)]
    return figures(subprocess.run(program, check=True, capture_output=True, text=True, timeout=seconds + 60).stdout)


def figures(output: str) -> Figures:
    """Parse the line that the script prints."""
    [line] = [line for line in output.splitlines() if line.startswith(MARK)]
    counts = orjson.loads(line.removeprefix(MARK))
    right = counts["answers"] - counts["wrong"]
    return Figures(
        rate=right / (counts["microseconds"] / 1e6),
        p50=counts["p50"] / 1e3,
        p99=counts["p99"] / 1e3,
        wrong=counts["wrong"] + counts["lost"],
        right=right,
    )


def version() -> str:
    return subprocess.run(["wrk", "-v"], capture_output=True, text=True).stdout.split()[1]
