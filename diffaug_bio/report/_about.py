"""Sections about the data of a run, how it was run, and how to go on from it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from diffaug_bio._wording import decimals
from diffaug_bio.config.kinds import KINDS
from diffaug_bio.document import Code, Facts, Highlight, Messages, Section, base_name
from diffaug_bio.model import about
from diffaug_bio.model.scores import scores_section as table_of_scores

if TYPE_CHECKING:
    from diffaug_bio.model.about import Run
    from diffaug_bio.model.description import ModelDescription
    from diffaug_bio.report._data import RunData

_PYTHON = """\
import scanpy as sc

adata = sc.read_h5ad("embedded.h5ad")
sc.pp.neighbors(adata, use_rep="X_diffaug")
sc.tl.umap(adata)
sc.tl.leiden(adata, flavor="igraph", n_iterations=2)"""
_R = """\
embedding <- read.csv("embedding.csv", row.names = 1)
clusters <- kmeans(embedding, centers = 10, nstart = 20)

# the whole result, as a SingleCellExperiment (Bioconductor):
sce <- zellkonverter::readH5AD("embedded.h5ad")
SingleCellExperiment::reducedDim(sce, "X_diffaug")"""
_HIGHLIGHTS = {
    "linear_probe": "Linear probe",
    "knn_accuracy": "Nearest neighbours",
    "kmeans_nmi": "Clusters, NMI",
    "linear_r2": "Linear regression, R2",
    "knn_r2": "Nearest neighbours, R2",
}


def highlights(run: RunData, model: ModelDescription) -> tuple[Highlight, ...]:
    """Choose the numbers for the top of the page."""
    columns = f"{model.n_features:,} {KINDS[model.kind].column}s"
    found = [Highlight(name="Rows", value=f"{run.n_obs:,}", note=columns)]
    if run.scores is not None:
        for key, title in _HIGHLIGHTS.items():
            if key not in run.scores["embedding"]:  # classes have others than a number
                continue
            ours, theirs = (run.scores[method][key] for method in ("embedding", "pca"))
            chance = decimals(run.scores["chance"][key])
            note = f"PCA {decimals(theirs)}, chance {chance}; for {run.scores['label_key']}"
            found.append(Highlight(name=title, value=decimals(ours), note=note))
    seconds, memory = sum(run.record["seconds"].values()), about.megabytes(run.record["peak_memory_mb"])
    value = f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"
    found.append(Highlight(name="Time", value=value, note=f"{memory} at most, {run.record['device']}"))
    return tuple(found)


def data_section(model: ModelDescription, run: Run) -> Section:
    """Describe the data, with the remarks and warnings of the run about them; warnings come first."""
    path = str(run.record["data"]["data"])
    said = [
        (one["level"] == "info", str(one["text"]).replace(path, base_name(path)))
        for one in run.record.get("log", [])
    ]
    messages = Messages(
        messages=tuple(
            ("info" if is_info else "warning", text)
            for is_info, text in sorted(said, key=lambda one: one[0])
        )
    )
    facts = about.data_facts(model, run)
    return Section(key="data", title="Data", blocks=(facts, messages) if said else (facts,))


def scores_section(run: RunData, *, front_end: str) -> Section:
    """Show the scores of the run, or say how to get some."""
    if run.scores is None:
        return Section(key="scores", title="Scores", lead=_without_scores(run))
    section = table_of_scores(run.scores, front_end=front_end)
    scored = run.scores["label_key"]
    if run.label_key in {None, scored}:
        return section
    warning = (
        f"The scores here and at the top of the page are for {scored}, the labels of the fit; the rest of "
        f"the page shows {run.label_key}. To score these, run: diffaug-bio evaluate RUN --label-key "
        f"{run.label_key}"
    )
    return replace(section, blocks=(Messages(messages=(("warning", warning),)), *section.blocks))


def _without_scores(run: RunData) -> str:
    if run.label_key is not None:
        return (
            "This fit has no scores: it had no labels, or was interrupted. To score the embedding, run: "
            f"diffaug-bio evaluate RUN --label-key {run.label_key}. To have scores on this page, run "
            "diffaug-bio fit with the same option."
        )
    said = (
        "There were no labels to score the embedding against. Name a column of labels with --label-key: it "
        "is only compared with the result, and not used in the fit."
    )
    candidates = run.label_candidates()
    return said + (f" Columns that may be labels: {', '.join(candidates)}." if candidates else "")


def repeat_section(model: ModelDescription, run: Run) -> Section:
    """Describe model and run, and how to fit the same again."""
    section = about.fit_section(model, run)
    facts = Facts(facts=(*about.model_facts(model).facts, *about.run_facts(model, run).facts))
    return replace(section, blocks=(facts, *section.blocks[1:]))


def use_section(model: ModelDescription, run: Run) -> Section:
    """Show how to go on with the results, and how to embed new data."""
    new = about.use_section(model, run, place=".").blocks
    return Section(
        key="use",
        title="Go on from here",
        lead="In the folder of the run:",
        blocks=(
            Code(title="Results in Python", text=_PYTHON),
            Code(title="Results in R", text=_R),
            *new,
        ),
    )
