"""Every chapter runs on every data set that `facnet data check` lets pass, or says why it cannot.

The chapters run one after the other in this process, with a seed each; the one on one's own data
and those that read no data set are left to `make test`.
"""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import jupytext
import matplotlib
import matplotlib.pyplot as plt
import pytest
from IPython.core.interactiveshell import InteractiveShell
from small_datasets import make

from facnet.importers.check import check_folder

ROOT = Path(__file__).parents[1]
CHAPTERS = [path for path in sorted((ROOT / "notebooks").glob("*.py"))
            if path.name[:2] not in ("03", "16", "17", "19", "20")]
KINDS = {
    "labels alone": {"timed": False},
    "one class and one stream": {"classes": ("dive",), "streams": ("features",)},
    "ActivityNet's protocol": {"protocol": "activitynet", "bare": True, "durations": False},
    "names in any script": {
        "classes": ("跳水", "قفز", "🏊 a$b^$c <b>|_`"), "streams": ("_r$g^$b", "光流"),
        "names": "视频 {:02} $x^$ <i>", "videos": 12, "train_timed": False, "ignored": True},
    "one action from start to end, two videos": {"whole": True, "videos": 4}}
# What chapters may say that they cannot show, and nothing else.
SAID = {
    "labels alone": {path.name[:2]: "no test video has an instance" for path in CHAPTERS},
    "one action from start to end, two videos": {
        "10": "2 training videos", **dict.fromkeys(("08", "11", "13"), "some of each")}}


def saved_by(cells: list) -> set[str]:
    """What a chapter's `save_figure` and `save_table` name, if it runs to its end."""
    calls = [node for cell in cells for node in ast.walk(ast.parse(cell.source))
             if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in (
                 "save_figure", "save_table")]
    return {call.args[1].value for call in calls if isinstance(call.args[1], ast.Constant)}


def run_chapter(cells: list, capsys) -> str:
    """What the cells print; the first that fails, fails."""
    InteractiveShell.clear_instance()
    shell, printed = InteractiveShell.instance(colors="nocolor"), ""
    for cell in cells:
        result = shell.run_cell(re.sub(r"^seeds: int = \d+", "seeds: int = 1", cell.source,
                                       flags=re.M))
        plt.close("all")
        printed += capsys.readouterr().out
        assert result.success, f"{cell.source}\n{printed[-3000:]}"
    return printed


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A notebook's own: its folder, and parameters from the environment."""
    matplotlib.use("Agg")
    monkeypatch.chdir(ROOT / "notebooks")
    for name, value in {"FACNET_OUTPUT": str(tmp_path / "results"), "FACNET_PROFILE": "smoke",
                        "IPYTHONDIR": str(tmp_path / "ipython")}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("FACNET_LIVE", raising=False)
    yield tmp_path
    InteractiveShell.clear_instance()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", KINDS)
def test_every_chapter_runs_on_these_data(place, monkeypatch, capsys, kind):
    folder = make(place / "mine", **KINDS[kind])
    assert not check_folder(folder).errors, "not allowed: nothing to ask of a chapter"
    for name in ("FACNET_DATASET", "FACNET_ACTIVITYNET"):
        monkeypatch.setenv(name, str(folder))
    for path in CHAPTERS:
        cells = [cell for cell in jupytext.read(path).cells if cell.cell_type == "code"]
        printed = run_chapter(cells, capsys)
        said = [line for line in printed.splitlines() if line.startswith("Nothing to show. ")]
        expected = SAID.get(kind, {}).get(path.name[:2])
        assert len(said) == (expected is not None) and all(expected in line for line in said), (
            path.name, said)
        missing = {name for name in saved_by(cells)
                   if not list((place / "results").glob(f"{name}.[cs][sv][vg]"))}
        assert bool(missing) == bool(said), (path.name, missing)


@pytest.mark.slow
def test_a_chapter_with_nothing_to_show_is_built_like_any_other(tmp_path):
    folder = make(tmp_path / "mine", timed=False)
    target = tmp_path / "01.ipynb"
    subprocess.run(
        [sys.executable, ROOT / "book/run_notebook.py", ROOT / "notebooks/01_the_problem.py",
         target], check=True, env=os.environ | {
             "FACNET_DATASET": str(folder), "FACNET_PROFILE": "smoke",
             "FACNET_OUTPUT": str(tmp_path / "results")})
    outputs = [one for cell in jupytext.read(target).cells for one in cell.get("outputs", [])]
    assert [one.output_type for one in outputs] == ["stream"]
    assert outputs[0].text.splitlines()[-1].startswith("Nothing to show. mine: ")


@pytest.mark.slow
@pytest.mark.parametrize("options, left_out", [
    ({"timed": False}, ["seeds", "table2", "table5"]), ({"videos": 4}, ["table5"]), ({}, [])])
def test_make_leaves_out_the_sweeps_that_the_data_have_too_little_for(tmp_path, options, left_out):
    folder = str(make(tmp_path / "my data", **options))
    sweeps = ["seeds --seeds 1", "table2 --seeds 1", "table5 --seeds 1"]
    done = subprocess.run(
        [sys.executable, ROOT / "book/run_sweeps.py", tmp_path / "records", *sweeps], check=True,
        capture_output=True, text=True, env=os.environ | {
            "FACNET_DATASET": folder, "FACNET_ACTIVITYNET": folder, "FACNET_PROFILE": "smoke",
            "JOBS": "1", "PYTHONUTF8": "1"})
    assert re.findall(r"^Left out: (\w+)", done.stdout, re.M) == left_out
    assert len(done.stdout.splitlines()) == 3 + len(left_out)
