"""What a notebook asks of its parameters.
"""

import re

from facnet.config import checked
from facnet.errors import FacnetError, suggest


def check_parameters(notebook: dict) -> None:
    """Refuse parameters that a notebook lacks, or whose type is not the one that it declares.

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
                if name not in declared:
                    raise FacnetError(f"parameters.{name} is unknown.{suggest(name, declared)}")
    for name, kind in declared.items():
        checked(notebook[name], kind, f"parameters.{name}")
