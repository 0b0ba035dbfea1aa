"""The chapter on one's own data, run as its last lines say: by papermill, from any folder."""

import csv
import os
import subprocess
import sys
from pathlib import Path

import jupytext
import numpy as np
import pytest

ROOT = Path(__file__).parents[1]
VIDEOS = ["a'; touch x; echo 'b", "v 2 $(touch y)", "`touch z`", "-v", "视频", "plain"]


@pytest.fixture
def home(tmp_path) -> Path:
    """A folder with a user's arrays and CSV; where the chapter would write lie others of hers."""
    folder = tmp_path / "it's mine"
    rng = np.random.default_rng(0)
    for place in ("i3d", "out/your_own_data/i3d"):
        (folder / place).mkdir(parents=True)
        for name in VIDEOS:
            np.save(folder / place / f"{name}.npy", rng.random((40, 8), np.float32))
    for place in ("segments.csv", "out/your_own_data/segments.csv"):
        with open(folder / place, "w", encoding="utf-8", newline="") as file:
            rows = [(name, "dive" if i % 2 else "a b$", 6.4, 12.8) for i, name in enumerate(VIDEOS)]
            csv.writer(file).writerows([("video", "label", "start", "end"), *rows])
    jupytext.write(jupytext.read(ROOT / "notebooks/19_your_own_data.py"), folder / "19.ipynb")
    return folder


def run(folder: Path, **parameters: str) -> tuple[subprocess.CompletedProcess, str]:
    """How papermill ends, and what the notebook has printed."""
    given = [word for name, value in {"profile": "smoke", "output": "out", **parameters}.items()
             for word in ("-p", name, value)]
    done = subprocess.run(
        [sys.executable, "-m", "papermill", "19.ipynb", "done.ipynb", "--kernel", "python3",
         "--language", "python", "--no-progress-bar", *given],
        cwd=folder, capture_output=True, text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT), "PYTHONUTF8": "1"})
    outputs = [one for cell in jupytext.read(folder / "done.ipynb").cells
               for one in cell.get("outputs", [])]
    return done, "".join(one.get("text", "") for one in outputs)


@pytest.mark.slow
@pytest.mark.parametrize("place", [".", "out/your_own_data"])
def test_relative_paths_and_odd_names_are_the_users_and_nothing_of_hers_is_touched(home, place):
    before = {path: path.read_bytes() for path in home.rglob("*.npy")}
    done, printed = run(home, features=f"{place}/i3d", annotations=f"{place}/segments.csv")
    assert done.returncode == 0, done.stderr[-3000:]
    assert {path: path.read_bytes() for path in before} == before
    assert "data/mine: 0 errors" in printed and "videos of the classes: a b$ 3, dive 3" in printed
    assert sorted(path.name for path in home.glob("*")) == [
        "19.ipynb", "done.ipynb", "i3d", "out", "segments.csv"]
    assert not list(home.rglob("[xyz]")), "a name was run as a command"
    made = {path.name for path in (home / "out").iterdir()}
    assert made == {"your_own_data", "your_own_data_2"}
    assert (home / "out/your_own_data_2/timeline.png").is_file()


@pytest.mark.parametrize("parameters, said", [
    ({"features": "nosuch", "annotations": "segments.csv"}, "there is no"),
    ({"features": "i3d"}, "give both"), ({"annotations": "segments.csv"}, "give both")])
def test_what_is_not_there_or_is_half_given_is_refused_before_anything_is_made(
        home, parameters, said):
    done, _ = run(home, **parameters)
    assert done.returncode and said in done.stderr.strip().splitlines()[-1]
    assert [path.name for path in (home / "out").iterdir()] == ["your_own_data"]


def test_no_chapter_runs_a_shell_or_removes_a_folder():
    for path in (ROOT / "notebooks").glob("*.py"):
        text = path.read_text(encoding="utf-8")
        for word in ("shell=True", "rmtree", "os.system", "\n!", "unlink"):
            assert word not in text, (path.name, word)
