"""The pages in a real browser: nothing is loaded from elsewhere, nothing overflows, everything works by keyboard."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import uvicorn
from playwright.sync_api import sync_playwright

from twintrack.config.snapshot import Snapshot
from twintrack.control.app import application

pytestmark = pytest.mark.needs("chromium", reason="shows the pages")

SIZES = [(1280, 900), (390, 844)]
_COLLECT = """
window.violations = [];
document.addEventListener("securitypolicyviolation", (event) => window.violations.push(event.violatedDirective));
"""


@contextmanager
def served(snapshot: Snapshot, now_us: int) -> Iterator[str]:
    """The console on a loopback port; gives its address."""
    app = application(lambda: snapshot, clock_us=lambda: now_us)
    config = uvicorn.Config(app, port=0, log_config=None, access_log=False, lifespan="off", ws="none")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            time.sleep(0.01)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture(scope="module")
def address(week: Snapshot, now_us: int) -> Iterator[str]:
    with served(week, now_us) as address:
        yield address


@pytest.fixture(scope="module")  # while Playwright runs, no other test can run an event loop
def browser(needs: Callable[..., None]) -> Iterator[Any]:
    needs("chromium", "shows the pages")
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program)
        yield browser
        browser.close()


class Visit:
    """A page, and everything a browser complained about while it was open."""

    def __init__(self, browser: Any, **options: Any) -> None:
        self._context = browser.new_context(**options)
        self._context.add_init_script(_COLLECT)
        self.page = self._context.new_page()
        self.page.set_default_timeout(5_000)
        self.complaints: list[str] = []
        self.asked: list[str] = []
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("dialog", lambda dialog: self.complaints.append(dialog.message))
        self.page.on("request", lambda request: self.asked.append(request.url))

    def violations(self) -> list[str]:
        found: list[str] = self.page.evaluate("window.violations")
        return found

    def overflow_px(self) -> int:
        wide: int = self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        return wide

    def close(self) -> None:
        self._context.close()


@pytest.fixture
def visit(browser: Any) -> Iterator[Callable[..., Visit]]:
    visits: list[Visit] = []

    def start(**options: Any) -> Visit:
        visits.append(Visit(browser, **options))
        return visits[-1]

    yield start
    for each in visits:
        each.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES, ids=lambda size: str(size[0]))
@pytest.mark.parametrize("path", ["/", "/console/requests/tt-fallback", "/console/requests/tt-refused"])
def test_a_page_fits_complains_of_nothing_and_asks_nobody_else(visit, address, path, size, scheme):
    seen = visit(viewport={"width": size[0], "height": size[1]}, color_scheme=scheme)
    assert seen.page.goto(address + path).status == 200
    assert seen.page.get_by_role("heading", level=1).is_visible()
    assert seen.overflow_px() == 0
    assert seen.complaints == []
    assert seen.violations() == []
    assert {url for url in seen.asked if not url.startswith(address)} == set()


def test_the_policy_that_is_sent_is_in_force(visit, address):
    seen = visit()
    seen.page.goto(address)
    seen.page.evaluate(
        "document.body.append(Object.assign(document.createElement('script'), {text: 'window.ran = 1'}))"
    )
    assert seen.page.evaluate("window.ran") is None
    assert seen.violations() == ["script-src-elem"]


def test_a_line_of_the_overview_leads_to_its_request_and_back(visit, address):
    seen = visit()
    seen.page.goto(address)
    seen.page.get_by_role("link", name="tt-fallback").click()
    assert seen.page.get_by_role("heading", level=1).inner_text().endswith("tt-fallback")
    seen.page.get_by_role("link", name="Overview").click()
    assert seen.page.get_by_role("heading", name="Latest requests").is_visible()


def test_an_id_with_html_in_it_stays_text_all_the_way(visit, address):
    seen = visit()
    seen.page.goto(address)
    seen.page.get_by_role("link", name="onerror").click()
    assert 'tt-<img src=x onerror="alert(1)">/../&' in seen.page.get_by_role("heading", level=1).inner_text()
    assert seen.page.locator("img").count() == 0
    assert seen.complaints == []


def test_a_keyboard_is_enough(visit, address):
    seen = visit()
    seen.page.goto(address)
    seen.page.keyboard.press("Tab")
    focused = seen.page.locator(":focus")
    assert focused.inner_text() == "Skip to the content"
    assert focused.bounding_box()["x"] >= 0
    seen.page.keyboard.press("Enter")
    assert seen.page.evaluate("document.activeElement.id") == "main"
    seen.page.get_by_label("Request id").focus()
    seen.page.keyboard.type("tt-refused")
    seen.page.keyboard.press("Enter")
    seen.page.wait_for_url("**/console/requests/tt-refused")
    assert seen.violations() == []


@pytest.mark.parametrize("size", SIZES, ids=lambda size: str(size[0]))
def test_tables_stay_tables_for_a_screen_reader_at_any_width(visit, address, size):
    seen = visit(viewport={"width": size[0], "height": size[1]})
    seen.page.goto(address)
    table = seen.page.get_by_role("table").filter(has_text="tt-fallback")
    assert table.get_by_role("row").count() == 21
    assert table.get_by_role("columnheader").count() == 8
    assert seen.page.get_by_role("table", name="Requests, money and time", exact=True).get_by_role("row").count() == 11
    assert seen.page.get_by_role("img", name="Cost per hour over the last 24 hours").count() == 2


def test_an_unknown_id_gets_a_page_that_helps(visit, address):
    seen = visit()
    assert seen.page.goto(f"{address}/console/requests/nobody").status == 404
    assert seen.page.get_by_text("x-twintrack-id").is_visible()


def test_without_scripts_everything_is_there_but_following(visit, address):
    seen = visit(java_script_enabled=False)
    seen.page.goto(address)
    assert seen.page.get_by_role("link", name="tt-fallback").is_visible()
    assert seen.page.get_by_label("Follow").is_hidden()


# ---- following


@pytest.fixture
def following(visit, snapshot, ledger, now_us):
    """An overview whose clock stands still, and how to let five seconds pass."""
    ledger.answered("first", now_us - 60_000_000)
    ledger.load()
    with served(snapshot, now_us) as address:
        seen = visit()
        seen.page.clock.install()
        seen.page.goto(address)

        def pass_5_s() -> None:
            with seen.page.expect_response("**/console/latest") as answer:
                seen.page.clock.run_for(5_000)
            answer.value.finished()

        yield seen, pass_5_s


def test_a_new_request_shows_up_by_itself(following, ledger, now_us):
    seen, pass_5_s = following
    ledger.answered("second", now_us - 30_000_000)
    ledger.load()
    assert seen.page.get_by_role("link", name="second").count() == 0
    pass_5_s()
    seen.page.get_by_role("link", name="second").wait_for()
    assert seen.violations() == []


def test_the_focused_link_keeps_the_focus(following, ledger, now_us):
    seen, pass_5_s = following
    seen.page.get_by_role("link", name="first").focus()
    ledger.answered("second", now_us - 30_000_000)
    ledger.load()
    pass_5_s()
    seen.page.get_by_role("link", name="second").wait_for()
    assert seen.page.evaluate("document.activeElement.innerText") == "first"


def test_following_can_be_stopped(following, ledger, now_us):
    seen, _ = following
    seen.page.get_by_label("Follow").uncheck()
    ledger.answered("second", now_us - 30_000_000)
    ledger.load()
    before = len(seen.asked)
    seen.page.clock.run_for(60_000)
    assert len(seen.asked) == before


def test_a_gateway_that_went_away_is_told(visit, snapshot, ledger, now_us):
    ledger.answered("first", now_us - 60_000_000)
    ledger.load()
    seen = visit()
    seen.page.clock.install()
    with served(snapshot, now_us) as address:
        seen.page.goto(address)
    seen.page.clock.run_for(5_000)
    seen.page.get_by_text("The gateway does not answer").wait_for()
    assert seen.page.get_by_role("link", name="first").is_visible()
