"""Run a command as the book runs, whatever its user has set up: clean_environment.py COMMAND ...

The kernel is this Python, whichever others are called python3. Neither Jupyter's and IPython's
settings and start-up files nor a matplotlibrc of the user's is read, and all text is UTF-8.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from ipykernel.kernelspec import write_kernel_spec

LEFT_OUT = ("FACNET_LIVE", "MPLBACKEND", "PYTHONIOENCODING", "PYTHONSTARTUP")


@contextmanager
def clean_environment() -> Iterator[None]:
    """`os.environ` is such that what is started inside runs from defaults."""
    before = dict(os.environ)
    with TemporaryDirectory() as folder:
        write_kernel_spec(str(Path(folder, "kernels", "python3")))
        rules = Path(folder, "matplotlibrc")
        rules.touch()
        for name in LEFT_OUT:
            os.environ.pop(name, None)
        os.environ |= {name: folder for name in (
            "JUPYTER_PATH", "JUPYTER_DATA_DIR", "JUPYTER_CONFIG_DIR", "JUPYTER_CONFIG_PATH",
            "IPYTHONDIR")}
        os.environ |= {"MATPLOTLIBRC": str(rules), "PYTHONUTF8": "1"}
        try:
            yield
        finally:
            os.environ.clear()
            os.environ |= before


if __name__ == "__main__":
    with clean_environment():
        done = subprocess.run(sys.argv[1:])
    sys.exit(done.returncode)
