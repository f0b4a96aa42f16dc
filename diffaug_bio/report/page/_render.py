"""Page as one HTML file."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from diffaug_bio.document import Report


def render(report: Report) -> str:
    """Write a page as HTML that needs nothing else: no network, no script, no other file.

    Parameters
    ----------
    report
        Content of the page. All text is escaped; `Picture.svg` is taken as it is.

    Returns
    -------
    Content of an HTML file, the same for the same values.

    Examples
    --------
    >>> from diffaug_bio.document import Report, Section, Text
    >>> from diffaug_bio.report.page import render
    >>> section = Section(key="a", title="A & B", blocks=(Text(text="<b>"),))
    >>> page = render(Report(title="Cells", subtitle="700 cells", sections=(section,)))
    >>> "A &amp; B" in page and "<b>" not in page
    True
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
