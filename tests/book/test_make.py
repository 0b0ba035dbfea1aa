"""What make plans and passes on, in a checkout and on data whose paths hold whatever a path can.

Notebooks and sweeps are stood in for: they note that they ran.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
NOTE = """
import os, pathlib, sys
with open("ran.txt", "a", encoding="utf-8") as file:
    print(sys.argv[1], os.environ["FACNET_DATASET"], file=file)
pathlib.Path(sys.argv[2]).write_text("")
"""


def make_data(folder: Path) -> Path:
    """Two videos whose names a shell, make or a URL would take for something else."""
    names = {"a b $(touch x)": "train", "c'; touch y; echo '%20 视频": "test"}
    (folder / "features").mkdir(parents=True)
    database = {}
    for name, subset in names.items():
        np.save(folder / "features" / f"{name}.npy", np.ones((5, 4), np.float32))
        database[name] = {"subset": subset, "annotations": [
            {"label": "dive", "segment": [0.0, 1.28]}]}
    facts = {"name": "mine", "classes": ["dive"], "streams": {"rgb": {"columns": [0, 4]}},
             "snippet_seconds": 0.64, "train": "train", "test": "test", "database": database}
    (folder / "annotations.json").write_text(json.dumps(facts), encoding="utf-8")
    return folder


@pytest.fixture
def checkout(tmp_path) -> Path:
    folder = tmp_path / "my check'out"
    shutil.copytree(ROOT / "book", folder / "book")
    (folder / "facnet").symlink_to(ROOT / "facnet")
    (folder / "data").symlink_to(ROOT / "data")
    shutil.copy(ROOT / "Makefile", folder)
    for name in ("requirements.txt", "pyproject.toml", "notebooks/01_one.py"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).touch()
    (folder / "book/run_notebook.py").write_text(NOTE, encoding="utf-8")
    (folder / ".venv/bin").mkdir(parents=True)
    stub = folder / ".venv/bin/python"
    stub.write_text(f'#!/bin/sh\nPYTHONPATH="{ROOT}" exec "{sys.executable}" "$@"\n')
    stub.chmod(0o755)
    (folder / ".venv/.ready").touch()
    return folder


def make(checkout: Path, *options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """As from a shell, also where make itself runs the tests."""
    kept = {name: value for name, value in os.environ.items()
            if not name.startswith(("FACNET_", "MAKE", "MFLAGS"))}
    return subprocess.run(["make", *options], cwd=checkout, env=kept | environment,
                          capture_output=True, text=True)


def runs(checkout: Path, *options: str, **environment: str) -> list[str]:
    """What `make executed` runs: a line a notebook, with the data set that it is told."""
    noted = checkout / "ran.txt"
    noted.unlink(missing_ok=True)
    done = make(checkout, "executed", "PROFILE=smoke", *options, **environment)
    assert done.returncode == 0, done.stderr
    return noted.read_text(encoding="utf-8").splitlines() if noted.is_file() else []


@pytest.mark.parametrize("name", ["my data", "it's \"mine\" & yours; #1 %, 数据"])
def test_a_notebook_runs_again_when_its_data_change_and_only_then(checkout, name):
    data = make_data(checkout / name)
    option = f"DATASET={name}"
    assert runs(checkout, option) == [f"notebooks/01_one.py {data}"]
    assert runs(checkout, option) == []
    file = next((data / "features").glob("a b*"))
    os.utime(file)  # touched, and the same
    assert runs(checkout, option) == []
    array = np.ones((5, 4), np.float32)
    array[3, 1] = 2
    np.save(file, array)
    assert len(runs(checkout, option)) == 1
    facts = (data / "annotations.json").read_text(encoding="utf-8")
    ruled = facts.replace('{"name"', '{"protocol": "thumos", "name"')
    for changed in (facts.replace("1.28", "1.92"), ruled):
        (data / "annotations.json").write_text(changed, encoding="utf-8")
        assert len(runs(checkout, option)) == 1
    assert runs(checkout, option) == []
    assert not list(checkout.glob("[xy]")), "a name was run as a command"


def test_a_data_set_is_found_from_the_environment_and_by_a_tilde(checkout):
    data = make_data(checkout / "home" / "mine")
    expected = [f"notebooks/01_one.py {data}"]
    home = {"HOME": str(data.parent)}
    assert runs(checkout, "DATASET=~/mine", **home) == expected
    assert runs(checkout, FACNET_DATASET="home/mine", **home) == []
    assert runs(checkout, "DATASET=synthetic") == ["notebooks/01_one.py synthetic"]
    assert runs(checkout, FACNET_DATASET="~/mine", **home) == expected


def test_data_that_cannot_be_read_stop_make_with_one_line(checkout):
    data = make_data(checkout / "mine")
    next((data / "features").glob("a b*")).write_bytes(b"no array")
    done = make(checkout, "executed", "PROFILE=smoke", "DATASET=mine")
    first, *others = done.stderr.splitlines()
    assert done.returncode and "a b $(touch x).npy: no .npy file" in first
    assert "Traceback" not in done.stderr and not (checkout / "ran.txt").exists()


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system binds to no cores")
@pytest.mark.parametrize("threads", [{}, {"OMP_NUM_THREADS": "7"}])
def test_as_many_jobs_as_cores_that_may_be_used(checkout, threads):
    one = {min(os.sched_getaffinity(0))}
    told = subprocess.run(["make", "-pn", "help"], cwd=checkout, capture_output=True, text=True,
                          env={"PATH": os.environ["PATH"]} | threads,
                          preexec_fn=lambda: os.sched_setaffinity(0, one)).stdout
    assert re.search(r"^MAKEFLAGS = .*-j1\b", told, re.M)
