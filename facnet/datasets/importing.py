"""What all imports share: a container that appears whole or not at all, and a report of the work.
"""

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from facnet.datasets.check import Report, find_faults
from facnet.datasets.files import write_json
from facnet.errors import FacnetError

__all__ = ["as_text", "refuse_existing", "refuse_faults", "write_container"]


def refuse_existing(out: Path) -> None:
    """An import never touches a folder that is there."""
    if out.exists() or out.is_symlink():
        raise FacnetError(f"{out}: exists already; remove it, or name another folder.")


def write_container(
    source: Path, out: Path, write: Callable[[Path, dict[str, list[str]]], dict],
    names: dict[Path, Path] = {},
) -> str:
    """Make the container `out`, whole or not at all.

    Parameters
    ----------
    source : Path
        Named in messages.
    out : Path
        It must not exist yet.
    write : callable
        `write(folder, report)` puts features below `folder`, which it makes, adds to the lists
        "kept", "repaired" and "left out" of `report`, and gives the content of annotations.json.
    names : dict of Path to Path
        Messages name the value where they would name a file of the container, the key.

    Returns
    -------
    str
        The report, with the oddities; also in OUT/import_report.txt.

    Raises
    ------
    FacnetError
        If `write` raises one, if the container would have errors by
        :func:`facnet.datasets.check.check_folder`, or if the disk is full. Nothing is left then.
    """
    refuse_existing(out)
    report = {"kept": [], "repaired": [], "left out": []}
    # The file without which `load` knows no data set comes last, in one step.
    partial = _new_folder(out)
    unchecked = partial / "annotations.unchecked"
    try:
        write_json(unchecked, write(partial / "features", report))
        oddities = refuse_faults(source, find_faults(partial, unchecked), {
            unchecked: out / "annotations.json", partial: out, **names})
        text = as_text(report | {"oddities, kept as they are": oddities})
        (partial / "import_report.txt").write_text(text + "\n", encoding="utf-8")
        os.replace(partial, out)
        os.replace(out / unchecked.name, out / "annotations.json")
    except OSError as error:
        shutil.rmtree(partial, ignore_errors=True)
        raise FacnetError(f"{error.filename or out}: {error.strerror}; not imported.") from error
    except BaseException:  # an interruption too
        shutil.rmtree(partial, ignore_errors=True)
        raise
    return text


def refuse_faults(source: Path, checked: Report, names: dict[Path, Path]) -> list[str]:
    """The oddities that a check found, if it found no error; paths by other `names`, in order."""
    def renamed(line: str) -> str:
        for before, after in names.items():
            line = line.replace(str(before), str(after))
        return line

    errors = [renamed(line) for line in checked.errors]
    if errors:
        raise FacnetError(f"{source}: not imported.", errors)
    return [renamed(line) for line in checked.oddities]


def as_text(report: dict[str, list[str]]) -> str:
    """A report as it is shown, and as import_report.txt has it."""
    return "\n".join(line for title, lines in report.items()
                     for line in (f"{title}:", *(f"  {item}" for item in lines or ["nothing"])))


def _new_folder(out: Path) -> Path:
    """A hidden folder beside `out`; those that killed imports into `out` left are removed."""
    prefix = f".{out.name}.importing-"
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        for left in out.parent.glob(f"{prefix}*"):
            shutil.rmtree(left)
        folder = Path(tempfile.mkdtemp(prefix=prefix, dir=out.parent))
        folder.chmod(0o755)
    except OSError as error:
        raise FacnetError(f"{out}: cannot be made ({error.strerror}).") from error
    return folder
