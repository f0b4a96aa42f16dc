"""Help of a command with many options: the most used ones first, the others under headings."""

from __future__ import annotations

import click

_HEADINGS = {
    "Input": (
        *("layer", "use_rep", "use_raw", "var_key", "input_state", "transpose", "modality"),
        *("modality_key", "sheet", "reference", "image_size", "image_pages", "skip_bad", "external_links"),
    ),
    "Columns of a table": (
        *("id_column", "annotations", "categorical", "ordinal", "numeric", "ignore"),
        *("missing_indicators", "schema"),
    ),
    "DNA": ("k", "canonical", "bins"),
    "Model": ("encoder", "n_latent", "warmup_view"),
    "Splits and scores": (
        *("split_key", "split_keys", "group_key", "group_keys", "label_kind", "before_rep", "held_out"),
    ),
    "Comparison with training data": ("correct", "no_novelty"),
    "Machine": ("device", "precision", "threads", "jobs"),
    "Output": ("model_license", "no_report", "quiet", "as_json", "help"),
}
"""Headings in their order, and under each the parameters; all others are among the most used."""
_HEADING_OF = {name: heading for heading, names in _HEADINGS.items() for name in names}
_MOST_USED = "Options"
_LONG = 12  # options; fewer stand in one list


class Command(click.Command):
    """A command that sorts its options under headings where they are many."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        given = [param for param in self.get_params(ctx) if isinstance(param, click.Option)]
        records = [(option.name or "", option.get_help_record(ctx)) for option in given]
        options = [(name, record) for name, record in records if record is not None]
        is_long = len(options) > _LONG
        for heading in (_MOST_USED, *_HEADINGS):
            lines = [
                record
                for name, record in options
                if heading == (_HEADING_OF.get(name, _MOST_USED) if is_long else _MOST_USED)
            ]
            if lines:
                with formatter.section(heading):
                    formatter.write_dl(lines)
