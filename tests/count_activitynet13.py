"""Score ActivityNet-1.3's annotations without localising anything: renews a CSV.

    python tests/count_activitynet13.py ANNOTATIONS.json

The file is the official one, or one of the same form with fewer videos. Each validation video is
told its classes and is one detection of each. `test_published.py` counts again where a file is at
hand.
"""

import json
import sys
from pathlib import Path

import pandas as pd

from facnet.evaluation import evaluate
from facnet.study.published import FOLDER, table

FILE = FOLDER / "activitynet13_whole_videos.csv"
COLUMNS = ("0.5", "0.75", "0.95")


def count(file: Path) -> pd.DataFrame:
    """The CSV's row."""
    database = json.loads(file.read_text(encoding="utf-8"))["database"]
    validation = {name: one for name, one in database.items() if one["subset"] == "validation"}
    instances = pd.DataFrame(
        [(name, a["label"], *a["segment"]) for name, one in validation.items()
         for a in one["annotations"]],
        columns=["video", "label", "start", "end"])
    found = instances[["video", "label"]].drop_duplicates()
    found = found.assign(
        start=0.0, end=found.video.map({n: one["duration"] for n, one in validation.items()}),
        score=1.0)
    result = evaluate(found, instances, "activitynet", videos=validation)
    at = {column: round(result.mean_ap[float(column)], 2) for column in COLUMNS}
    source = ("counted by tests/count_activitynet13.py from the annotations of ActivityNet-1.3"
              " that BSN distributes")
    return pd.DataFrame([{"subset": "validation", "videos": len(validation), **at,
                          "average": round(result.average, 2), "source": source}])


if __name__ == "__main__":
    assert set(COLUMNS) <= set(table(2))
    count(Path(sys.argv[1])).to_csv(FILE, index=False)
