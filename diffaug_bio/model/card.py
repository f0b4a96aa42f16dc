"""Card of a model folder: Markdown for people, which is never read back and may be edited."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from diffaug_bio.config.kinds import KINDS
from diffaug_bio.document import Section, Text, base_name, escaped, markdown, one_line
from diffaug_bio.model.about import data_facts, fit_section, limits_section, model_facts, use_section
from diffaug_bio.model.scores import scores_section

if TYPE_CHECKING:
    from diffaug_bio.model.about import Run
    from diffaug_bio.model.description import ModelDescription

CARD_FILE = "README.md"
NOT_STATED = "not stated: fill in before sharing"

_SPDX = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+-]*")


def model_card(model: ModelDescription, *, model_license: str | None, run: Run | None) -> str:
    """Write a model card: Markdown, with the YAML front matter of model hubs; text from data is escaped.

    The licence is best an SPDX identifier; None says that it is to be filled in.
    """
    license_text = one_line(model_license or "")
    title = "DiffAug model"
    if run is not None:
        title += f" of {escaped(base_name(run.record['data']['data']))}"
    made = "It also generates new rows." if model.can_generate else "It has no generator."
    scores = None if run is None else run.scores
    sections = [
        use_section(model, run),
        Section(key="data", title="Data", blocks=(data_facts(model, run),)),
        Section(key="model", title="Model", blocks=(model_facts(model),)),
        *([] if scores is None else [scores_section(scores, front_end=KINDS[model.kind].front_end)]),
        limits_section(model),
        fit_section(model, run),
        Section(key="licence", title="Licence", blocks=(Text(text=license_text or NOT_STATED),)),
    ]
    intro = (
        f"Encoder for {KINDS[model.kind].title}, fitted without labels by "
        f"[DiffAug](https://arxiv.org/abs/2309.07909). Embeddings are {model.width}. {made}"
    )
    return "\n\n".join([_front_matter(model, license_text), f"# {title}", intro, markdown(sections)])


def _front_matter(model: ModelDescription, license_text: str) -> str:
    """Write the YAML for model hubs; a JSON string is one of YAML, too."""
    quoted = json.dumps(license_text, ensure_ascii=False)
    if not license_text:
        stated = [f"license: unknown  # {NOT_STATED}"]
    elif _SPDX.fullmatch(license_text):
        stated = [f"license: {quoted.lower()}"]
    else:
        stated = ["license: other", f"license_name: {quoted}"]
    tags = ("diffaug-bio", "embeddings", "contrastive-learning", "diffusion", *KINDS[model.kind].tags)
    lines = ["library_name: diffaug-bio", *stated, "pipeline_tag: feature-extraction", "tags:"]
    return "\n".join(["---", *lines, *(f"- {tag}" for tag in tags), "---"])
