"""The page of a real sweep in a real browser: it brushes, sorts, asks nobody for anything, and serves everyone."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from keras_sweep.views.report.page import page_of
from tests.helpers.browser import Browser, Tab, running_browser
from tests.helpers.command import sweep
from tests.helpers.page_facts import MARKUP, MOMENT, facts_of, hostile_facts
from tests.helpers.results import dense_sweep
from tests.helpers.space_texts import DIGITS, changed

AUDIT = (Path(__file__).parents[2] / "helpers" / "page_audit.js").read_text()
SHOWN_ROWS = (
    "[...document.querySelectorAll('#board tbody tr')].filter((row) => !row.hidden).map((row) => row.dataset.t)"
)
BRIGHT = "[...new Set([...document.querySelectorAll('{} [data-t]:not(.off)')].map((one) => one.dataset.t))]"
HEADS = "[...document.querySelectorAll('#board th')].map((head) => head.textContent.trim())"
DRAWINGS = ("#parallel", "#best-by-trial", "#best-by-second", "#curves", "#slice-0", "#interaction", "#front-val_loss")
SPACE = changed(
    DIGITS,
    metric="metric: [{name: val_accuracy}, {name: val_loss}]",
    epochs="  momentum: {min: 0.0, max: 0.9, when: {optimizer: sgd}}\n  epochs: {min: 1, max: 3}",
    search="search: {engine: optuna, sampler: random, trials: 12, seed: 1}\nfinalists: {top: 3, seeds: 2}",
)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with running_browser(tmp_path_factory.mktemp("chromium")) as running:
        yield running


@pytest.fixture(scope="module")
def reported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a finished sweep of 12 trials and its report."""
    folder = tmp_path_factory.mktemp("reported")
    (folder / "digits.yaml").write_text(SPACE)
    for call in (("run", "digits.yaml"), ("report",)):
        sweep(*call, cwd=folder).ok()
    return folder


@pytest.fixture
def tab(browser: Browser, reported: Path) -> Tab:
    """The page of that report, just opened in a window of a usual size."""
    tab = browser.tab()
    tab.size(1240)
    tab.open(reported / "reports" / "digits" / "index.html")
    return tab


def axis_of(tab: Tab, name: str) -> tuple[float, float, float]:
    """x, upper end and lower end of a parameter's axis, in the window."""
    box = tab.run(
        f"(() => {{ const hit = document.querySelector('[data-axis=\"{name}\"] .hit'); hit.scrollIntoView({{block: "
        "'center'}); const b = hit.getBoundingClientRect(); return [b.x + b.width / 2, b.top + 8, b.bottom - 8]; })()"
    )
    return float(box[0]), float(box[1]), float(box[2])


def values_of(tab: Tab, name: str, numbers: list[str]) -> list[float | None]:
    place = f"page.axes.findIndex((axis) => axis.name === '{name}')"
    page = "JSON.parse(document.getElementById('data').textContent)"
    found = f"return {numbers}.map((number) => page.trials[number][{place}])"
    return list(tab.run(f"(() => {{ const page = {page}; {found}; }})()"))


def test_brushing_an_axis_filters_every_drawing_and_the_table(tab: Tab, reported: Path) -> None:
    assert tab.requests == [(reported / "reports" / "digits" / "index.html").as_uri()], "it asks nobody"
    everywhere = {name: set(tab.run(BRIGHT.format(name))) for name in DRAWINGS}
    x, top, foot = axis_of(tab, "learning_rate")
    tab.drag((x, top + 2), (x, (top + foot) / 2))
    shown = tab.run(SHOWN_ROWS)
    assert 0 < len(shown) < 12
    assert tab.run("document.getElementById('count').textContent") == str(len(shown))
    least = float(tab.run("document.querySelector('fieldset[data-axis=learning_rate] .from').value"))
    kept = values_of(tab, "learning_rate", shown)
    assert all(value is not None and value >= least for value in kept)
    for name, before in everywhere.items():
        assert set(tab.run(BRIGHT.format(name))) == before & set(shown), name
    tab.drag((x, top + 9), (x, top + 9))  # a click on the axis
    assert len(tab.run(SHOWN_ROWS)) == 12
    x, top, foot = axis_of(tab, "val_loss")  # a further goal
    tab.drag((x, (top + foot) / 2), (x, foot - 1))
    shown = tab.run(SHOWN_ROWS)
    assert 0 < len(shown) < 12 and set(tab.run(BRIGHT.format("#front-val_loss"))) == set(shown)
    assert tab.complaints == []


def test_choices_are_brushed_and_ticked(tab: Tab) -> None:
    x, top, foot = axis_of(tab, "optimizer")
    tab.drag((x, top), (x, (top + foot) / 2))
    shown = tab.run(SHOWN_ROWS)
    (chosen,) = set(values_of(tab, "optimizer", shown))
    boxes = "[...document.querySelectorAll('fieldset[data-axis=optimizer] input')]"
    assert tab.run(f"{boxes}.filter((box) => box.checked).map((box) => Number(box.value))") == [chosen]
    tab.click("#filter [type=reset]")
    assert len(tab.run(SHOWN_ROWS)) == 12
    tab.click("fieldset[data-axis=optimizer] input")
    assert len(tab.run(SHOWN_ROWS)) < 12


def test_a_head_sorts_the_table_by_mouse_and_by_keyboard(tab: Tab) -> None:
    heads = tab.run(HEADS)
    place = heads.index("learning_rate") + 1
    tab.click(f"#board th:nth-child({place}) button")
    rising = [value for value in values_of(tab, "learning_rate", tab.run(SHOWN_ROWS)) if value is not None]
    assert rising == sorted(rising)
    tab.press("Enter")
    falling = values_of(tab, "learning_rate", tab.run(SHOWN_ROWS))
    assert falling == rising[::-1]
    assert tab.run(f"document.querySelector('#board th:nth-child({place})').ariaSort") == "descending"
    momentum = heads.index("momentum") + 1
    for _ in range(2):  # a trial that has not the parameter is last, whichever way
        tab.click(f"#board th:nth-child({momentum}) button")
        values = values_of(tab, "momentum", tab.run(SHOWN_ROWS))
        assert None in values and None not in values[: values.index(None)]
        assert set(values[values.index(None) :]) == {None}


def test_what_was_brushed_sorted_and_scrolled_is_there_after_a_reload(tab: Tab) -> None:
    x, top, foot = axis_of(tab, "learning_rate")
    tab.drag((x, top + 2), (x, (top + foot) / 2))
    tab.click("fieldset[data-axis=optimizer] input")
    tab.click("#board th:nth-child(2) button")
    tab.click("#space summary")
    tab.run("scrollTo(0, 700)")
    tab.wait("history.state?.scroll[1] === 700 && history.state.open.length")
    before = tab.run(SHOWN_ROWS)
    tab.run("void (window.old = true)")
    tab.call("Page.reload")
    tab.wait("window.old === undefined && document.readyState === 'complete'")
    tab.settle()
    assert tab.run(SHOWN_ROWS) == before
    assert len(before) < 12
    assert not tab.run("document.querySelector('fieldset[data-axis=optimizer] input').checked")
    assert tab.run("document.querySelector('[data-axis=learning_rate] .sel').getAttribute('visibility')") == "visible"
    assert tab.run("scrollY") == 700
    assert tab.run("document.getElementById('space').open")


@pytest.mark.parametrize(
    ("width", "dark", "medium"), [(1240, False, "screen"), (360, True, "screen"), (760, False, "print")]
)
def test_everyone_can_use_it(width: int, dark: bool, medium: str, tab: Tab) -> None:
    tab.size(width, dark=dark, medium=medium)
    tab.run("void document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    assert tab.run(AUDIT) == [] and tab.complaints == []
    colour = "rgb(20, 22, 26)" if dark else "rgb(255, 255, 255)"
    assert tab.run("getComputedStyle(document.body).backgroundColor") == colour


def test_pointing_at_a_trial_shows_it_everywhere_and_all_that_can_be_done_is_reached_by_the_tab_key(tab: Tab) -> None:
    reached = set()
    for _ in range(60):
        tab.press("Tab")
        reached.add(tab.run("document.activeElement.textContent.trim() || document.activeElement.ariaLabel || ''"))
    assert set(tab.run(HEADS)) <= reached
    assert {"To the report", "learning_rate at least", "All trials", "The space file"} <= reached
    tab.click("#best-by-trial circle[data-t='3']")
    assert "trial 3" in tab.run("document.getElementById('tip').textContent")
    assert set(tab.run("[...document.querySelectorAll('.hot')].map((one) => one.dataset.t)")) == {"3"}
    assert tab.run("document.querySelectorAll('.hot').length") > 4


def test_markup_in_names_runs_no_script(browser: Browser, tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text(page_of(hostile_facts(), MOMENT))
    tab = browser.tab()
    tab.call("Page.addScriptToEvaluateOnNewDocument", source="window.owned = () => { window.taken = true; };")
    tab.open(tmp_path / "index.html")
    assert tab.run("window.taken") is None and tab.complaints == [] and len(tab.requests) == 1
    assert MARKUP[0] in tab.run("document.querySelector('#filter').textContent")
    x, top, foot = axis_of(tab, "rate")
    tab.drag((x, top + 2), (x, (top + foot) / 2))
    assert 0 < len(tab.run(SHOWN_ROWS)) < 30
    assert tab.run("window.taken") is None
    assert tab.run(AUDIT) == []


def test_a_page_of_a_running_sweep_reads_itself_anew_and_keeps_what_was_brushed(
    browser: Browser, tmp_path: Path
) -> None:
    results = dense_sweep(40)
    page = tmp_path / "index.html"
    tab = browser.tab()
    page.write_text(page_of(facts_of(results[:30], running=True), MOMENT))
    tab.call("Page.addScriptToEvaluateOnNewDocument", source="window.setInterval = (tick) => { window.tick = tick; };")
    tab.open(page)
    x, top, foot = axis_of(tab, "learning_rate")
    tab.drag((x, top + 2), (x, (top + foot) / 2))
    least = tab.run("document.querySelector('fieldset[data-axis=learning_rate] .from').value")
    page.write_text(page_of(facts_of(results), MOMENT))
    tab.click("#follow")
    tab.run("void (tick(), window.old = true)")
    tab.settle()
    assert tab.run("window.old"), "it is not to follow"
    tab.click("#follow")
    axis_of(tab, "learning_rate")
    height = tab.run("document.getElementById('filter').getBoundingClientRect().top")
    tab.run("setTimeout(tick)")
    tab.wait("document.querySelectorAll('#board tbody tr').length === 40 && document.readyState === 'complete'")
    assert tab.run("document.querySelector('fieldset[data-axis=learning_rate] .from').value") == least
    assert 0 < len(tab.run(SHOWN_ROWS)) < 40
    assert tab.run("document.getElementById('filter').getBoundingClientRect().top") == pytest.approx(height, abs=2)
    assert tab.run("document.getElementById('running')") is None
