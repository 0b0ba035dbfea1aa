"""What a notebook asks of its parameters and of its data.
"""

import os
import re
from contextlib import suppress
from itertools import count
from pathlib import Path

from facnet.config import checked
from facnet.data import SYNTHETIC, Dataset
from facnet.errors import FacnetError, check_choice

PATHS = ("features", "annotations", "dataset", "output",  # parameters
         "video", "rgb_weights", "flow_weights", "checkpoints")


def check_parameters(notebook: dict) -> None:
    """Refuse parameters that a notebook lacks, or whose type is not the one that it declares.

    Paths become absolute, as seen from the folder that the kernel was started in: under papermill
    that is the caller's. A tilde is the user's home.

    Parameters
    ----------
    notebook : dict
        The notebook's `globals()`. Annotations name its parameters; `In` has the cells that ran,
        the one with which papermill sets parameters among them.
    """
    declared = notebook["__annotations__"]
    for cell in notebook.get("In", []):
        if cell.startswith("# Parameters\n"):
            for name in re.findall(r"^(\w+) = ", cell, re.M):
                check_choice(name, declared, f"parameters.{name} is unknown")
    for name, kind in declared.items():
        value = checked(notebook[name], kind, f"parameters.{name}")
        if name in PATHS and value:
            notebook[name] = absolute(name, value)


def absolute(name: str, given: str) -> str:
    """A parameter's path as every folder sees it, a tilde expanded; a data set's name as it is.

    Raises
    ------
    FacnetError
        If what is to be read is not there.
    """
    path = Path(os.path.expanduser(given)).absolute()
    if given in SYNTHETIC:
        return given
    if name != "output" and not path.exists():
        raise FacnetError(
            f"parameters.{name} = {given!r}: there is no {path}; give an absolute path.")
    return str(path)


def new_folder(output: str, name: str) -> Path:
    """A folder that no other run has: OUTPUT/NAME, or NAME_2 and so on; what is there stays."""
    for number in count(1):
        folder = Path(output, f"{name}_{number}" if number > 1 else name)
        with suppress(FileExistsError):
            folder.mkdir(parents=True)
            return folder


def show_if_measurable(dataset: Dataset, **needs: bool) -> None:
    """Go on with a chapter; or say why it has nothing to show, and leave out what follows.

    The cells below then do nothing, but for those that set or load the data set, so that another
    can be named.

    Parameters
    ----------
    dataset, needs
        As in `facnet.study.tables.require`, which decides.
    """
    from IPython import get_ipython

    from facnet.study.tables import Lacking, require

    transformers = get_ipython().input_transformers_post
    transformers[:] = [one for one in transformers if one is not _left_out]
    try:
        require(dataset, **needs)
    except Lacking as error:
        print(f"Nothing to show. {error}")
        transformers.append(_left_out)


def _left_out(lines: list[str]) -> list[str]:
    """A cell without its lines, unless it sets or loads the data set."""
    return lines if re.search(r"^dataset\b|\bload\(dataset", "".join(lines), re.M) else []
