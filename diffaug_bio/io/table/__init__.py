"""Text tables: their layout, their values, and what their columns are."""

from __future__ import annotations

from diffaug_bio.io.table._column_names import has_usual_name
from diffaug_bio.io.table._frame import read_frame, read_table, table_from_frame
from diffaug_bio.io.table._kinds import as_categories, is_annotation, is_text
from diffaug_bio.io.table._parse import column_names, parse_text, read_texts
from diffaug_bio.io.table._propose import proposed_toml
from diffaug_bio.io.table._row_names import named_rows
from diffaug_bio.io.table._schema import Schema, as_schema

__all__ = [
    "Schema",
    "as_categories",
    "as_schema",
    "column_names",
    "has_usual_name",
    "is_annotation",
    "is_text",
    "named_rows",
    "parse_text",
    "proposed_toml",
    "read_frame",
    "read_table",
    "read_texts",
    "table_from_frame",
]
