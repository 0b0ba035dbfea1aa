"""Who imports whom: study -> importers, synthetic -> core, and within the core upwards never.

Video files are an extra, which the command line alone imports.
"""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import facnet
from facnet.experiment import COMPUTING

ROOT = Path(facnet.__file__).parent
# Each may import what stands before it. (Methods are written with the blocks of localisation.)
ORDER = ["errors", "config", "profiles", "files", "data", "localization", "model", "methods",
         "checkpoints", "batches", "training", "evaluation", "scoring", "experiment", "cli"]
LAYERS = {"synthetic": 1, "importers": 2, "study": 3, "video": 4}  # the core is 0
FOR_STUDY_ALONE = {"matplotlib", "seaborn", "sklearn", "scipy"}
FILES = sorted(ROOT.rglob("*.py"))


def imported(file: Path, inside_functions: bool) -> set[str]:
    """Dotted names that a file imports, `from a import b` as a.b."""
    tree = ast.parse(file.read_text())
    nodes = ast.walk(tree) if inside_functions else tree.body
    names = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: imports are absolute"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def parts_of(file: Path, inside_functions: bool = False) -> set[str]:
    """The parts of facnet that a file imports: "data", "study", ..."""
    names = (name.split(".") for name in imported(file, inside_functions))
    return {name[1] for name in names if name[0] == "facnet" and len(name) > 1}


def part(file: Path) -> str:
    return file.relative_to(ROOT).parts[0].removesuffix(".py")


def name_of(file: Path) -> str:
    return str(file.relative_to(ROOT))


@pytest.mark.parametrize("file", FILES, ids=name_of)
def test_nothing_imports_upwards(file):
    own = part(file)
    if own in LAYERS:
        upwards = {p for p in parts_of(file, inside_functions=True)
                   if p == "cli" or LAYERS.get(p, 0) > LAYERS[own]}
    elif own == "__init__":
        upwards = parts_of(file)
    else:
        assert own in ORDER, "a new module of the core has a place in its order"
        later = ORDER[ORDER.index(own) + 1:]
        upwards = {p for p in parts_of(file) if p in LAYERS or p in later}
    assert not upwards, f"{name_of(file)} imports {sorted(upwards)}"


@pytest.mark.parametrize("file", FILES, ids=name_of)
def test_only_the_study_draws_and_only_it_knows_scikit_learn(file):
    known = {name.split(".")[0] for name in imported(file, inside_functions=True)}
    if part(file) != "study":
        assert not known & FOR_STUDY_ALONE


# What these give is in the data's fingerprint or in the experiment, or is no part of a record.
NOT_COMPUTING = {"errors", "files", "checkpoints", "profiles", "study.claims"}


def test_what_a_computing_module_takes_computes_too():
    """Or a record would be found again after an edit of what it was made with."""
    computing = {file for pattern in COMPUTING for file in ROOT.glob(pattern)}
    names = {name.removeprefix("facnet.") for file in computing
             for name in imported(file, inside_functions=True) if name.startswith("facnet.")}
    taken = {file for file in FILES for name in names
             if f"{name}.".startswith(".".join(file.relative_to(ROOT).with_suffix("").parts) + ".")}
    others = {name_of(file).removesuffix(".py").replace("/", ".") for file in taken - computing}
    assert others <= NOT_COMPUTING and computing <= set(FILES)
    assert all(list(ROOT.glob(pattern)) for pattern in COMPUTING)


def modules_after(code: str) -> set[str]:
    """The top-level modules that a fresh process has after some code."""
    script = f"import sys\n{code}\nprint(*sorted({{n.split('.')[0] for n in sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.splitlines()[-1].split())


def test_the_package_and_its_command_are_light():
    assert not modules_after("import facnet, facnet.cli; dir(facnet)") & {
        "torch", "pandas", "numpy", *FOR_STUDY_ALONE}


def test_the_whole_way_needs_none_of_the_study_s_libraries():
    got = modules_after("""
import facnet
from facnet.config import changed
from facnet.profiles import profile
data = facnet.load("synthetic", "smoke")
experiment = changed(profile("smoke").apply(facnet.preset("released")), {"training.epochs": 2})
model, losses = facnet.fit(data, "flow", experiment, progress=False)
scores = facnet.predict(model, data, "flow", data.subset("test"), experiment)
found = facnet.detect({"flow": scores}, data, experiment)
facnet.evaluate(found, data.instances_of("test"), ignored=data.ignored)
facnet.run(data, experiment, progress=False)
""")
    assert "torch" in got and not got & FOR_STUDY_ALONE


def test_the_public_face_is_what_it_says_and_no_module_hides_it():
    assert set(facnet.__all__) <= set(dir(facnet))
    for name in facnet.__all__:
        assert callable(getattr(facnet, name))
        assert not (ROOT / name).exists() and not (ROOT / f"{name}.py").exists()
    with pytest.raises(AttributeError, match="no attribute 'trian'"):
        facnet.trian
