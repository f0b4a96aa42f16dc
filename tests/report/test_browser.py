"""Pages in a real browser: nothing is loaded, nothing complained of, all pictures seen, light and dark."""

from __future__ import annotations

import base64
import json
import os
import shutil
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from selenium.webdriver import Chrome


CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")

pytestmark = pytest.mark.skipif(
    CHROMIUM is None or DRIVER is None,
    reason="needs Chromium and its driver (Debian: apt-get install chromium chromium-driver)",
)

# Of every picture, whether it is drawn: images of pixels, drawings, and images inside of drawings.
PICTURES = """
const drawings = [...document.querySelectorAll('figure svg')];
const inside = drawings.flatMap(one => [...one.querySelectorAll('image')].map(
    image => new Promise(resolve => {
        const copy = new Image();
        copy.onload = () => resolve(copy.naturalWidth > 0);
        copy.onerror = () => resolve(false);
        copy.src = image.getAttribute('xlink:href');
    })));
const done = arguments[arguments.length - 1];
Promise.all(inside).then(loaded => done({
    images: [...document.images].map(one => one.complete && one.naturalWidth > 0),
    drawings: drawings.map(one => one.getBoundingClientRect()).map(
        box => box.width > 100 && box.height > 60),
    inside: loaded,
}));
"""
COLOURS = """
const colour = (selector, name) => getComputedStyle(document.querySelector(selector))[name];
return {paper: colour('body', 'backgroundColor'), ink: colour('body', 'color'),
        drawn: colour('figure svg text', 'fill')};
"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Chrome]:
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = str(CHROMIUM)
    for argument in ("--headless=new", "--disable-gpu", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    if hasattr(os, "geteuid") and os.geteuid() == 0:  # as in a container
        options.add_argument("--no-sandbox")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(str(DRIVER)))
    try:
        yield driver
    finally:
        driver.quit()


def show(browser: Chrome, page: Path, *, scheme: str = "light", width: int = 1100) -> None:
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    browser.get(page.as_uri())


def luminance(colour: str) -> float:
    """Relative luminance of what a browser writes as `rgb(…)`."""
    channels = [int(part) / 255 for part in colour.partition("(")[2].rstrip(")").split(",")[:3]]
    linear = [one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def logged(browser: Chrome, kind: str) -> list[dict[str, Any]]:
    """What was logged since it was last read."""
    messages: list[dict[str, Any]] = browser.get_log(kind)  # type: ignore[no-untyped-call]
    return messages


def requested(browser: Chrome) -> list[str]:
    """Addresses that were asked for since the log was last read."""
    messages = [json.loads(one["message"])["message"] for one in logged(browser, "performance")]
    return [
        str(one["params"]["request"]["url"])
        for one in messages
        if one["method"] == "Network.requestWillBeSent"
    ]


def check_page(browser: Chrome, page: Path, *, n_images: int = 0) -> None:
    """Look at a page in every way that people do."""
    logged(browser, "performance")
    logged(browser, "browser")
    for scheme in ("light", "dark"):
        show(browser, page, scheme=scheme)
        found: dict[str, list[bool]] = browser.execute_async_script(PICTURES)
        assert len(found["images"]) == n_images
        assert len(found["drawings"]) >= 1
        assert all(all(one) for one in found.values()), found
        colours: dict[str, Any] = browser.execute_script(COLOURS)
        paper, ink, drawn = (luminance(colours[name]) for name in ("paper", "ink", "drawn"))
        assert (paper > 0.9) if scheme == "light" else (paper < 0.05)
        lighter, darker = max(paper, ink), min(paper, ink)
        assert (lighter + 0.05) / (darker + 0.05) > 7
        assert drawn == ink
    show(browser, page, width=390)
    assert browser.execute_script("return document.documentElement.scrollWidth") <= 390
    show(browser, page, scheme="dark")
    pdf = base64.b64decode(browser.execute_cdp_cmd("Page.printToPDF", {"preferCSSPageSize": True})["data"])
    assert pdf.startswith(b"%PDF")
    assert len(pdf) > 20_000
    schemes = {urlsplit(address).scheme for address in requested(browser)}
    assert "file" in schemes
    assert schemes <= {"file", "data"}
    assert [one for one in logged(browser, "browser") if one["level"] in {"WARNING", "SEVERE"}] == []


@pytest.mark.parametrize(("kind", "n_images"), [("cells", 0), ("images", 66)], ids=["cells", "images"])
def test_the_page_of_a_run_is_seen_as_it_should_be(
    browser: Chrome, fitted_run: Callable[[str], Path], kind: str, n_images: int
) -> None:
    check_page(browser, fitted_run(kind) / "report.html", n_images=n_images)


def test_the_page_of_a_benchmark_is_seen_as_it_should_be(browser: Chrome, benchmark_folder: Path) -> None:
    check_page(browser, benchmark_folder / "report.html")


def test_a_page_that_loads_something_or_complains_would_be_found(browser: Chrome, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text(
        "<!doctype html><title>x</title><script>console.warn('x')</script>"
        "<img src='http://localhost:9/x.png'>"
    )
    logged(browser, "performance")
    logged(browser, "browser")
    show(browser, page)
    assert "http" in {urlsplit(address).scheme for address in requested(browser)}
    assert len([one for one in logged(browser, "browser") if one["level"] in {"WARNING", "SEVERE"}]) >= 1
