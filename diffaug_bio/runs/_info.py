"""Description of a model folder, or of the run folder around it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from diffaug_bio._wording import printable
from diffaug_bio.output.json_files import METRICS, RUN, read_json

if TYPE_CHECKING:
    from pathlib import Path

    from diffaug_bio.document import Section

_OF_RUN = ("diffaug_bio", "data", "device", "precision", "threads", "seconds", "versions")


def info(folder: Path) -> dict[str, Any]:
    """Describe a model, by its folder or the run folder around it, without reading its weights.

    Returns the path of the model's `folder`; `model`, the fields of
    :class:`~diffaug_bio.model.description.ModelDescription`; `run`, from `run.json`, and `metrics`, the
    content of `metrics.json`, each None if missing. Raises CheckpointError if the model cannot be used, and
    InputError if a file of the run is damaged.
    """
    from diffaug_bio.model.folder import describe_model, find_model

    model = find_model(folder)
    around = model.parent if model.name == "model" else model
    run = read_json(around / RUN)
    return {
        "folder": printable(str(model)),
        "model": describe_model(model).to_dict(),
        "run": None if run is None else {key: run[key] for key in _OF_RUN if key in run},
        "metrics": None if run is None else read_json(around / METRICS),
    }


def info_sections(folder: Path) -> list[Section]:
    """Describe a model as its card and report do: data, networks, scores and limits."""
    from diffaug_bio.config.kinds import KINDS
    from diffaug_bio.document import Section
    from diffaug_bio.model.about import Run, data_facts, limits_section, model_facts
    from diffaug_bio.model.folder import describe_model
    from diffaug_bio.model.scores import scores_section

    found, model = info(folder), describe_model(folder)
    scores = found["metrics"]
    run = None if found["run"] is None else Run(found["run"], scores)
    return [
        Section(key="data", title="Data", blocks=(data_facts(model, run),)),
        Section(key="model", title=f"Model in {found['folder']}", blocks=(model_facts(model),)),
        *(
            []
            if scores is None
            else [scores_section(scores, front_end=KINDS[model.kind].front_end, explained=False)]
        ),
        limits_section(model),
    ]
