"""What notebooks ask of their parameters, of their data and of the place that they write to."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import jupytext
import pytest
from IPython.core.interactiveshell import InteractiveShell
from small_datasets import make

from facnet.data import load
from facnet.errors import FacnetError
from facnet.methods import METHODS, preset
from facnet.study.tables import TWO_CLASSES, Lacking, require
from facnet.study.notebook import PATHS, check_parameters, new_folder
from facnet.study.records import _revision

ROOT = Path(__file__).parents[1]


def parameters(**given: str) -> dict:
    return {"__annotations__": dict.fromkeys(given, str), **given}


@pytest.mark.parametrize("name", PATHS)
@pytest.mark.parametrize("given", ["mine", "./mine", "~/mine", "here/../mine"])
def test_a_path_is_the_callers_and_a_tilde_his_home(tmp_path, monkeypatch, name, given):
    for folder in ("mine", "here"):
        (tmp_path / folder).mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    notebook = parameters(**{name: given})
    check_parameters(notebook)
    assert Path(notebook[name]).is_absolute() and Path(notebook[name]).samefile("mine")


@pytest.mark.parametrize("name, given", [
    ("features", "i3d"), ("annotations", "no/such.csv"), ("dataset", "nosuch"),
    ("dataset", "/no/such folder"), ("features", "~nobody-of-this-name/mine")])
def test_a_path_to_nothing_is_refused_by_name(tmp_path, monkeypatch, name, given):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FacnetError, match=rf"^parameters\.{name} = '{given}': .+") as refused:
        check_parameters(parameters(**{name: given}))
    assert "\n" not in str(refused.value)


def test_a_name_and_nothing_stay_what_they_are(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "synthetic").mkdir()  # `load` prefers the name, too
    notebook = parameters(dataset="synthetic", features="", output="results")
    check_parameters(notebook)
    assert notebook["dataset"] == "synthetic" and notebook["features"] == ""
    assert notebook["output"] == str(tmp_path / "results")


def test_every_path_of_a_notebook_is_among_those_that_are_resolved():
    for path in (ROOT / "notebooks").glob("*.py"):
        cells = [cell for cell in jupytext.read(path).cells if cell.cell_type == "code"]
        texts = [line.partition(":")[0] for line in cells[0].source.splitlines() if ": str" in line]
        assert set(texts) - {"profile", "streams", "device"} <= set(PATHS), path.name


def test_each_run_has_a_folder_of_its_own_and_nothing_that_is_there_is_touched(tmp_path):
    theirs = tmp_path / "your_own_data" / "i3d"
    theirs.mkdir(parents=True)
    (theirs / "a.npy").write_bytes(b"theirs")
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: new_folder(str(tmp_path), "your_own_data"), range(20)))
    assert len({*made, theirs.parent}) == 21 and not any(list(folder.iterdir()) for folder in made)
    assert (theirs / "a.npy").read_bytes() == b"theirs"


@pytest.fixture
def shell(tmp_path, monkeypatch):
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    InteractiveShell.clear_instance()
    yield InteractiveShell.instance(colors="nocolor")
    InteractiveShell.clear_instance()


def test_a_chapter_with_nothing_to_show_says_so_and_goes_on_once_other_data_are_named(
        tmp_path, shell, capsys):
    none, some = make(tmp_path / "none", timed=False), make(tmp_path / "some")
    load_cell = "data = load(dataset, 'smoke')\nshow_if_measurable(data)"
    shell.run_cell("from facnet import load\nfrom facnet.study import show_if_measurable")
    for dataset, shown in ((none, []), (some, ["measured"])):
        for cell in (f"dataset: str = {str(dataset)!r}", load_cell, "print('measured')"):
            shell.run_cell(cell).raise_error()
        first, *others = [*capsys.readouterr().out.splitlines(), ""]
        said = [line for line in (first, *others) if line.startswith("Nothing to show. none: ")]
        assert len(said) == (dataset == none) and [
            line for line in (first, *others) if line == "measured"] == shown


def test_features_that_cannot_be_read_are_not_taken_for_nothing_to_show(tmp_path):
    folder = make(tmp_path / "broken")
    for file in (folder / "features").rglob("*.npy"):
        file.write_bytes(b"no array")
    with pytest.raises(FacnetError, match="cannot be read|no .npy file") as failure:
        require(load(folder), background=True)
    assert not isinstance(failure.value, Lacking)


@pytest.mark.parametrize("options, needs, missing", [
    ({"timed": False}, {}, "no test video has an instance"),
    ({"whole": True}, {"background": True}, "are inside an instance"),
    ({"videos": 2}, {"background": True}, "and two videos"),
    ({"videos": 4}, {"held_out": True}, "2 training videos")])
def test_what_data_lack_is_said(tmp_path, options, needs, missing):
    with pytest.raises(Lacking, match=f"^mine: .*{missing}"):
        require(load(make(tmp_path / "mine", **options)), **needs)
    require(load(make(tmp_path / "all")), background=True, held_out=True)


def test_those_methods_are_left_out_that_refuse_a_single_class():
    refusing = []
    for name, method in METHODS.items():
        own = preset(next(iter(method.recipes)))
        try:
            method.network(8, 1, own.model)
        except FacnetError:
            refusing.append(name)
    assert sorted(refusing) == sorted(TWO_CLASSES)


@pytest.mark.parametrize("git, said", [
    ("", "unknown: git cannot be run (No such file or directory)"),
    ("echo \"fatal: detected dubious ownership in repository at '/x'\" >&2; exit 128",
     "unknown: git says 'fatal: detected dubious ownership'"),
    ("exit 1", "unknown: git says ''"), ("echo 0123+", "0123+")])
def test_a_revision_that_git_does_not_tell_comes_with_the_reason(
        tmp_path, monkeypatch, git, said):
    monkeypatch.setattr("facnet.study.records.__file__", str(tmp_path / "a/b/records.py"))
    (tmp_path / ".git").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    (tmp_path / "bin").mkdir()
    if git:
        (tmp_path / "bin/git").write_text(f"#!/bin/sh\n{git}\n", encoding="utf-8")
        (tmp_path / "bin/git").chmod(0o755)
    assert _revision() == said


SETTINGS = """
import os, sys, matplotlib
print(sys.executable == os.environ["PYTHON_OF_THE_TEST"], matplotlib.rcParams["text.usetex"])
print("started" in globals(), sys.flags.utf8_mode)
print("视频 é", os.environ["FACNET_DATASET"])
open("视频.txt", "w").write("视频 é")
"""


def hostile(folder: Path) -> dict[str, str]:
    """An environment in which all that a user can set up is set up, and wrong for the book."""
    kernel = '{"argv": ["/bin/false"], "display_name": "theirs", "language": "python"}'
    files = {"jupyter/kernels/python3/kernel.json": kernel,
             "home/.local/share/jupyter/kernels/python3/kernel.json": kernel,
             "home/.jupyter/jupyter_config.json": '{"KernelManager": {"kernel_cmd": ["false"]}}',
             "home/.ipython/profile_default/startup/00.py": "started = True",
             "home/.config/matplotlib/matplotlibrc": "text.usetex: True",
             "matplotlibrc": "text.usetex: True", "startup.py": "started = True"}
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return {"JUPYTER_PATH": str(folder / "jupyter"), "HOME": str(folder / "home"),
            "MATPLOTLIBRC": str(folder / "matplotlibrc"), "MPLBACKEND": "nosuch",
            "PYTHONSTARTUP": str(folder / "startup.py"), "PYTHON_OF_THE_TEST": sys.executable,
            "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0", "PYTHONPATH": str(ROOT)}


@pytest.mark.slow
@pytest.mark.parametrize("locale", ["C", "POSIX", "en_US.ISO-8859-1", "zh_CN.GBK"])
def test_a_notebook_runs_from_defaults_whatever_its_user_has_set_up(tmp_path, locale):
    data = make(tmp_path / "my data")
    source, target = tmp_path / "notebooks/one.py", tmp_path / "one.ipynb"
    source.parent.mkdir()
    source.write_text(f"# %%{SETTINGS}", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, ROOT / "book/run_notebook.py", source, target], cwd=tmp_path,
        capture_output=True, env={"PATH": os.environ["PATH"], **hostile(tmp_path),
                                  "LC_ALL": locale, "FACNET_DATASET": "my data"})
    assert done.returncode == 0, done.stderr
    (cell,) = jupytext.read(target).cells
    assert cell.outputs[0].text == f"True False\nFalse 1\n视频 é {data}\n"
    written = source.parent / "视频.txt"
    assert written.read_text(encoding="utf-8") == "视频 é"


def test_a_data_set_that_is_not_there_stops_a_notebook_with_one_line(tmp_path):
    source = tmp_path / "one.py"
    source.write_text("# %%\n1\n", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, ROOT / "book/run_notebook.py", source, tmp_path / "one.ipynb"],
        capture_output=True, text=True, env=os.environ | {"FACNET_DATASET": "no/such"})
    assert done.returncode == 1 and len(done.stderr.splitlines()) == 1
    assert "'no/such'" in done.stderr
