"""Data sets: `load` gives a synthetic one, or the one in a folder."""

from pathlib import Path

from facnet.config import profile as get_profile
from facnet.datasets.container import Dataset, open_folder
from facnet.errors import FacnetError, suggest

__all__ = ["Dataset", "load"]


def load(dataset: str | Path = "synthetic", profile: str = "full") -> Dataset:
    """Load a data set.

    Parameters
    ----------
    dataset : str or Path
        "synthetic" or "synthetic-activitynet", made in memory to the counts of THUMOS14 and
        ActivityNet-1.3, or a folder laid out as in :mod:`facnet.datasets.container`.
    profile : {"smoke", "quick", "full"}
        Size of the synthetic data sets. Data in a folder are always used whole.

    Raises
    ------
    FacnetError
        If `dataset` is neither a known name nor a folder, or if the folder's data are unusable.
    """
    size = get_profile(profile)
    if str(dataset) == "synthetic":
        from facnet.datasets.synthetic import make_synthetic

        return make_synthetic(size)
    if str(dataset) == "synthetic-activitynet":
        from facnet.datasets.synthetic_activitynet import make_synthetic_activitynet

        return make_synthetic_activitynet(size)
    folder = Path(dataset)
    if not folder.is_dir():
        hint = suggest(str(dataset), ["synthetic", "synthetic-activitynet"])
        raise FacnetError(f"{str(dataset)!r} is neither a data set nor a folder.{hint}")
    return open_folder(folder)
