"""Sentences that rest on a verdict: it is still what the sentence says."""

from pathlib import Path

import pandas as pd
import pytest

from facnet.study import claims, evidence, gestures, judged, published

ROOT = Path(__file__).parents[2]
# Of each sentence its page, the claim and the data that were judged, and the verdict it rests on.
CONCLUSIONS = pd.read_csv(Path(__file__).with_name("conclusions.csv"))


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory):
    """By claim and data, of the committed results."""
    names = (*evidence.TABLES, *evidence.MEASURES)
    kept = evidence.all_kept(names, *published.KEPT, 0, tmp_path_factory.mktemp("nothing"))
    study = gestures.read_study()
    every = claims.every_claim({
        "synthetic": judged(*({name: one[part] for name, one in kept.items()} for part in (0, 1))),
        "SHREC'21": judged(*({"table3": part["table3"]} for part in (study.frames, study.draws)))})
    return every.set_index(["claim", "data"]).verdict


@pytest.mark.parametrize("one", [*CONCLUSIONS.itertuples()], ids=lambda one: one.sentence[:40])
def test_a_sentence_and_the_verdict_that_it_rests_on_agree(one, verdicts):
    files = [ROOT / f"{one.page}{suffix}" for suffix in (".py", ".md")]
    text = next(file for file in files if file.exists()).read_text()
    words = " ".join(text.replace("\n# ", " ").split())
    assert one.sentence in words, f"{one.page} no longer says {one.sentence!r}: mend the list"
    assert verdicts[one.claim, one.data] == one.verdict, (
        f"{one.page} says {one.sentence!r}, which is no longer so: {one.claim} on {one.data}")
