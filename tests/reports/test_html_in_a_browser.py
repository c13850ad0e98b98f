"""The page in a real browser: no errors, no requests, no sideways scrolling, no hostile markup, light and dark."""

import http.server
import os
import re
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from PIL import Image

from mi_audit.reports.html import Html
from mi_audit.schema.audit import Audit
from tests.reports import audits, full_audits, series_audits

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(BROWSER is None, reason="no chromium here")

MADE: dict[str, Callable[[], Audit]] = {
    "full": full_audits.full,
    "hostile": full_audits.full_hostile,
    "on_features": audits.on_features,
}
SERIES: dict[str, Callable[[], Sequence[Audit]]] = {
    "series": series_audits.full,
    "series-hostile": series_audits.hostile,
}
NAMES = (*MADE, *SERIES)
# What is asked of the page, from outside of it, since the page itself runs nothing.
PROBE = """<!DOCTYPE html><body style="margin:0"><iframe id="page" src="%s" style="border:0;width:%dpx;height:900px">
</iframe><pre id="found"></pre><script>
page.onload = () => {
  const inside = page.contentDocument, root = inside.scrollingElement;
  const wide = [...inside.querySelectorAll("body *")].filter(one => !one.closest(".scroll, pre, svg, .skip") &&
    one.getBoundingClientRect().right > root.clientWidth + 1).map(one => one.tagName + " " + one.className);
  const figures = [...inside.querySelectorAll(".panels svg text")].map(
    one => parseFloat(getComputedStyle(one).fontSize) * Math.hypot(one.getScreenCTM().a, one.getScreenCTM().b));
  found.textContent = JSON.stringify({
    width: root.scrollWidth, seen: root.clientWidth, wide: wide.slice(0, 5), smallest: Math.min(...figures),
    scripts: inside.scripts.length, images: inside.images.length, alerts: inside.defaultView.hacked || 0,
    paper: getComputedStyle(inside.body).backgroundColor, ink: getComputedStyle(inside.body).color,
    requests: inside.defaultView.performance.getEntriesByType("resource").map(one => one.name)});
};
</script>"""


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pages")
    texts = {name: Html().render([made()]) for name, made in MADE.items()}
    texts |= {name: Html(by="epoch").render(made()) for name, made in SERIES.items()}
    for name, text in texts.items():
        (folder / f"{name}.html").write_text(text, encoding="utf-8")
        for width in (375, 1280):
            (folder / f"probe-{name}-{width}.html").write_text(PROBE % (f"{name}.html", width), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def asked() -> list[str]:
    return []


@pytest.fixture(scope="module")
def address(pages: Path, asked: list[str]) -> Iterator[str]:
    """A server of the folder that notes every request."""

    class Noting(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args: object, **kwargs: object) -> None:
            super().__init__(*args, directory=str(pages), **kwargs)  # type: ignore[arg-type]

        def do_GET(self) -> None:
            asked.append(self.path)
            super().do_GET()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the server's signature
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Noting) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def browse(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    assert BROWSER is not None
    command = (
        BROWSER,
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--hide-scrollbars",
        "--enable-logging=stderr",
        f"--user-data-dir={folder / 'profile'}",
        "--virtual-time-budget=5000",
        *options,
    )
    environment = {**os.environ, "DBUS_SESSION_BUS_ADDRESS": "disabled:"}
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=120, env=environment)


def console(done: subprocess.CompletedProcess[str]) -> list[str]:
    return [line for line in done.stderr.splitlines() if "CONSOLE" in line]


def probe(address: str, tmp_path: Path, name: str, width: int, *options: str) -> tuple[dict[str, object], list[str]]:
    import json

    done = browse(tmp_path, *options, "--window-size=1400,1000", "--dump-dom", f"{address}/probe-{name}-{width}.html")
    found = re.findall(r'<pre id="found">(.+?)</pre>', done.stdout, re.DOTALL)
    assert found, done.stdout[-2000:]
    return json.loads(found[0].replace("&amp;", "&")), console(done)


@pytest.mark.parametrize("width", [375, 1280])
@pytest.mark.parametrize("name", NAMES)
def test_the_page_fits_its_window_and_runs_and_loads_nothing(
    address: str, asked: list[str], tmp_path: Path, name: str, width: int
) -> None:
    asked.clear()
    found, said = probe(address, tmp_path, name, width)
    assert found["wide"] == []
    assert found["width"] == found["seen"] == width
    assert (found["scripts"], found["images"], found["requests"]) == (0, 0, [])
    assert said == []
    assert set(asked) - {"/favicon.ico"} == {f"/probe-{name}-{width}.html", f"/{name}.html"}
    assert float(str(found["smallest"])) >= 9  # pixels: the smallest text of any figure


def test_the_page_opens_from_a_file_without_a_word_on_the_console(pages: Path, tmp_path: Path) -> None:
    done = browse(tmp_path, "--dump-dom", (pages / "hostile.html").as_uri())
    assert console(done) == []
    assert "<h1>" in done.stdout


@pytest.mark.parametrize(("scheme", "is_dark"), [(0, True), (1, False)])
def test_dark_readers_get_a_dark_page(address: str, tmp_path: Path, scheme: int, is_dark: bool) -> None:
    found, _ = probe(address, tmp_path, "full", 1280, f"--blink-settings=preferredColorScheme={scheme}")
    paper, ink = (sum(map(int, re.findall(r"\d+", str(found[key]))[:3])) for key in ("paper", "ink"))
    assert (paper < ink) == is_dark


def test_figures_are_painted(pages: Path, tmp_path: Path) -> None:
    """Members' blue is on the screenshot, so the page's colours reach the drawings."""
    shot = tmp_path / "shot.png"
    browse(tmp_path, "--window-size=1280,6000", f"--screenshot={shot}", (pages / "full.html").as_uri())
    with Image.open(shot) as image:
        colours = image.convert("RGB").getcolors(1 << 24)
    assert colours is not None
    counts = {colour: n for n, colour in colours}
    assert counts.get((0x0B, 0x5F, 0xA5), 0) > 500
    assert counts.get((0xC2, 0x41, 0x0C), 0) > 200
