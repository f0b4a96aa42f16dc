"""Embeddings and generated rows of two checkouts, compared bit for bit.

    git worktree add ../before HEAD~1
    python tests/benchmarks/same_bits.py ../before .              # every kind of data
    python tests/benchmarks/same_bits.py ../before . --only words --only letters

Fits one small data set of each kind with either checkout (same seed, one thread), generates rows with the
model, embeds rows that come later, and prints the largest difference of each result. Ends with exit code 1
where any differs. What a checkout made is kept beside the data, in the folder that `--keep` names.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import anndata
import click
import numpy as np
import pandas as pd
from scipy import sparse

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

CONFIG = """\
preset = "quick"
[train]
warmup_epochs = 2
generator_epochs = 2
encoder_epochs = 2
min_steps = 12
"""


class Case(NamedTuple):
    """One kind of data: its file, and the options of `fit`."""

    write: Callable[[Path], None]
    name: str
    options: tuple[str, ...] = ()
    generating: tuple[str, ...] = ()


def _counts(path: Path) -> None:
    rng = np.random.default_rng(0)
    types, batches = rng.integers(0, 4, 300), rng.integers(0, 2, 300)
    rates = rng.gamma(0.4, 0.8, (4, 200))[types] * np.where(
        batches[:, None] == 1, rng.gamma(4, 0.25, 200), 1
    )
    obs = pd.DataFrame(
        {
            "cell_type": [f"type{number}" for number in types],
            "donor": [f"donor{number}" for number in batches],
        },
        index=[f"cell{number}" for number in range(300)],
    )
    adata = anndata.AnnData(sparse.csr_matrix(rng.poisson(rates).astype(np.float32)), obs)
    adata.var_names = [f"gene{number}" for number in range(200)]
    adata.write_h5ad(path)


def _table(path: Path) -> None:
    from sklearn.datasets import load_wine

    features, classes = load_wine(return_X_y=True, as_frame=True)
    features.insert(0, "sample", [f"wine{number}" for number in range(len(features))])
    features.assign(label=classes.map("class{}".format)).to_csv(path, index=False)


def _letters(path: Path) -> None:
    rng = np.random.default_rng(0)
    shares = rng.dirichlet([0.5] * 4, size=(3, 60))
    records = []
    for number in range(150):
        letters = "".join(rng.choice(list("ACGT"), p=share) for share in shares[number % 3])
        records.append(f">read{number} label=class{number % 3}\n{letters}\n")
    path.write_text("".join(records), encoding="utf-8")


def _images(path: Path) -> None:
    from sklearn.datasets import load_digits

    digits = load_digits()
    images = (digits.images[:300] * 15).astype(np.uint8).repeat(2, axis=1).repeat(2, axis=2)
    np.savez(path, images=images, labels=digits.target[:300])


CASES = {
    "counts": Case(_counts, "counts.h5ad", ("--label-key", "cell_type")),
    "batches": Case(_counts, "batches.h5ad", ("--batch-key", "donor"), ("--batch", "donor1")),
    "table": Case(_table, "table.csv"),
    "words": Case(_letters, "words.fa", ("--encoder", "mlp")),
    "letters": Case(_letters, "letters.fa", ("--encoder", "cnn")),
    "images": Case(_images, "images.npz"),
}


def _run(checkout: Path, *arguments: str) -> None:
    """Run the command of a checkout on one thread."""
    environment = {**os.environ, "PYTHONPATH": str(checkout), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "diffaug_bio.cli", *arguments, "--threads", "1", "--quiet"]
    # Imported from the checkout that PYTHONPATH names, never from the folder that this was started in.
    subprocess.run(command, check=True, env=environment, cwd=Path(arguments[1]).parent)


def results(
    checkout: Path, case: Case, data: Path, config: Path, place: Path
) -> dict[str, NDArray[np.generic]]:
    """Fit, generate and embed with one checkout, and read what it wrote."""
    run, generated, later = place / "run", place / "generated.h5ad", place / "later"
    if not later.is_dir():
        fit = ["fit", str(data), "-o", str(run), "--config", str(config), "--seed", "3", "--no-report"]
        _run(checkout, *fit, "--device", "cpu", "--force", *case.options)
        shared = ["--model", str(run), "--device", "cpu", "--force"]
        _run(checkout, "augment", str(data), "-o", str(generated), "--seed", "5", *shared, *case.generating)
        _run(checkout, "embed", str(data), "-o", str(later), *shared)
    made = anndata.read_h5ad(generated)
    if "sequence" in made.obs:  # letters, or the letters whose words were counted
        rows = np.frombuffer("".join(made.obs["sequence"].astype(str)).encode(), np.uint8)
    else:
        rows = made.X.toarray() if sparse.issparse(made.X) else np.asarray(made.X)
    return {
        "embedding": np.asarray(anndata.read_h5ad(run / "embedded.h5ad").obsm["X_diffaug"]),
        "generated": rows,
        "embedded later": np.asarray(anndata.read_h5ad(later / "embedded.h5ad").obsm["X_diffaug"]),
    }


def _difference(one: NDArray[np.generic], other: NDArray[np.generic]) -> str:
    if one.shape != other.shape:
        return f"shapes {one.shape} and {other.shape}"
    if one.tobytes() == other.tobytes():
        return "equal"
    return f"differ by up to {np.abs(one.astype(float) - other.astype(float)).max():.3g}"


def main() -> None:
    """Print a line for each kind of data and result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("checkouts", type=Path, nargs=2, metavar="CHECKOUT")
    parser.add_argument(
        "--only", action="append", choices=list(CASES), help="a kind of data; may be repeated"
    )
    parser.add_argument("--keep", type=Path, help="folder of results, which are made once")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        place = (arguments.keep or Path(temporary)).resolve()
        place.mkdir(parents=True, exist_ok=True)
        config = place / "config.toml"
        config.write_text(CONFIG, encoding="utf-8")
        differ = False
        for kind in arguments.only or CASES:
            case, found = CASES[kind], []
            data = place / case.name
            if not data.is_file():
                case.write(data)
            for number, checkout in enumerate(path.resolve() for path in arguments.checkouts):
                mine = place / kind / str(number)
                mine.mkdir(parents=True, exist_ok=True)
                found.append(results(checkout, case, data, config, mine))
            for name, one in found[0].items():
                said = _difference(one, found[1][name])
                differ |= said != "equal"
                click.echo(f"{kind:8}  {name:14}  {said}")
        sys.exit(differ)


if __name__ == "__main__":
    main()
