"""Whether bringing donors together keeps what was done to their cells.

    python tests/benchmarks/kept_effect.py KANG.h5ad --effect-key stim --sample-key batch

Samples are named by what was done and the donor, such as stim101: the donor is what the effect's name
leaves. Fits with the donor as the batch, and without. Printed are, for each seed, how often a linear probe
tells the effect, and how often the nearest cells tell the donor, beside chance.
"""

from __future__ import annotations

import argparse

import anndata
import torch

import diffaug_bio as db


def main() -> None:
    """Parse options, fit and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("data")
    parser.add_argument("--effect-key", default="stim")
    parser.add_argument("--sample-key", default="batch")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    adata = anndata.read_h5ad(arguments.data)
    effects = adata.obs[arguments.effect_key].astype(str)
    samples = adata.obs[arguments.sample_key].astype(str)
    adata.obs["donor"] = [
        sample.replace(effect, "") for sample, effect in zip(samples, effects, strict=True)
    ]
    for seed in range(arguments.seeds):
        for batch_key in ("donor", None):
            db.tl.embed(adata, batch_key=batch_key, random_state=seed, device="cpu")
            scores = db.tl.evaluate(adata, arguments.effect_key, batch_key="donor", random_state=seed)
            row = scores.iloc[0]
            print(  # noqa: T201 - a script
                f"seed {seed}, batch_key {batch_key}: effect {row['linear_probe']:.3f}, "
                f"donor {row['batch_knn_accuracy']:.3f} (chance {row['batch_chance']:.3f})",
                flush=True,
            )


if __name__ == "__main__":
    main()
