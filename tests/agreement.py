"""Print how near profile `quick` comes to the paper's own schedule, and how often seeds collapse.

    python tests/agreement.py

Of the runs in data/results/, which tests/keep_results.py renews.
"""

from facnet.study import collapse, published
from facnet.study.evidence import agreement


def main() -> None:
    """The rows and three numbers; then the full model over many seeds."""
    runs, source = published.result("table3")
    rows, said = agreement(runs)
    print(source, rows.round(1).to_string(), said.round(2).to_string(), sep="\n\n")
    runs, source = published.result("collapse")
    own = runs[runs.variant == "released"]
    fell = collapse.rates(own, "released").T
    print(f"\n{source}\n\nAVG {own.average.mean():.1f}, {own.average.min():.1f} to"
          f" {own.average.max():.1f}; of {len(own)} seeds collapsed:\n{fell.to_string()}")


if __name__ == "__main__":
    main()
