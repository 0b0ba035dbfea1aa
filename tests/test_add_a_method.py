"""The page "Add a method" works to the letter, in a copy of the package."""

import re

from conftest import ROOT, copy_package, run_copy


def test_the_page_is_followed_literally(tmp_path):
    page = (ROOT / "book" / "how_to_add_a_method.md").read_text()
    blocks = re.findall(r"^```(\w+)\n(.*?)^```$", page, re.M | re.S)
    (_, module), (_, line), (_, commands), (_, script) = blocks
    assert [kind for kind, _ in blocks] == ["python", "python", "bash", "python"]
    copy_package(tmp_path)
    methods = tmp_path / "facnet" / "methods"
    (methods / "mean_pooling.py").write_text(module)
    table = (methods / "__init__.py").read_text()
    table, changed = re.subn(r"^MODULES = .*\n", line, table, flags=re.M)
    assert changed == 1
    (methods / "__init__.py").write_text(table)
    for command in commands.splitlines():
        words = re.findall(r'"[^"]*"|\S+', command)
        assert words[0] == "facnet"
        run_copy(tmp_path, "-m", "facnet.cli", *(word.strip('"') for word in words[1:]))
    assert (tmp_path / "detections.json").stat().st_size > 1000
    average, classification = map(float, re.findall(r"[\d.]+", run_copy(tmp_path, "-c", script)))
    # Untrained it has an AVG of 0.0 and, of five classes, a mAP of 33.
    assert average > 5 and classification > 60
