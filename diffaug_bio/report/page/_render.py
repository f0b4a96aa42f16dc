"""Page as one HTML file."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from diffaug_bio.document import Report


def render(report: Report) -> str:
    """Write a page as HTML that needs nothing else: no network, no script, no other file.

    All text is escaped; `Picture.svg` is taken as it is. The same values give the same page.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("diffaug_bio.report.page", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html").render(report=report)
