"""Fixtures that several test modules share."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

# No deadline: on a busy machine it fails tests whose answers are right.
os.environ.setdefault("TQDM_DISABLE", "1")  # bars would mix with what commands print

settings.register_profile("usual", deadline=None)
settings.register_profile("thorough", deadline=None, max_examples=4000)
settings.load_profile("usual")

FIXTURES = Path(__file__).parent / "fixtures"
ROOT = FIXTURES.parents[1]
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]


def copy_package(folder: Path) -> None:
    """The package's own copy in a folder, to be changed."""
    shutil.copytree(
        ROOT / "facnet", folder / "facnet", ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "data").symlink_to(ROOT / "data")


def run_copy(folder: Path, *command: str) -> str:
    """What Python prints with the copy of the package in that folder."""
    done = subprocess.run([sys.executable, *command], cwd=folder, text=True, capture_output=True,
                          env=os.environ | {"PYTHONPATH": str(folder)})
    assert done.returncode == 0, done.stderr
    return done.stdout


def record(data, experiment, protocol: str | None = None) -> dict:
    """The record of one experiment, by the data set's protocol unless another is named."""
    from facnet.study.records import records_of

    (one,) = records_of(data, [experiment], protocol or data.protocol)
    return one


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory) -> Iterator[None]:
    """What is remembered of files is no user's, of whom tests would leave and find something."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def reference() -> Path:
    """The folder of reference material (oracles/ and data/), where one is named."""
    folder = os.environ.get("FACNET_REFERENCE")
    if not folder:
        pytest.skip("FACNET_REFERENCE names no folder of reference material")
    path = Path(folder)
    assert (path / "oracles").is_dir(), f"FACNET_REFERENCE={folder} holds no oracles/"
    return path


@pytest.fixture(scope="module")
def browser():
    """A real browser, where the machine has one."""
    executable = next(filter(None, map(shutil.which, BROWSERS)), None)
    if executable is None:
        pytest.skip(f"no browser on this machine: none of {', '.join(BROWSERS)}")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(autouse=True)
def no_figure_is_left_open() -> Iterator[None]:
    """Of whatever draws, commands too: an open figure would be another test's."""
    yield
    if pyplot := sys.modules.get("matplotlib.pyplot"):
        pyplot.close("all")
