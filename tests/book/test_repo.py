"""The committed files agree with each other."""

import ast
import csv
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import jupytext
import nbformat
import pandas as pd
import papermill
import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from facnet.errors import FacnetError
from facnet.study.published import RESULTS
from facnet.study.statistics import interval

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
CITATION = yaml.safe_load((ROOT / "CITATION.cff").read_text())
MAX_BYTES = 1_000_000


def code_cells(note) -> list:
    return [cell for cell in note.cells if cell.cell_type == "code" and cell.source.strip()]


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.name)
def notebook(request):
    return request.param


@pytest.fixture
def note(notebook):
    return nbformat.read(notebook, 4)


def test_every_notebook_is_a_pair():
    texts = sorted((ROOT / "notebooks").glob("*.py"))
    assert [p.stem for p in NOTEBOOKS] == [p.stem for p in texts] != []


def test_both_of_a_pair_say_the_same(notebook, note):
    def cells(n):
        kept = ("tags", "mystnb")
        return [
            (c.cell_type, c.source, {k: c.metadata[k] for k in kept if c.metadata.get(k)})
            for c in n.cells
        ]

    text = jupytext.read(notebook.with_suffix(".py"))
    assert cells(text) == cells(note), "Run `make refresh` after editing the text."


def test_outputs_are_committed_whole_and_clean(notebook, note):
    cells = code_cells(note)
    # nbval compares nothing where a cell was never run.
    assert [c.execution_count for c in cells] == list(range(1, len(cells) + 1))
    outputs = [output for c in cells for output in c.outputs]
    assert not [o for o in outputs if o.output_type == "error"]
    assert not [o.text for o in outputs if o.get("name") == "stderr"]
    assert not set(note.metadata) & {"papermill", "widgets", "language_info"}
    assert not [o for o in outputs if "widget" in " ".join(o.get("data", {}))]
    assert not [c.metadata for c in note.cells if {"papermill", "execution"} & set(c.metadata)]
    assert notebook.stat().st_size < MAX_BYTES


def test_first_cell_declares_and_explains_all_parameters(notebook, note):
    """So that `papermill --help-notebook` shows name, type, default and help of each."""
    first, *others = code_cells(note)
    assert [first] == [c for c in [first, *others] if "parameters" in c.metadata.get("tags", [])]
    shown = papermill.inspect_notebook(notebook)
    assert {"dataset", "profile", "seeds", "output"} <= set(shown)
    for parameter in shown.values():
        assert parameter["inferred_type_name"] in ("str", "int", "float", "bool"), parameter
        assert parameter["default"] and parameter["help"], parameter


HIDDEN = {"remove-cell", "remove-input", "hide-input", "hide-cell"}


def hidden(cell) -> bool:
    return bool(HIDDEN & set(cell.metadata.get("tags", [])))


def test_imports_and_the_exercise_s_solution_alone_are_hidden(note):
    """In the second cell, with the check of parameters and the style alone; and in the last."""
    cells = code_cells(note)
    assert [cell for cell in cells if hidden(cell)] == [cells[1], cells[-1]]
    question, solution = note.cells[-2:]
    assert "**Exercise.**" in question.source and solution is cells[-1]
    assert solution.metadata.mystnb["code_prompt_show"] == "Solution"
    statements = ast.parse(cells[1].source).body
    calls = [ast.unparse(one) for one in statements
             if not isinstance(one, (ast.Import, ast.ImportFrom))]
    assert set(calls) - {"plots.use_style()"} == {"check_parameters(globals())"}


def test_the_text_of_the_notebooks_is_short_and_its_code_is_seen():
    cells = [cell for path in NOTEBOOKS for cell in code_cells(jupytext.read(
        path.with_suffix(".py")))]
    shown = [cell for cell in cells if not hidden(cell)]
    assert len(shown) >= 0.8 * len(cells)
    lines = {path.stem: len(path.with_suffix(".py").read_text().splitlines())
             for path in NOTEBOOKS}
    # An exercise with its solution in each, and what follows from the numbers; one draws its clips
    # before it can use them, in 192.
    assert sum(lines.values()) <= 2750 + 192, lines


def widths(note) -> list[tuple[int, str]]:
    """Columns of every table that a notebook's outputs show, and its head."""
    pages = [output.data["text/html"] for cell in code_cells(note) for output in cell.outputs
             if "text/html" in output.get("data", {})]
    heads = [head for page in pages for head in re.findall(r"<thead>(.*?)</thead>", page, re.S)]
    return [(max(row.count("<th") for row in head.split("</tr>")), head) for head in heads]


def test_no_table_on_a_page_has_more_than_seven_columns(note):
    assert [head for columns, head in widths(note) if columns > 7] == []


def sentences_built(source: str) -> list[str]:
    """What a cell puts into words: long texts, and text that is displayed as prose."""
    tree = ast.parse(source)
    found = [ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Call)
             and ast.unparse(node.func).rpartition(".")[2] in ("Markdown", "HTML", "Latex")]
    documented = {id(node.body[0].value) for node in ast.walk(tree)
                  if isinstance(node, (ast.FunctionDef, ast.ClassDef, ast.Module))
                  and node.body and isinstance(node.body[0], ast.Expr)}
    texts = [node for node in ast.walk(tree)
             if isinstance(node, (ast.Constant, ast.JoinedStr)) and id(node) not in documented]
    return found + [text for text in map(typed_text, texts)
                    if len(text.replace("{}", "").split()) > 8]


def test_no_cell_builds_sentences(note):
    assert not [text for cell in code_cells(note) for text in sentences_built(cell.source)]


@pytest.mark.parametrize("source, count", [  # 1: found
    ("Markdown(text)", 1), ("figure.suptitle('AVG (%)')", 0),
    ("print(f'On {n} seeds the full model is better than the others by {d} points.')", 1),
    ("said = 'this run shows that the branch' + ' helps'", 0),
    ("def f():\n    'A docstring may be as long as it needs to be, for people read it.'", 0)])
def test_a_cell_that_builds_sentences_is_found(source, count):
    assert bool(sentences_built(source)) == count


@pytest.mark.parametrize("wrong", ["seeds = 'abc'", "nosuch = 1"])
def test_second_cell_refuses_other_parameters(note, wrong):
    first, second, *_ = code_cells(note)
    added = f"# Parameters\n{wrong}\n"
    with pytest.raises(FacnetError, match=rf"^parameters\.{wrong.split()[0]} "):
        exec("\n".join([first.source, added, second.source]), {"In": ["", added]})


@pytest.mark.parametrize("wrong", [{"seeds": "abc"}, {"nosuch": 1}])
def test_papermill_fails_by_wrong_parameters(tmp_path, wrong):
    with pytest.raises(papermill.PapermillExecutionError) as failure:
        papermill.execute_notebook(NOTEBOOKS[0], tmp_path / "out.ipynb", wrong, progress_bar=False)
    assert failure.value.ename == "FacnetError" and failure.value.exec_count == 3


def compared(note) -> list:
    return [c for c in code_cells(note) if "nbval-check-output" in c.metadata.get("tags", [])]


def test_some_output_is_compared(note):
    assert compared(note)


@pytest.mark.parametrize("number", range(1, 6))
def test_every_published_table_is_compared_as_printed(number):
    sources = [c.source for path in NOTEBOOKS for c in compared(nbformat.read(path, 4))]
    assert [s for s in sources if f"print(published.table({number}).to_string(" in s]


def test_every_picture_of_a_notebook_has_its_description(note):
    pictures = [
        c for c in code_cells(note)
        if any(set(o.get("data", {})) & {"image/png", "image/svg+xml"} for o in c.outputs)
    ]
    undescribed = [
        c.source for c in pictures if not c.metadata.get("mystnb", {}).get("image", {}).get("alt")
    ]
    assert not undescribed, 'Give the cell mystnb={"image": {"alt": "..."}}.'


PYTHONS = ["3.11.9", "3.12.9", "3.13.2", "3.14.2"]  # those that the lock is for


def locked(python: str) -> list[Requirement]:
    """What the lock names for this Python on this machine."""
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    wanted = [Requirement(line) for line in lines if not line.startswith("#")]
    here = {"python_full_version": python, "python_version": python.rpartition(".")[0]}
    return [one for one in wanted if one.marker is None or one.marker.evaluate(here)]


@pytest.mark.parametrize("python", PYTHONS)
def test_lock_satisfies_every_dependency(python):
    pinned = {}
    for requirement in locked(python):
        (pin,) = requirement.specifier
        assert pin.operator == "==" and "+" not in pin.version, requirement
        name = canonicalize_name(requirement.name)
        assert name not in pinned, f"{name} is pinned twice"
        pinned[name] = pin.version
    assert "pip" not in pinned and not [name for name in pinned if "nvidia" in name]
    wanted = PROJECT["dependencies"] + sum(PROJECT["optional-dependencies"].values(), [])
    for requirement in map(Requirement, wanted):
        version = pinned.get(canonicalize_name(requirement.name))
        assert version and requirement.specifier.contains(version), (str(requirement), version)


def installs(folder: Path, python: str, lines: list[str]) -> subprocess.CompletedProcess:
    """What pip says of these requirements, with wheels for this Python alone; it writes nothing."""
    (folder / "wanted.txt").write_text("\n".join(lines), encoding="utf-8")
    return subprocess.run(
        [sys.executable, "-m", "pip", "install", "--quiet", "--dry-run", "--ignore-installed",
         "--no-deps", "--only-binary=:all:", "--python-version", python,
         "--target", folder / "none", "-r", folder / "wanted.txt"], capture_output=True, text=True)


@pytest.mark.slow
@pytest.mark.parametrize("python", PYTHONS)
def test_every_package_of_the_lock_is_there_for_each_python(tmp_path, python):
    pins = [f"{one.name}{one.specifier}" for one in locked(python)]
    if installs(tmp_path, python, ["packaging"]).returncode:
        pytest.skip("no package index answers")
    done = installs(tmp_path, python, pins)
    assert done.returncode == 0, done.stderr


def test_make_takes_each_python_that_the_lock_is_for():
    (allowed,) = re.findall(r"sys\.exit\(not (.+?) and", (ROOT / "Makefile").read_text())
    for python in [*PYTHONS, "3.11.5", "3.10.9", "3.11.4", "3.15.0"]:
        version = SimpleNamespace(version_info=(*map(int, python.split(".")), "final", 0))
        fits = python in [*PYTHONS, "3.11.5"]
        assert eval(allowed, {"sys": version}) == fits, python


def test_conda_environment_defers_to_the_lock():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    assert environment["dependencies"] == [
        "python=3.11", "pip", {"pip": ["-r requirements.txt", "-e ."]},
    ]


def test_binder_defers_to_the_lock_with_torch_for_cpus():
    index, *wanted = [line for line in (ROOT / ".binder/requirements.txt").read_text().splitlines()
                      if not line.startswith("#")]
    assert index.startswith("--extra-index-url ") and index.endswith("/whl/cpu")
    assert wanted == ["-r ../requirements.txt", "-e ."]
    assert (ROOT / ".binder/runtime.txt").read_text() == "python-3.11\n"


def test_citation_names_the_software_and_the_paper():
    assert CITATION["cff-version"] == "1.2.0"
    assert CITATION["license"] == PROJECT["license"]
    assert CITATION["authors"] == PROJECT["authors"]
    (paper,) = CITATION["references"]
    assert paper["title"].startswith("Foreground-Action Consistency Network")
    assert [author["family-names"] for author in paper["authors"]] == ["Huang", "Wang", "Li"]


def test_version_is_the_same_everywhere():
    changelog = re.search(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.M)
    assert PROJECT["version"] == CITATION["version"] == changelog[1]


def test_readme_commands_exist():
    makefile = (ROOT / "Makefile").read_text()
    named = re.findall(r"(?:^|`)make ([a-z]+)", (ROOT / "README.md").read_text(), re.M)
    assert {"book", "test"} <= set(named)
    missing = [target for target in named if not re.search(rf"^{target}:", makefile, re.M)]
    assert not missing


def test_make_runs_as_many_seeds_as_the_chapters_ask_for():
    """Else a notebook trains the missing ones, on one core and after the others."""
    told = re.search(r'"collapse --seeds (\d+)"', (ROOT / "Makefile").read_text())
    asked = papermill.inspect_notebook(ROOT / "notebooks" / "11_seeds_and_collapse.ipynb")
    assert told[1] == asked["seeds"]["default"]


def test_readme_links_lead_somewhere():
    links = re.findall(r"\]\(([^)#]+)", (ROOT / "README.md").read_text())
    assert links and not [link for link in links if not (ROOT / link).is_file()]


def test_every_method_of_the_published_tables_is_in_the_bibliography():
    known = set(re.findall(r"^@\w+\{(.+),$", (ROOT / "book/references.bib").read_text(), re.M))
    for path in (ROOT / "data/published").glob("*.csv"):
        with path.open(newline="") as file:
            keys = {row.get("key", "") for row in csv.DictReader(file)} - {""}
        assert keys <= known, path.name


# What stands in prose beside mAP or AVG and is neither: code, formulas and links; names such as
# "Table 3", "Figs 1, 5 and 6" or "seeds 0 to 4"; "95 %" of an interval; tIoUs. Nor is what exceeds
# 100.
NO_RESULT = (
    r"`[^`]*`|\$[^$]*\$|\]\([^)]*\)|https?://\S+",
    r"\b(?:Tables?|Figs?\.?|FIGS?|[Ss]ections?|[Ee]quations?|eqs?\.|issues?|seeds?|line)\s"
    r"\d[\d.]*(?:(?:,| and| to|, and)\s\d[\d.]*)*",
    r"\b95 %(?=(?:\s\w+)?\sinterval)",
    r"\b0\.(?:[1-9]|\d5)\b",
)
NUMBER = r"(?<![\w.'-])\d+(?:\.\d+)?(?!\.?\w)"


def typed_results(text: str) -> list[str]:
    """Numbers that share a clause, row or table of a Markdown text with mAP or AVG."""
    text = re.sub(r"^```.*?^```", "", text, flags=re.M | re.S)
    for pattern in NO_RESULT:
        text = re.sub(pattern, "", text)
    found = []
    for block in re.split(r"\n\s*\n", text):
        lines = block.strip().split("\n")
        is_table = len(lines) > 1 and set(lines[1]) <= set("|-: ")
        if not is_table:
            passages = re.split(r"(?<=[.!?;])\s+|\n(?=[-*|] )", block)
        else:  # what its heading says is said of every row
            passages = [block] if re.search(r"\b(?:mAP|AVG)", lines[0]) else lines
        found += [number for passage in passages if re.search(r"\b(?:mAP|AVG)", passage)
                  for number in re.findall(NUMBER, passage) if float(number) <= 100]
    return found


def typed_text(node: ast.AST) -> str:
    """The strings of an expression, "{}" in place of what an f-string computes."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else ""
    if isinstance(node, ast.FormattedValue):  # a number in braces is typed by hand all the same
        return str(node.value.value) if isinstance(node.value, ast.Constant) else "{}"
    between = "" if isinstance(node, ast.JoinedStr) else " "
    return between.join(map(typed_text, ast.iter_child_nodes(node)))


def prose_of(path: Path) -> Iterator[str]:
    """All text of a page or notebook that people read."""
    if path.suffix == ".md":
        yield path.read_text()
        return
    for cell in jupytext.read(path).cells:
        if cell.cell_type == "markdown":
            yield cell.source
            continue
        picture = cell.metadata.get("mystnb", {})
        yield picture.get("image", {}).get("alt", "")
        yield picture.get("figure", {}).get("caption", "")
        yield from map(typed_text, ast.parse(cell.source).body)  # text may be put together anywhere


def published_results() -> set[float]:
    """Every mAP that a table of published numbers holds, in percent."""
    known = set()
    for path in (ROOT / "data/published").glob("*.csv"):
        table = pd.read_csv(path).select_dtypes("float")
        known.update(table.filter(regex=r"^(average|0\.\d+.*|cw|ca|mil|full)$").stack())
    return known


def committed_results() -> set[float]:
    """Means and ends of intervals of each variant in data/results, as a text would print them."""
    known = set()
    for path in RESULTS.glob("*.csv"):
        runs = pd.read_csv(path)
        if {"variant", "seed", "average"} <= set(runs):
            for _, own in runs.groupby("variant"):
                known.update(round(end, 1) for end in interval(own.average))
    return known


def test_every_result_in_prose_is_published_or_in_a_committed_file():
    """A sentence whose number is not there any more is named."""
    scripts = "".join(p.read_text() for p in (ROOT / "tests").glob("*.py"))
    pages = [p for p in (ROOT / "book").glob("*.md") if p.name not in scripts]  # or code wrote it
    notebooks = (ROOT / "notebooks").glob("*.py")
    known = published_results() | committed_results()
    typed = [
        f"{path.name}: {number} in {' '.join(text.split())[:200]!r}"
        for path in [*pages, *notebooks, ROOT / "README.md", ROOT / "data/README.md"]
        for text in prose_of(path) for number in typed_results(text) if float(number) not in known]
    assert not typed, f"Neither published nor in data/results: {typed}"


@pytest.mark.parametrize("text, numbers", [
    ("Here it reaches an AVG of 33.4.", ["33.4"]),
    ("AVG: 33.4 in Table 3, with seeds 0 to 4; mAP at tIoU 0.5 is 21.", ["33.4", "21"]),
    ("The AVG in Fig. 4 of\nthe paper is above 41.", ["41"]),
    ("| method | AVG |\n| --- | --- |\n| ours | 33.4 |", ["33.4"]),
    ("- FAC-Net, 33.4 mAP\n- THUMOS14, 212 videos", ["33.4"]),
    ("AVG is the mean of mAP over tIoU 0.1 to 0.7, with its 95 % bootstrap interval.", []),
    ("A sweep takes 33.4 s. It prints AVG ([Tables 1 and 2](page_33.ipynb)) to 1e-9.", []),
])
def test_a_result_typed_by_hand_is_found(text, numbers):
    assert typed_results(text) == numbers


def test_a_result_typed_into_computed_text_is_found():
    cell = "Markdown(f'AVG is {average:.1f}, ' + ('above 33.4' if up else f'not {21.5}'))"
    assert typed_results(typed_text(ast.parse(cell))) == ["33.4", "21.5"]


def test_every_module_is_on_the_api_page():
    paths = (p.relative_to(ROOT).with_suffix("") for p in (ROOT / "facnet").rglob("*.py"))
    modules = {".".join(p.parts).removesuffix(".__init__") for p in paths}
    shown = set(re.findall(r"automodule:: (\S+)", (ROOT / "book/api.md").read_text()))
    assert modules - {"facnet.cli"} == shown


def test_no_file_names_a_place_on_somebodys_machine():
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True,
    )
    if listed.returncode:
        pytest.skip("not a git checkout")
    place = re.compile(rb"(?<![\w.-])/(?:work|root|home|Users)/\w")
    paths = (ROOT / name for name in listed.stdout.split("\0") if name)
    named = [
        f"{path.relative_to(ROOT)}: {match[0]!r}"
        for path in paths if path.is_file()
        for match in [place.search(path.read_bytes())] if match
    ]
    assert not named
