"""Measure one real video beside the synthetic ones: data/published/thumos14_one_video.csv.

    python tests/count_one_video.py FEATURES_FOLDER Thumos14reduced-Annotations

FEATURES_FOLDER holds video_validation_0000051-rgb.npy and -flow.npy, I3D features of a video of
THUMOS14. They do not ship with this book; what is counted of them does.
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd

from facnet import load
from facnet.importers.wtalc import read_wtalc
from facnet.data import frame_labels

VIDEO, SNIPPET_SECONDS = "video_validation_0000051", 0.64
SOURCE = ("counted from I3D features that a feature extractor's public repository keeps as an"
          " example, from Thumos14reduced-Annotations, and from the synthetic data")
FILE = Path(__file__).parents[1] / "data" / "published" / "thumos14_one_video.csv"


def measured(features: np.ndarray, inside: np.ndarray) -> dict[str, float]:
    """What a video's features [T, D] are like, `inside` saying which snippets are action."""
    x = np.asarray(features, np.float64)
    length = np.linalg.norm(x, axis=1)
    unit = x / length[:, None]
    cosine = unit @ unit.T
    other = ~np.eye(len(x), dtype=bool)

    def mean(a: np.ndarray, b: np.ndarray) -> float:
        return cosine[np.outer(a, b) & other].mean()

    share = np.linalg.svd(x - x.mean(0), compute_uv=False) ** 2
    of_inside, of_outside = length[inside].mean(), length[~inside].mean()
    return {"features a snippet": x.shape[1], "zeros (%)": 100 * (x == 0).mean(),
            "length of a snippet's vector, deviation over mean": length.std() / length.mean(),
            "its mean inside instances over outside": of_inside / of_outside,
            "cosine of neighbours": cosine.diagonal(1).mean(),
            "cosine, inside with inside": mean(inside, inside),
            "cosine, outside with outside": mean(~inside, ~inside),
            "cosine, inside with outside": mean(inside, ~inside),
            "effective rank": share.sum() ** 2 / (share**2).sum()}


def table(folder: Path, annotations: Path) -> pd.DataFrame:
    """A row a measure: of the real video, and the mean over the synthetic test videos."""
    truth = read_wtalc(annotations)
    synthetic, found = load("synthetic", "full"), {}
    for stream in ("rgb", "flow"):
        real = np.load(folder / f"{VIDEO}-{stream}.npy")
        begin = np.arange(len(real)) * SNIPPET_SECONDS
        inside = np.zeros(len(real), bool)
        for row in truth.instances[truth.instances.video == VIDEO].itertuples():
            covered = np.minimum(row.end, begin + SNIPPET_SECONDS) - np.maximum(row.start, begin)
            inside |= covered >= SNIPPET_SECONDS / 2
        found[f"real {stream}"] = measured(real, inside)
        every = []
        for video in synthetic.subset("test"):
            own = synthetic.features(stream, video)
            shown = frame_labels(synthetic, video, len(own)).any(1)
            if shown.sum() > 1 and (~shown).sum() > 1:
                every.append(measured(own, shown))
        found[f"synthetic {stream}"] = pd.DataFrame(every).mean().to_dict()
    order = ["real rgb", "real flow", "synthetic rgb", "synthetic flow"]
    return pd.DataFrame(found)[order].rename_axis("measure").round(2).assign(source=SOURCE)


if __name__ == "__main__":
    table(*map(Path, sys.argv[1:3])).to_csv(FILE)
