"""`diffaug-bio fit`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Literal, get_args

import click

from diffaug_bio._wording import decimals
from diffaug_bio.config import WarmupView, resolve_config
from diffaug_bio.config.kinds import kind_of
from diffaug_bio.output.kept import kept

from ._help import Command
from ._options import (
    config_option,
    force_option,
    group_key_option,
    kmer_encoding,
    label_kind_option,
    machine_options,
    matrix_options,
    n_latent_option,
    output_of,
    output_option,
    seed_option,
    sequence_options,
    set_threads,
    split_option,
    start_log,
)
from ._progress import fit_progress
from ._report_file import write_report

if TYPE_CHECKING:
    from pathlib import Path

    from diffaug_bio.config import DiffAugConfig, LabelKind

    from ._options import Reading

_SHOWN = {
    "classes": {
        "linear_probe": ("linear probe", 14),
        "knn_accuracy": ("kNN", 8),
        "kmeans_nmi": ("NMI", 8),
        "kmeans_ari": ("ARI", 8),
    },
    "number": {"linear_r2": ("linear R2", 14), "knn_r2": ("kNN R2", 8)},
}
_EPILOG = """\b
Examples:
  diffaug-bio fit cells.h5ad
  diffaug-bio fit cells.h5ad -o run --label-key cell_type --batch-key donor --layer counts
  diffaug-bio fit run/outs -o run-fit
  diffaug-bio fit samples -o together --batch-key batch
  diffaug-bio fit proteins.csv.gz -o run --config quick --n-latent 64 --seed 1
  diffaug-bio fit promoters.fa.gz -o run --label-key label --encoder cnn
  diffaug-bio fit reads.fastq.gz -o run --k 3,4,5 --canonical
  diffaug-bio fit peaks.bed -o run --reference genome.fa
  diffaug-bio fit photographs -o run --image-size 64 --warmup-view hand
  diffaug-bio fit recipe:pbmc68k
"""


@click.command("fit", cls=Command, epilog=_EPILOG)
@output_option("data.diffaug for data.h5ad")
@config_option
@click.option(
    "--label-key", metavar="COLUMN", help="Labels to score the embedding against; never used to fit it."
)
@label_kind_option
@click.option(
    "--batch-key",
    metavar="COLUMN[,COLUMN]",
    help="Batches to bring together, such as donors; several columns are combined.",
)
@seed_option
@force_option
@matrix_options
@sequence_options
@n_latent_option
@click.option(
    "--warmup-view",
    type=click.Choice(get_args(WarmupView)),
    metavar="NAME",
    help="Hand-made view, in place of the one that suits the data; hand is SimCLR's, for images.",
)
@click.option(
    "--input-state",
    type=click.Choice(["auto", "counts", "normalized", "lognormalized", "scaled", "continuous"]),
    help="Kind of the values, where the log says that they were taken for something else.",
)
@split_option
@group_key_option
@click.option(
    "--precision",
    type=click.Choice(["auto", "float32", "bfloat16"]),
    default="auto",
    show_default=True,
    help="Precision of the training arithmetic.",
)
@click.option("--model-license", metavar="NAME", help="Licence on the model's card, such as CC-BY-4.0.")
@click.option("--no-report", is_flag=True, help="Leave out report.html, which takes some seconds.")
@machine_options
def command(
    reading: Reading,
    *,
    output: str | None,
    config: DiffAugConfig,
    label_key: str | None,
    label_kind: LabelKind,
    batch_key: str | None,
    seed: int,
    force: bool,
    layer: str | None,
    use_rep: str | None,
    use_raw: bool,
    var_key: str | None,
    encoder: Literal["auto", "mlp", "cnn", "patches", "convnet", "resnet18"] | None,
    k: tuple[int, ...] | None,
    canonical: bool,
    bins: int,
    n_latent: int | None,
    warmup_view: str | None,
    input_state: str | None,
    split_key: str,
    group_key: str | None,
    precision: Literal["auto", "float32", "bfloat16"],
    model_license: str | None,
    no_report: bool,
    device: str,
    threads: int | None,
    quiet: bool,
    as_json: bool,
) -> None:
    """Fit DiffAug to DATA and write a folder with embedding, model and scores.

    DATA is an AnnData (.h5ad, .zarr), counts of Cell Ranger (.h5, .mtx, or a folder of runs), .h5mu,
    .loom, a table (.csv, .tsv, also .gz) with a row per observation, DNA (.fa, .fastq,
    .bed, a table with a column of sequences, a folder with a file for each class), images (a folder of
    files, CIFAR, STL-10, Tiny-ImageNet, idx, .npz), or recipe:NAME. The folder holds embedding.csv,
    embedded.h5ad, model/, run.json, report.html and, with labels, metrics.json.
    """
    start_log(quiet=quiet)
    set_threads(threads)
    from diffaug_bio import runs

    folder = output_of("fit", reading.data, output)
    kmers = kmer_encoding(k, canonical=canonical, bins=bins)
    if kmers is not None:  # whoever says how words are counted wants them embedded
        encoder = encoder or "mlp"
    settings = resolve_config(config, n_latent=n_latent).replace(
        encoder={} if encoder is None else {"kind": encoder},
        train={} if warmup_view is None else {"warmup_view": warmup_view},
        features={} if input_state is None else {"input_state": input_state},
    )
    source = reading.source(
        label_key=label_key, label_kind=label_kind, group_key=group_key, split_key=split_key, kmers=kmers
    )
    with fit_progress(quiet=quiet) as progress:
        result = runs.fit(
            source,
            folder,
            config=settings,
            layer=layer,
            use_rep=use_rep,
            use_raw=use_raw,
            var_key=var_key,
            batch_key=batch_key,
            random_state=seed,
            device=device,
            precision=precision,
            threads=threads,
            callbacks=progress.callbacks,
            on_score=progress.on_score,
            force=force,
            model_license=model_license,
        )
    has_report = not no_report and write_report(folder)
    with kept(f"All is kept in {folder}."):
        if as_json:
            click.echo(json.dumps({**result, "output": str(folder)}, indent=2))
        elif not quiet:
            click.echo(_summary(result, folder))
            if has_report:
                click.echo(f"Report to look at, print and send: {folder}/report.html")


def _summary(result: dict[str, Any], folder: Path) -> str:
    """Name what was written, and list the scores beside those of PCA."""
    data = result["data"]
    lines = [f"{data['n_obs']} rows embedded; see {folder}/embedding.csv and {folder}/embedded.h5ad."]
    if scores := result["metrics"]:
        # Accuracies and R2 are means over the folds; NMI and ARI are those of k-means clusters.
        shown = _SHOWN[scores["label_kind"]]
        titles = "".join(f"{title:>{width}}" for title, width in shown.values())
        lines.append(f"{'':44}{titles}   against {scores['label_key']!r}")
        for name in ("embedding", "pca", "front_end"):
            row = scores[name]
            if name == "front_end" and row == scores["pca"]:
                continue
            front_end = kind_of(data["input_state"]).front_end
            given = {"embedding": "DiffAug", "pca": "PCA", "front_end": front_end}[name]
            title = f"{given}, {row['width']} wide"
            lines.append(f"{title:44}{_figures(row, shown)}")
        lines.append(f"{'chance':44}{_figures(scores['chance'], shown)}")
    lines.append(f'In Python: adata = sc.read_h5ad("{folder}/embedded.h5ad")')
    lines.append('           sc.pp.neighbors(adata, use_rep="X_diffaug")')
    return "\n".join(lines)


def _figures(scores: dict[str, float], shown: dict[str, tuple[str, int]]) -> str:
    """Write scores in columns."""
    return "".join(f"{decimals(scores[key]):>{width}}" for key, (_, width) in shown.items())
