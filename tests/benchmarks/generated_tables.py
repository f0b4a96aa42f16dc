"""Rows that are generated from a table of numbers and categories: DiffAug beside other generators.

    python tests/benchmarks/mixed.py --data mice_protein.csv.gz --write mixed.csv
    python tests/benchmarks/generated_tables.py mixed.csv -o rows --methods diffaug diffaug_keep diffaug_far
    python tests/benchmarks/generated_tables.py mixed.csv -o rows --methods real copies smote_nc copula
    python tests/benchmarks/generated_tables.py mixed.csv -o rows --methods ctgan
    python tests/benchmarks/generated_tables.py mixed.csv -o rows --judge --table

The table has `id` first (`SUBJECT_NUMBER`), `label` last, and empty cells. For each seed the subjects are
halved: the rows of one half are given to every method, which makes as many rows; those of the other half
are real rows that no method saw, and that an ideal method would be like. Where they do not install
together, the methods may be run in several environments, in the same folder: `diffaug` needs this package;
`smote_nc` imbalanced-learn 0.14; `copula` and `ctgan` sdv 2.0 (Business Source Licence); the figures
sdmetrics 0.32. Neither `id` nor `label` is compared. Methods:

- `diffaug`: `diffaug-bio fit` and `diffaug-bio augment`, a row from each row; `diffaug_keep`: the same
  with `--missing keep`; `diffaug_far`: with `--strength 1`, too, where only the embedding of its source
  tells what a row was
- `smote_nc`: imbalanced-learn's, which mixes two rows of a label; empty cells are filled first (median,
  most frequent level), as it takes none
- `copula`: SDV's Gaussian copula; `ctgan`: SDV's CTGAN with `--epochs` (its default: 300)
- `copies`: the rows of training again, and `real`: the rows held out; both only to compare with

Judged by sdmetrics: `valid`, the share of numbers within the range and of levels among the levels of the
training rows (BoundaryAdherence and CategoryAdherence, mean over columns); `shapes`, how like the columns
are to those of the rows held out (KSComplement, TVComplement), and `pairs`, how like their correlations and
contingencies are; 1 is best. `shapes, own` and `pairs, own` compare with the training rows instead, which
copies win. `distance` is the median distance to the nearest training row, in units of that of the rows held
out (1 is as far as new subjects are, 0 a copy), and `nearer` the share of rows that are nearer to a
training row than to any row held out (0.5 is ideal, 1 is learned by heart). Distances are mean absolute
differences of numbers, in standard deviations of the training rows, and 1 for levels that differ.
`seconds` is the time to fit and generate, on the threads that `--threads` gives.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Maker = Callable[[pd.DataFrame, pd.DataFrame, argparse.Namespace, int], pd.DataFrame]

LABEL = "label"


def main() -> None:
    """Parse options, then make and judge rows, or print the table of what was judged."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--methods", nargs="*", choices=MAKERS, default=[])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--config", default="default", help="of diffaug-bio fit")
    parser.add_argument("--epochs", type=int, default=300, help="of CTGAN")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--judge", action="store_true", help="judge rows that were made before")
    parser.add_argument("--table", action="store_true")
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)
    table = pd.read_csv(arguments.data, index_col=0, keep_default_na=False, na_values=[""])
    for seed in range(arguments.seeds):
        train, held_out = halves(table, seed)
        for name in arguments.methods:
            made = arguments.output / f"{name}-{seed}.csv"
            started = time.perf_counter()
            rows = MAKERS[name](train, held_out, arguments, seed)
            seconds = time.perf_counter() - started
            rows[train.columns].to_csv(made, index=False)
            (made.with_suffix(".json")).write_text(json.dumps({"seconds": seconds}))
            print(f"{name}, seed {seed}: {len(rows)} rows, {seconds:.0f} s", flush=True)  # noqa: T201 - a script
        if arguments.judge:
            for made in sorted(arguments.output.glob(f"*-{seed}.csv")):
                notes = json.loads(made.with_suffix(".json").read_text())
                if "valid" not in notes:
                    rows = pd.read_csv(made, keep_default_na=False, na_values=[""])
                    notes |= judged(rows, train, held_out)
                    made.with_suffix(".json").write_text(json.dumps(notes))
    if arguments.table:
        print_table(arguments.output)


def halves(table: pd.DataFrame, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Halve the subjects at random, and return the rows of both halves."""
    subjects = table.index.astype(str).str.rpartition("_").get_level_values(0)
    names = np.random.default_rng(seed).permutation(np.unique(subjects))
    chosen = subjects.isin(names[: len(names) // 2])
    return table[chosen], table[~chosen]


def features(table: pd.DataFrame) -> tuple[pd.DataFrame, list[str], list[str]]:
    """Return the columns that are compared, and the names of the numbers and of the categories."""
    compared = table.drop(columns=LABEL)
    numbers = [str(name) for name in compared if pd.api.types.is_numeric_dtype(compared[name])]
    return compared, numbers, [str(name) for name in compared if name not in numbers]


def _real(_train: pd.DataFrame, held_out: pd.DataFrame, *_: object) -> pd.DataFrame:
    """Take the rows held out."""
    return held_out


def _copies(train: pd.DataFrame, *_: object) -> pd.DataFrame:
    """Take the training rows again."""
    return train


def _diffaug(
    train: pd.DataFrame,
    _held_out: pd.DataFrame,
    arguments: argparse.Namespace,
    seed: int,
    *options: str,
) -> pd.DataFrame:
    """Fit a model by the command line, and generate a row from each row."""
    _, _, categories = features(train)
    fit = ["--config", arguments.config, "--label-key", LABEL, "--no-report"]
    fit += ["--categorical", ",".join(categories)]
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        train.to_csv(place / "train.csv")
        shared = ["--threads", str(arguments.threads), "--seed", str(seed), "--quiet"]
        _call("fit", place / "train.csv", "-o", place / "run", *fit, *shared)
        made = ["--model", place / "run", "-o", place / "made.csv", *options]
        _call("augment", place / "train.csv", *made, *shared)
        return pd.read_csv(place / "made.csv", index_col=0, keep_default_na=False, na_values=[""])


def _call(*words: object) -> None:
    subprocess.run([sys.executable, "-m", "diffaug_bio.cli.main", *map(str, words)], check=True)


def _diffaug_keep(
    train: pd.DataFrame, held_out: pd.DataFrame, arguments: argparse.Namespace, seed: int
) -> pd.DataFrame:
    """Generate rows that lack what their source lacks."""
    return _diffaug(train, held_out, arguments, seed, "--missing", "keep")


def _diffaug_far(
    train: pd.DataFrame, held_out: pd.DataFrame, arguments: argparse.Namespace, seed: int
) -> pd.DataFrame:
    """Generate rows of which only the embedding of their source tells what they were."""
    return _diffaug(train, held_out, arguments, seed, "--missing", "keep", "--strength", "1")


def _smote_nc(
    train: pd.DataFrame, _held_out: pd.DataFrame, _arguments: argparse.Namespace, seed: int
) -> pd.DataFrame:
    """Mix rows of a label, as many as it has."""
    from imblearn.over_sampling import SMOTENC  # type: ignore[import-not-found, unused-ignore]

    compared, numbers, categories = features(train)
    filled = compared.copy()
    filled[numbers] = compared[numbers].fillna(compared[numbers].median())
    for name in categories:
        filled[name] = compared[name].fillna(compared[name].mode()[0])
    sizes = train[LABEL].value_counts()
    smote = SMOTENC(
        categorical_features=categories,
        sampling_strategy={name: 2 * size for name, size in sizes.items()},
        random_state=seed,
    )
    rows, labels = smote.fit_resample(filled, train[LABEL])
    made: pd.DataFrame = rows.assign(**{LABEL: labels}).iloc[len(train) :]
    return made


def _sdv(train: pd.DataFrame, synthesizer: str, seed: int, **settings: object) -> pd.DataFrame:
    """Fit a synthesizer of SDV, and draw as many rows."""
    import sdv.single_table  # type: ignore[import-not-found, unused-ignore]
    import torch
    from sdv.metadata import Metadata  # type: ignore[import-not-found, unused-ignore]

    np.random.seed(seed)  # noqa: NPY002 - SDV draws from the global state
    torch.manual_seed(seed)
    _, numbers, _ = features(train)
    columns = {
        name: {"sdtype": "numerical" if name in numbers else "categorical"} for name in train.columns
    }
    metadata = Metadata.load_from_dict({"tables": {"table": {"columns": columns}}, "relationships": []})
    made = getattr(sdv.single_table, synthesizer)(metadata, **settings)
    made.fit({"table": train.reset_index(drop=True)})
    made._set_random_state(seed)  # or every seed gives the rows of the first
    rows: dict[str, pd.DataFrame] | pd.DataFrame = made.sample(len(train))
    return rows["table"] if isinstance(rows, dict) else rows


def _copula(
    train: pd.DataFrame, _held_out: pd.DataFrame, _arguments: argparse.Namespace, seed: int
) -> pd.DataFrame:
    """Draw from a Gaussian copula."""
    return _sdv(train, "GaussianCopulaSynthesizer", seed)


def _ctgan(
    train: pd.DataFrame, _held_out: pd.DataFrame, arguments: argparse.Namespace, seed: int
) -> pd.DataFrame:
    """Draw from CTGAN."""
    import torch

    torch.set_num_threads(arguments.threads)
    return _sdv(train, "CTGANSynthesizer", seed, epochs=arguments.epochs, enable_gpu=False)


MAKERS: dict[str, Maker] = {
    "real": _real,
    "copies": _copies,
    "diffaug": _diffaug,
    "diffaug_keep": _diffaug_keep,
    "diffaug_far": _diffaug_far,
    "smote_nc": _smote_nc,
    "copula": _copula,
    "ctgan": _ctgan,
}


def judged(rows: pd.DataFrame, train: pd.DataFrame, held_out: pd.DataFrame) -> dict[str, float]:
    """Score made rows by sdmetrics, and by their distance to real ones."""
    from sdmetrics.single_column import (  # type: ignore[import-not-found, unused-ignore]
        BoundaryAdherence,
        CategoryAdherence,
    )

    own, numbers, categories = features(train)
    made, new = rows[own.columns], held_out[own.columns]
    valid = [BoundaryAdherence.compute(own[name], made[name]) for name in numbers]
    valid += [CategoryAdherence.compute(own[name], made[name]) for name in categories]
    shapes, pairs = _quality(new, made, numbers)
    own_shapes, own_pairs = _quality(own, made, numbers)
    scale = own[numbers].std()
    far = _nearest(made, own, numbers, scale)
    return {
        "valid": float(np.mean(valid)),
        "shapes": shapes,
        "pairs": pairs,
        "shapes, own": own_shapes,
        "pairs, own": own_pairs,
        "distance": float(np.median(far) / np.median(_nearest(new, own, numbers, scale))),
        "nearer": float(np.mean(far < _nearest(made, new, numbers, scale))),
    }


def _quality(real: pd.DataFrame, made: pd.DataFrame, numbers: list[str]) -> tuple[float, float]:
    """Compute how like the columns are, and how like their pairs are, by sdmetrics."""
    from sdmetrics.reports import QualityReport  # type: ignore[import-not-found, unused-ignore]

    columns = {name: {"sdtype": "numerical" if name in numbers else "categorical"} for name in real}
    report = QualityReport()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about columns of few values
        report.generate(
            {"table": real}, {"table": made}, {"tables": {"table": {"columns": columns}}}, verbose=False
        )
    scores = report.get_properties().set_index("Property")["Score"]
    return float(scores["Column Shapes"]), float(scores["Column Pair Trends"])


def _nearest(
    rows: pd.DataFrame, others: pd.DataFrame, numbers: list[str], scale: pd.Series
) -> NDArray[np.float64]:
    """Compute the distance of each row to the nearest of the others, over the cells that both have."""
    first, second = (frame[numbers].to_numpy(float) / scale.to_numpy() for frame in (rows, others))
    names = [name for name in rows if name not in numbers]
    text, other_text = (frame[names].astype(object).to_numpy() for frame in (rows, others))
    gone, other_gone = (frame[names].isna().to_numpy() for frame in (rows, others))
    found = np.empty(len(rows))
    for row in range(len(rows)):
        differences = np.abs(second - first[row])
        differ = (other_text != text[row]).astype(float)
        differ[other_gone | gone[row]] = np.nan
        found[row] = np.nanmin(np.nanmean(np.hstack([differences, differ]), axis=1))
    return found


def print_table(folder: Path) -> None:
    """Print means and spreads over the seeds, a row for each method."""
    found = []
    for path in sorted(folder.glob("*.json")):
        method, _, seed = path.stem.rpartition("-")
        found.append({"method": method, "seed": int(seed), **json.loads(path.read_text())})
    table = pd.DataFrame(found).set_index(["method", "seed"])
    mean, spread = (getattr(table.groupby(level="method"), name)() for name in ("mean", "std"))
    lines = [f"| method | {' | '.join(mean.columns)} |", f"|{'---|' * (1 + len(mean.columns))}"]
    for method in [name for name in MAKERS if name in mean.index]:
        cells = [f"{mean.loc[method, one]:.3f} ± {spread.loc[method, one]:.3f}" for one in mean.columns]
        lines.append(f"| {method} | {' | '.join(cells)} |")
    print("\n".join(lines))  # noqa: T201 - a script


if __name__ == "__main__":
    main()
