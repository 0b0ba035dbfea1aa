"""Score public detections on THUMOS14 by one rule of evaluation and another: renews a CSV.

    python tests/count_protocols.py DETECTIONS_FOLDER Thumos14reduced-Annotations

The first folder holds results.json, the detections of bellos1203/STPN, a reproduction of STPN, and
gt.json, what they were scored on there; the second is the one that W-TALC distributes.
`test_protocols.py` counts again where both are at hand.
"""

import sys
from pathlib import Path

import pandas as pd

from facnet.evaluation import evaluate
from facnet.files import read_annotations, read_detections
from facnet.importers.wtalc import read_ground_truth
from facnet.study.protocols import RULES, TOOLKIT, by_rule, row_of
from facnet.study.published import FOLDER

FILE = FOLDER / "thumos14_protocols.csv"
SOURCE = ("counted from the detections of bellos1203/STPN and from sujoyp/wtalc-pytorch,"
          " Thumos14reduced-Annotations")
# Videos that others leave out, by how many are left: annotated past the video's end, and with
# another class than its label. G-TAD and OpenTAD have 211; SSN, STPN, BaS-Net and UM 210.
LEFT_OUT = {211: ("video_test_0000270",), 210: ("video_test_0000270", "video_test_0001496")}


def count(detections: Path, annotations: Path) -> pd.DataFrame:
    """The CSV: each rule on all test videos, then the released rules on fewer, then as published.
    """
    found, truth = read_detections(detections / "results.json"), read_ground_truth(annotations)
    instances, ignored = truth.test_instances, truth.ignored

    def score(rules, videos=None):
        return evaluate(found, instances, rules, ignored=ignored, videos=videos)

    table = by_rule(score)
    every = set(instances.video)
    fewer = [{"rule": f"{left} test videos", **row_of(score("released", every - set(names)))}
             for left, names in LEFT_OUT.items()]
    theirs = read_annotations(detections / "gt.json").test_instances
    published = {"rule": "as published", **row_of(evaluate(found, theirs, RULES[TOOLKIT]))}
    return pd.concat([table, pd.DataFrame([*fewer, published])]).assign(source=SOURCE)


if __name__ == "__main__":
    count(*map(Path, sys.argv[1:3])).to_csv(FILE, index=False, float_format="%.4f")
