"""Pages in a real browser: what people see, and what they can do."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.web import served
from tests.ui.conftest import ROOT
from tests.ui.flow import HOSTILE

PAGES = {
    "runs": "",
    "nothing found": "?q=nothing",
    "pipelines": "pipelines",
    "pipeline": "pipeline?name=train%20%3Ci%3Emodel%3C%2Fi%3E",
    "compare": "compare?run=run-1&run=run-2&run=run-3",
    "overview": "run/run-2",
    "graph": "run/run-2?tab=graph",
    "timeline": "run/run-2?tab=timeline",
    "timeline alone": "run/run-2/timeline",
    "logs": "run/run-1?tab=logs&path=best&attempt=1",
    "search in logs": "run/run-1?tab=logs&find=script",
    "parameters": "run/run-1?tab=parameters",
    "metrics": "run/run-1?tab=metrics",
    "artifacts": "run/run-1?tab=artifacts",
    "attempts": "run/run-2?tab=attempts",
    "configuration": "run/run-1?tab=configuration",
    "table": "run/run-1/artifact?key=rows.csv",
    "json": "run/run-1/artifact?key=summary.json",
    "html": "run/run-1/artifact?key=page.html",
    "picture": "run/run-1/artifact?key=picture.png",
    "unknown run": "run/nothing",
    "unknown page": "nothing",
}


class Page:
    """A page, and what the browser complains about."""

    def __init__(self, browser, address, **options):
        self.address = address
        self.complaints = []
        self.context = browser.new_context(**options)
        self.page = self.context.new_page()
        self.page.on("console", self._note)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("dialog", lambda dialog: dialog.accept())

    def _note(self, message):
        # That a page is not found is what it says itself.
        if message.type == "error" and "status of 404" not in message.text:
            self.complaints.append(message.text)

    def open(self, path=""):
        self.page.goto(self.address + path)
        self.page.wait_for_load_state("load")
        return self.page

    def text(self):
        return self.page.inner_text("body")


@pytest.fixture(scope="module")
def address(runs):
    before = Path.cwd()
    os.chdir(runs)
    with served() as found:
        os.chdir(before)
        yield found


@pytest.fixture(params=["light-1280", "dark-390"])
def look(request):
    scheme, width = request.param.split("-")
    return {
        "color_scheme": scheme,
        "viewport": {"width": int(width), "height": 800},
    }


@pytest.mark.parametrize("name", PAGES)
def test_a_page_runs_no_script_of_a_run_and_is_accessible(browser, address, look, name):
    from axe_playwright_python.sync_playwright import Axe

    shown = Page(browser, address, **look)
    page = shown.open(PAGES[name])
    assert page.evaluate("window.hacked") is None
    assert shown.complaints == []
    # Nothing is wider than the page, but what scrolls by itself.
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth + 1")
    found = Axe().run(page).response["violations"]
    serious = [
        (it["id"], [node["html"] for node in it["nodes"]][:3])
        for it in found
        if it["impact"] in {"serious", "critical"}
    ]
    assert serious == []
    shown.context.close()


def test_hostile_names_and_values_are_shown_as_text(browser, address):
    shown = Page(browser, address)
    shown.open("")
    assert HOSTILE[0] in shown.text()
    assert "train <i>model</i>" in shown.text()
    shown.open("run/run-1?tab=logs&path=best&attempt=1")
    for line in HOSTILE[:5]:
        assert line in shown.text()
    assert "\\x1b[31mred" in shown.text()
    assert "\\u202egnp.exe" in shown.text()
    shown.open("run/run-2")
    assert f"the registry does not answer {HOSTILE[1]}" in shown.text()
    shown.open("run/run-1/artifact?key=page.html")
    assert HOSTILE[0] in shown.text()


def test_a_failing_run_says_first_what_failed_and_why(browser, address):
    shown = Page(browser, address)
    page = shown.open("run/run-2")
    text = page.inner_text("main")
    assert text.index("What failed") < text.index("Steps")
    failure = page.inner_text(".failure")
    assert "publish <b>" in failure
    assert "after 2 attempts" in failure
    assert "flow.py" in failure
    page.click("text=What it printed")
    assert "attempt=2" in page.url
    assert "ConnectionError" in page.inner_text("#printed")


def test_runs_are_filtered_and_sorted_and_compared(browser, address):
    shown = Page(browser, address)
    page = shown.open("")
    page.fill("input[name=metric]", "auc > 0.88")
    page.click("text=Show")
    assert page.locator("tbody tr").count() == 1
    page.click("text=Clear")
    page.select_option("select[name=status]", "FAIL")
    page.click("text=Show")
    assert page.locator("td.id").all_inner_texts() == ["run-2"]
    page.goto(address + "?sort=metric:auc&order=up")
    assert page.locator("td.id").all_inner_texts() == ["run-1", "run-2", "run-3"]
    page.check("input[value=run-1]")
    page.check("input[value=run-3]")
    page.click("text=Compare those that are marked")
    assert "2 runs compared" in shown.text()
    assert page.locator(".chart canvas").count() == 1
    assert "parameter rows" in shown.text()
    assert "step load" not in shown.text()


def start(function, run_id):
    """Have a pipeline of the flow executed by the command line."""
    reference = f"tests.ui.flow:{function}"
    command = [sys.executable, "-m", "runnable.cli", "execute", reference, run_id]
    return subprocess.Popen(
        command,
        env={**os.environ, "PYTHONPATH": ROOT},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def test_a_run_is_followed_while_it_runs_and_cancelled_by_a_button(browser):
    with served("--allow-actions") as found:
        shown = Page(browser, found.partition("token/")[0])
        page = shown.page
        page.goto(found)
        process = start("main", "r1")
        page.wait_for_selector("text=r1", timeout=30_000)
        page.click("text=r1")
        page.wait_for_selector("tr:has-text('slow') .PROCESSING", timeout=30_000)
        page.click("text=Logs")
        page.click(".attempts >> text=slow")
        # What the step prints, before it has ended.
        page.wait_for_selector("#printed:has-text('line 5')", timeout=30_000)
        page.wait_for_selector("#printed:has-text('line 50')", timeout=60_000)
        page.click("button:has-text('Cancel')")
        page.wait_for_selector("h1 + .status.CANCELLED", timeout=30_000)
        assert process.wait(30) == 143
        assert shown.complaints == []


def test_a_run_that_failed_is_resumed_by_a_button_and_deleted(browser, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", ROOT)
    assert start("mending", "r1").wait(60) == 1
    with served("--allow-actions") as found:
        shown = Page(browser, found.partition("token/")[0])
        page = shown.page
        page.goto(found)
        page.click("text=r1")
        assert "not mended yet" in shown.text()
        Path("mended").touch()
        page.click("button:has-text('Resume')")
        page.wait_for_selector("h1 + .status.SUCCESS", timeout=60_000)
        page.click("button:has-text('Delete')")
        page.wait_for_url(shown.address)
        assert "Nothing has been run here yet" in shown.text()
        assert not Path(".run_log_store/r1.json").exists()


def test_a_long_run_shows_its_page_before_it_is_read(browser):
    Path("many.py").write_text(
        "from runnable import Map, Pipeline, PythonTask\n"
        "def fit(x):\n    return x\n"
        "branch = PythonTask(name='fit', function=fit).as_pipeline()\n"
        "step = Map(name='m', branch=branch, iterate_on='xs', iterate_as='x')\n"
        "def main():\n"
        "    given = {'xs': list(range(10_000))}\n"
        "    Pipeline(steps=[step]).execute(run_id='long', parameters=given)\n"
        "if __name__ == '__main__':\n    main()\n"
    )
    subprocess.run([sys.executable, "many.py"], check=True)
    with served() as address:
        shown = Page(browser, address)
        page = shown.open("run/long")
        assert page.inner_text("h1") == "long"
        page.wait_for_selector("text=9,999 more branches", timeout=60_000)
        assert page.locator("tbody tr").count() < 20
