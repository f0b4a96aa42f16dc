"""What generated rows do for rare classes: macro-F1 of classifiers, beside other ways to make rows.

    python tests/benchmarks/rare_classes.py DATA... --seeds 3 -o rare.csv
    python tests/benchmarks/rare_classes.py --table -o rare.csv

Needs imbalanced-learn. Of each data set three fifths of the rows, stratified, are for training, and of the
rarest three classes at most ten of these are kept. A model is fitted to the training rows without labels.
Each method then brings the three classes to the median size of the others, a logistic regression
(standardised features) and a random forest learn from real and made rows, and are scored on the real rows
held out. Classes with fewer than 5 rows are left out; rare are the three smallest of those with at least
13, so that some are left to test on, where there are four such classes. Features are logged expression of
the genes that the model kept, measured features, or pixels, the same for all methods:

- `none`: real rows only
- `weights`: real rows only, classes weighted by the inverse of their size (`class_weight="balanced"`)
- `copies`: rows of the class again
- `smote`: imbalanced-learn's, 5 neighbors (fewer where there are fewer rows)
- `noise`: copies with Gaussian noise of 0.3 standard deviations of each feature
- `mixup`: a random point between two rows of the class
- `diffaug`: `diffaug_bio.tl.augment(adata, model, groupby=..., target=...)` with its defaults
"""

from __future__ import annotations

import argparse
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch
from imblearn.over_sampling import SMOTE  # type: ignore[import-not-found, unused-ignore]
from scipy import sparse
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

import diffaug_bio as db
from diffaug_bio.features import FittedFeatures, normalize

if TYPE_CHECKING:
    from anndata import AnnData
    from numpy.typing import NDArray

METHODS = ("none", "weights", "copies", "smote", "noise", "mixup", "diffaug")
LABELS = ("cell_type", "label")
N_KEPT, N_RARE, MIN_ROWS = 10, 3, 13


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("data", nargs="*", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--config", type=Path, help="TOML file for all data sets.")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--table", action="store_true", help="Print what the output holds.")
    arguments = parser.parse_args()
    if arguments.table:
        print_table(pd.read_csv(arguments.output))
        return
    warnings.simplefilter("ignore", ConvergenceWarning)
    torch.set_num_threads(arguments.threads)
    with threadpool_limits(arguments.threads):
        for path in arguments.data:
            for seed in range(arguments.seeds):
                scores = run(path, seed, arguments.config)
                is_new = not arguments.output.exists()
                scores.to_csv(arguments.output, mode="a", header=is_new, index=False)
                sys.stdout.write(scores.round(4).to_string(index=False) + "\n")
                sys.stdout.flush()


def run(path: Path, seed: int, config: Path | None) -> pd.DataFrame:
    adata = db.io.read(path)
    label_key = next(name for name in LABELS if name in adata.obs)
    # Never the text of a number, which scikit-learn's class weights take for one.
    adata.obs[label_key] = [f"class {label}" for label in adata.obs[label_key]]
    train, test, rare = split(adata, label_key, seed)
    settings = None if config is None else db.DiffAugConfig.from_toml(config)
    model = db.tl.fit(train, config=settings, random_state=seed, device="cpu")
    y_train, y_test = (np.asarray(part.obs[label_key].astype(str)) for part in (train, test))
    x_train, x_test = features_of(train.X, model), features_of(test.X, model)
    sizes = pd.Series(y_train).value_counts()
    target = int(sizes.drop(rare).median())
    rows = []
    for method in METHODS:
        x, y = made(
            method, train, x_train, y_train, rare, target, model=model, label_key=label_key, seed=seed
        )
        for name, classifier in classifiers(seed, weighted=method == "weights").items():
            predicted = classifier.fit(np.vstack([x_train, x]), np.concatenate([y_train, y])).predict(
                x_test
            )
            rows.append(
                {
                    "data": path.name.split(".")[0],
                    "seed": seed,
                    "method": method,
                    "classifier": name,
                    "n_made": len(y),
                    "macro_f1": f1_score(y_test, predicted, average="macro"),
                    "rare_f1": f1_score(y_test, predicted, average="macro", labels=rare),
                }
            )
    return pd.DataFrame(rows)


def split(adata: AnnData, label_key: str, seed: int) -> tuple[AnnData, AnnData, list[str]]:
    """Rows to train on, of which the rarest classes are cut down, rows to test on, and those classes."""
    y = np.asarray(adata.obs[label_key].astype(str))
    names, sizes = np.unique(y, return_counts=True)
    rows = np.flatnonzero(np.isin(y, names[sizes >= 5]))
    train, test = train_test_split(rows, test_size=0.4, stratify=y[rows], random_state=seed)
    size = dict(zip(names.tolist(), sizes.tolist(), strict=True))
    usable = [name for name in size if size[name] >= MIN_ROWS]
    usable = usable if len(usable) >= 4 else [name for name in size if size[name] >= 5]
    rare = sorted(usable, key=lambda name: (size[name], name))[:N_RARE]
    generator = np.random.default_rng(seed)
    dropped = [generator.permutation(train[y[train] == name])[N_KEPT:] for name in rare]
    train = np.setdiff1d(train, np.concatenate(dropped))
    return adata[train].copy(), adata[np.sort(test)].copy(), rare


def features_of(matrix: object, model: db.DiffAug) -> NDArray[np.float32]:
    """What classifiers see, the same for every method."""
    fitted = model.features_
    if not isinstance(fitted, FittedFeatures):
        return np.asarray(np.asarray(matrix) / 255, np.float32)
    values = normalize(matrix, fitted.state, target_sum=fitted.target_sum)[:, fitted.selected]
    dense = values.toarray() if sparse.issparse(values) else values
    filled = np.where(np.isnan(dense), fitted.medians, dense) if len(fitted.medians) else dense
    return np.asarray(filled, np.float32)


def made(
    method: str,
    train: AnnData,
    x: NDArray[np.float32],
    y: NDArray[np.str_],
    rare: list[str],
    target: int,
    *,
    model: db.DiffAug,
    label_key: str,
    seed: int,
) -> tuple[NDArray[np.float32], NDArray[np.str_]]:
    """Rows that a method makes of the rare classes, and their labels."""
    generator = np.random.default_rng(seed)
    wanted = {name: target for name in rare if (y == name).sum() < target}
    if method in {"none", "weights"} or not wanted:
        return x[:0], y[:0]
    if method == "diffaug":
        labels = pd.Series(y, index=train.obs_names).where(np.isin(y, rare))
        sources = train.copy()
        sources.obs["rare"] = labels
        more = db.tl.augment(sources, model, groupby="rare", target=target, random_state=seed)
        return features_of(more.X, model), np.asarray(more.obs[label_key].astype(str))
    if method == "smote":
        n_neighbors = min(5, min((y == name).sum() for name in wanted) - 1)
        sampler = SMOTE(sampling_strategy=wanted, k_neighbors=n_neighbors, random_state=seed)
        more, labels = sampler.fit_resample(x, y)
        return more[len(x) :], labels[len(x) :]
    rows, names = [], []
    for name in wanted:
        members = x[y == name]
        n = target - len(members)
        first = members[generator.integers(len(members), size=n)]
        if method == "copies":
            new = first
        elif method == "noise":
            new = first + 0.3 * x.std(0) * generator.standard_normal(first.shape)
        else:
            second = members[generator.integers(len(members), size=n)]
            new = first + generator.random((n, 1)) * (second - first)
        rows.append(new.astype(np.float32))
        names += [name] * n
    return np.vstack(rows), np.array(names)


def classifiers(seed: int, *, weighted: bool) -> dict[str, Any]:
    weight = "balanced" if weighted else None
    return {
        "logistic": make_pipeline(StandardScaler(), LogisticRegression(max_iter=300, class_weight=weight)),
        "forest": RandomForestClassifier(200, random_state=seed, class_weight=weight),
    }


def print_table(scores: pd.DataFrame) -> None:
    """Gains of macro-F1 over no made rows, in points: mean over seeds and classifiers, and its spread."""
    by_seed = scores.groupby(["data", "seed", "method"])["macro_f1"].mean().unstack("method") * 100
    gains = by_seed.drop(columns="none").sub(by_seed["none"], axis=0)[list(METHODS[1:])]
    mean, spread = gains.groupby("data").mean(), gains.groupby("data").std()
    sys.stdout.write(
        "| data | none | " + " | ".join(METHODS[1:]) + " |\n|---|---|" + "---|" * len(mean.columns) + "\n"
    )
    for name in mean.index:
        cells = [f"{mean[m][name]:+.1f} ± {spread[m][name]:.1f}" for m in mean]
        sys.stdout.write(f"| {name} | {by_seed['none'][name].mean():.1f} | " + " | ".join(cells) + " |\n")
    everything = " | ".join(f"{mean[m].mean():+.1f}" for m in mean)
    sys.stdout.write(f"| mean | {by_seed['none'].groupby('data').mean().mean():.1f} | {everything} |\n")
    by_classifier = (
        scores.groupby(["classifier", "data", "method"])["macro_f1"].mean().unstack("method") * 100
    )
    for name, part in by_classifier.groupby("classifier"):
        gained = " | ".join(f"{(part[m] - part['none']).mean():+.1f}" for m in mean)
        sys.stdout.write(f"| mean, {name!s} | {part['none'].mean():.1f} | {gained} |\n")
    positive = " | ".join(f"{(mean[m] > 0).sum()} of {len(mean)}" for m in mean)
    sys.stdout.write(f"| sets with a gain | | {positive} |\n")


if __name__ == "__main__":
    main()
