"""The site builds without a warning, holds everything that is public, and its links lead somewhere."""

from __future__ import annotations

import re
import subprocess
import sys
from html.parser import HTMLParser
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import click
import pytest

import diffaug_bio
from diffaug_bio.cli.main import group

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
MODULES = sorted(
    name
    for name in diffaug_bio.__all__
    if hasattr(getattr(diffaug_bio, name), "__path__") and name != "cli"
)


class Page(HTMLParser):
    """What links to it and what it links to."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self.names: set[str] = set()
        self.links: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.names |= {name for name in (found.get("id"), found.get("name")) if name}
        link = found.get("href" if tag in {"a", "link"} else "src")
        if link:
            self.links.append(link)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", "-W", "-n", "--keep-going", "-q", DOCS, folder],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return folder


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Page]:
    return {path.resolve(): Page(path) for path in site.rglob("*.html")}


def test_every_page_is_on_the_site(pages: dict[Path, Page], site: Path) -> None:
    expected = {path.relative_to(DOCS).with_suffix(".html") for path in DOCS.rglob("*.md")}
    assert len(expected) > 30
    assert expected - {path.relative_to(site.resolve()) for path in pages} == set()


def test_every_page_is_in_the_index(site: Path) -> None:
    listed = (site / "index.html").read_text(encoding="utf-8")
    hrefs = set(re.findall(r'href="([^"#]+\.html)"', listed))
    parts = {"tutorials", "api"}  # whose own index lists them
    for path in DOCS.glob("*.md"):
        assert path.stem == "index" or f"{path.stem}.html" in hrefs, path.name
    for part in parts:
        text = (DOCS / part / "index.md").read_text(encoding="utf-8")
        for path in (DOCS / part).glob("*.md"):
            assert path.stem == "index" or f"]({path.name})" in text, path.name


def test_links_within_the_site_lead_somewhere(pages: dict[Path, Page]) -> None:
    lost, n_seen = [], 0
    for path, page in pages.items():
        for link in page.links:
            target, _, name = link.partition("#")
            if re.match(r"[a-z]+:", link) or "search" in path.name:
                continue
            n_seen += 1
            file = (path.parent / target.partition("?")[0]).resolve() if target else path
            if not file.exists() or (name and file in pages and name not in pages[file].names):
                lost.append(f"{path.name}: {link}")
    assert n_seen > 1000
    assert lost == []


def test_links_between_the_pages_as_files_lead_somewhere() -> None:
    lost, n_seen = [], 0
    for path in [ROOT / "README.md", *DOCS.rglob("*.md"), *(ROOT / "data_recipes").glob("*.md")]:
        for link in re.findall(r"\]\(([^)\s]+)\)", path.read_text(encoding="utf-8")):
            if re.match(r"[a-z]+:", link) or link.startswith("#"):
                continue
            n_seen += 1
            target = link.partition("#")[0]
            if not (path.parent / target).exists():
                lost.append(f"{path.name}: {link}")
    assert n_seen > 150
    assert lost == []


def test_no_page_loads_anything_from_elsewhere(pages: dict[Path, Page]) -> None:
    loaded = re.compile(r'<(?:script|img|iframe)[^>]+src="(https?:)?//|<link[^>]+href="https?://[^"]+\.css')
    assert [path.name for path in pages if loaded.search(path.read_text(encoding="utf-8"))] == []


def test_modules_are_found() -> None:
    assert {"tl", "pp", "io", "datasets", "metrics", "mapping", "benchmark"} <= set(MODULES)


def public_names() -> Iterator[str]:
    for module in MODULES:
        names = import_module(f"diffaug_bio.{module}").__all__
        yield from (f"diffaug_bio.{module}.{name}" for name in names)
    yield from (f"diffaug_bio.{name}" for name in diffaug_bio.__all__ if name[0].isupper())


def test_every_public_name_is_in_the_api(pages: dict[Path, Page]) -> None:
    described = set().union(*(page.names for path, page in pages.items() if path.parent.name == "api"))
    aliases = {"diffaug_bio.DiffAugConfig"}  # described where it is defined, in diffaug_bio.config
    assert {
        "diffaug_bio.tl.embed",
        "diffaug_bio.DiffAug.fit",
        "diffaug_bio.config.DiffAugConfig",
    } <= described
    assert set(public_names()) - described - aliases == set()


def test_what_is_described_is_what_there_is(site: Path) -> None:
    text = (site / "api" / "tl.html").read_text(encoding="utf-8")
    assert "Embed observations without labels" in text
    assert text.count("random_state") >= 3


def command_paths(command: click.Command, path: str) -> Iterator[tuple[str, click.Command]]:
    yield path, command
    if isinstance(command, click.Group):
        for name in command.list_commands(click.Context(command)):
            found = command.get_command(click.Context(command), name)
            assert found is not None
            yield from command_paths(found, f"{path}-{name}")


def test_every_command_and_option_is_in_the_reference(pages: dict[Path, Page], site: Path) -> None:
    names = pages[(site / "commands.html").resolve()].names
    commands = list(command_paths(group, "diffaug-bio"))
    assert len(commands) >= 12
    for path, command in commands:
        assert path in names or path.replace("diffaug-bio-", "") in names, path
        for option in command.params:
            if isinstance(option, click.Option) and not option.hidden and option.opts:
                longest = max(option.opts, key=len)
                expected = f"cmdoption-{path}-{longest.lstrip('-')}"
                assert any(
                    name.startswith("cmdoption") and name.endswith(expected[10:]) for name in names
                ), expected
