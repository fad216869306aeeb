# SPDX-License-Identifier: BSD-3-Clause
"""fio with io_uring, doing what bench/files.c does: ns for each operation."""

import json
import os
import shutil
import subprocess
import tempfile

from programs import Failed

FILE_BYTES = 256 << 20
RUN_S = 1


def fio(rw, block, depth, direct):
    """One job: the figure of its reads or writes."""
    if not shutil.which("fio"):
        raise Failed("fio is not installed (scripts/deps bench)")
    cpu = sorted(os.sched_getaffinity(0))[-1]
    with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_DIR", "/var/tmp")) as folder:
        command = ["fio", "--name=peer", "--ioengine=io_uring", f"--rw={rw}", f"--bs={block}",
                   f"--iodepth={depth}", f"--direct={int(direct)}", f"--filename={folder}/big",
                   f"--size={FILE_BYTES}", "--time_based", f"--runtime={RUN_S}", "--ramp_time=0.2s",
                   "--norandommap", "--randrepeat=0", "--invalidate=0", "--fallocate=none",
                   f"--cpus_allowed={cpu}", "--output-format=json"]
        if not direct:
            # Into the page cache first.
            subprocess.run(["fio", "--name=fill", "--rw=write", "--bs=1M", f"--filename={folder}/big",
                            f"--size={FILE_BYTES}", "--end_fsync=1"], capture_output=True, check=True)
        run = subprocess.run(command, capture_output=True, text=True, check=False)
        if run.returncode != 0:
            raise Failed(run.stderr.strip() or f"fio: exit code {run.returncode}")
        job = json.loads(run.stdout)["jobs"][0]
        return [1e9 / job["write" if rw == "write" else "read"]["iops"]]
