"""What columns of categories do to the embedding of a table, and whether generated rows are valid.

    python tests/benchmarks/mixed.py --data mice_protein.csv.gz --config quick --seeds 3
    python tests/benchmarks/mixed.py --data mice_protein.csv.gz --write mixed.csv --seed 0

To the measured columns of a table are added three columns of text, without a look at the label:

- `sex`: F with the probability `1 / (1 + exp(-z / 2))`, of the standardised first measured column `z`,
  else M;
- `stage`: early, mid, late or aged, the quarters of the standardised second measured column plus twice as
  much noise;
- `batch`: plate A, B or C, by chance.

Then 5 % of all cells are emptied by chance. Fitted are the measured columns alone, with the same blanks,
the whole table with each level as a number of its own, and the whole table; the embeddings are scored by
how often a linear probe and the nearest neighbours tell the label, with folds of rows and, where ids are
`SUBJECT_NUMBER`, folds of whole subjects. From each row of the whole table one row is generated, which is
compared with the table before it was rounded to float32: shares of rows all of whose numbers lie in the
range of their column, and all of whose levels are levels of theirs.
`--write` writes the table of one seed and ends; `label` is its last column, `id` its first.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import torch
from threadpoolctl import threadpool_limits

import diffaug_bio as db
from diffaug_bio.matrix.columns import CodedColumns
from diffaug_bio.metrics import knn_probe, linear_probe

if TYPE_CHECKING:
    import anndata

BLANKS = 0.05
LEVELS = {
    "sex": ("F", "M"),
    "stage": ("aged", "early", "late", "mid"),
    "batch": ("plate A", "plate B", "plate C"),
}


def main() -> None:
    """Parse options, then write the table, or fit, score and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument(
        "--data", type=Path, required=True, help="CSV with ids, measured columns and `label`"
    )
    parser.add_argument("--write", type=Path, help="CSV to write the table to")
    parser.add_argument("--seed", type=int, default=0, help="of the table that is written")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--config", default="quick")
    arguments = parser.parse_args()
    if arguments.write is not None:
        mixed_table(arguments.data, seed=arguments.seed).to_csv(arguments.write)
        return
    torch.set_num_threads(1)
    with threadpool_limits(1):
        rows = [measured(arguments.data, seed, arguments.config) for seed in range(arguments.seeds)]
    table = pd.DataFrame(rows)
    summary = table.agg(["mean", "std"]).T
    print(table.round(4).T.to_string(), summary.round(4).to_string(), sep="\n\n")  # noqa: T201 - a script


def mixed_table(path: Path, *, seed: int) -> pd.DataFrame:
    """Add columns of text to a table of measured values, and empty cells by chance."""
    frame = pd.read_csv(path, index_col=0)
    label = frame.pop("label")
    rng = np.random.default_rng(seed)
    first, second = ((frame.iloc[:, place] - frame.iloc[:, place].mean()) for place in (0, 1))
    first, second = (column.fillna(0) / column.std() for column in (first, second))
    is_female = rng.random(len(frame)) < 1 / (1 + np.exp(-first / 2))
    late = pd.qcut(second + 2 * rng.normal(size=len(frame)), 4, labels=["early", "mid", "late", "aged"])
    added = pd.DataFrame(
        {
            "sex": np.where(is_female, "F", "M"),
            "stage": late.astype(object),
            "batch": rng.choice(LEVELS["batch"], len(frame)),
        },
        index=frame.index,
    )
    table = pd.concat([frame, added], axis=1)
    table = table.mask(rng.random(table.shape) < BLANKS)
    table["label"] = label
    return table


def as_anndata(table: pd.DataFrame, *, with_text: bool) -> anndata.AnnData:
    """Read the table as a file, with the columns of text as features or as annotations."""
    text = list(LEVELS)
    schema = db.io.Schema(categorical=text) if with_text else db.io.Schema(annotations=text)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "table.csv"
        table.to_csv(path)
        return db.io.read(path, schema=schema, obs_columns=["label"])


def measured(path: Path, seed: int, config: str) -> dict[str, float]:
    """Fit the measured columns and the whole table of one seed; return scores, and shares of valid rows."""
    table = mixed_table(path, seed=seed)
    found: dict[str, float] = {}
    for name in ("numbers", "levels as numbers", "whole table"):
        adata = as_anndata(table, with_text=name != "numbers")
        if name == "levels as numbers":
            del adata.uns["columns"]
        settings = {"preset": config, "features": {"input_state": "continuous"}}
        model = db.tl.fit(adata, config=settings, random_state=seed, device="cpu", threads=1, verbose=False)
        labels = adata.obs["label"].astype(str).to_numpy()
        subjects = adata.obs_names.str.rpartition("_").get_level_values(0).to_numpy()
        embedding = adata.obsm["X_diffaug"]
        for groups, ending in ((None, ""), (subjects, ", subjects")):
            linear = linear_probe(embedding, labels, groups=groups, random_state=seed)
            nearest = knn_probe(embedding, labels, groups=groups, random_state=seed)
            found[f"{name}: linear probe{ending}"] = float(linear.accuracy.mean())
            found[f"{name}: kNN{ending}"] = float(nearest.accuracy.mean())
    for missing in ("fill", "keep"):
        generated = db.tl.augment(adata, model, missing=missing, random_state=seed)
        found |= {f"{missing}: {what}": share for what, share in valid_shares(generated, table).items()}
    return found


def valid_shares(generated: anndata.AnnData, table: pd.DataFrame) -> dict[str, float]:
    """Share of rows with numbers in range, with valid levels, and with the blanks of their source."""
    frame = generated.to_df()
    numbers = table.drop(columns=[*LEVELS, "label"])
    values = frame[numbers.columns].astype(np.float64)
    in_range = values.isna() | ((values >= numbers.min()) & (values <= numbers.max()))
    is_level = np.ones(len(frame), bool)
    blank = values.isna().to_numpy()
    for column in CodedColumns.of_uns(generated.uns):
        coded = frame[list(column.features)].to_numpy()
        is_level &= np.isnan(coded).all(1) | (column.numbers(coded) >= 0)
        blank = np.column_stack([blank, np.isnan(coded[:, 0])])
    expected = table.drop(columns="label").isna().to_numpy()
    return {
        "rows in range": float(in_range.all(axis=1).mean()),
        "rows of valid levels": float(is_level.mean()),
        "rows with the source's blanks": float((blank == expected).all(1).mean()),
        "cells missing": float(blank.mean()),
    }


if __name__ == "__main__":
    main()
