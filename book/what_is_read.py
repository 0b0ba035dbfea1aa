"""What the notebooks read beside the code, for make: python book/what_is_read.py FILE

FILE gets the profile, the device and the data sets that the environment names, with a hash of each
that is a folder: of its annotations and of all its features. It is touched only if that is
something else than before. A folder's files are read once; afterwards those alone that were touched
since.
"""

import hashlib
import os
import sys
from pathlib import Path

from facnet.data import load
from facnet.errors import FacnetError

PROFILE = os.environ["FACNET_PROFILE"]


def said(dataset: str) -> str:
    if not Path(dataset, "annotations.json").is_file():
        return dataset
    annotations = hashlib.sha256(Path(dataset, "annotations.json").read_bytes()).hexdigest()
    return f"{dataset} {annotations} {load(dataset, PROFILE).fingerprint}"


def write(target: Path) -> None:
    names = ("FACNET_DATASET", "FACNET_ACTIVITYNET", "FACNET_SHREC21")
    text = "\n".join([PROFILE, os.environ.get("FACNET_DEVICE", ""),
                      *(said(os.environ.get(name, "")) for name in names), ""])
    if not target.is_file() or target.read_text(encoding="utf-8") != text:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    try:
        write(Path(sys.argv[1]))
    except FacnetError as error:
        sys.exit(f"{error}")
