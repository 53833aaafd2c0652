"""The page on which events are edited: what it holds, and, where node is installed, what it computes."""

import base64
import json
import re
import shutil
import subprocess

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foleygram.timing import editor
from foleygram.timing.editor import PAGE, Sheet, editor_page, levels_of
from foleygram.timing.exchange import as_json, parse_json
from foleygram.timing.track import OnsetEvent, OnsetTrack, Shape, nearest
from foleygram.types import ENVELOPE_RATE, Envelope

TRACK = OnsetTrack((OnsetEvent(0.25, 0.3), OnsetEvent(0.81, 0.1, "scratch", 0.4), OnsetEvent(1.5, 0.02)))
CURVE = Envelope(np.linspace(0, 1, 690))


def sheet_of(page: str) -> dict:
    """The numbers in a page, as its own script finds them."""
    (content,) = re.findall(r'<script type="application/json" id="sheet">(.*?)</script>', page, re.DOTALL)
    return json.loads(content)


def test_a_page_holds_all_that_it_needs():
    stills = [(0.1, b"\xff\xd8one"), (0.6, b"\xff\xd8two")]
    sheet = Sheet(
        TRACK, 2.0, CURVE, "film.mp4", "guide.json", "foleygram generate", "a%20film.mp4", 0.5, np.arange(50) / 30, stills
    )
    page = editor_page(sheet)
    found = sheet_of(page)
    assert parse_json(json.dumps({"events": found["events"]}), "page") == TRACK
    np.testing.assert_allclose(found["times"], np.arange(50) / 30, atol=1e-6)  # a coarser one would show the frame before
    assert found["seconds"] == 2.0 and found["begins"] == 0.5
    assert [(time, base64.b64decode(image)) for time, image in found["stills"]] == stills
    assert [found[key] for key in ("title", "name", "command", "film")] == [sheet.title, sheet.name, sheet.command, sheet.film]
    shape = Shape()
    expected = {"hit": [shape.attack, shape.decay], "scratch": [shape.scratch_attack, shape.scratch_decay]}
    assert found["shapes"] == expected
    assert not re.search(r"https?:|src=\"[^\"]|<link", page), "nothing is fetched from elsewhere"


@pytest.mark.parametrize("name", ["</script><script>alert(1)</script>.mp4", "<!--<script>.mp4", 'say "so" & \u2028.mp4'])
def test_no_name_breaks_out_of_the_page(name):
    page = editor_page(Sheet(TRACK, 2.0, CURVE, name, name, name, name))
    assert sheet_of(page)["title"] == name
    assert page.count("<script") == PAGE.read_text().count("<script") and page.count("</script>") == 2


@given(st.lists(st.floats(0, 2), min_size=1, max_size=60), st.integers(1, 20))
def test_a_curve_is_drawn_by_its_loudest_moments(values, most):
    curve = Envelope(np.array(values, np.float32))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(editor, "CURVE_POINTS", most)
        levels, step = levels_of(curve)
    assert len(levels) <= most and len(levels) * step >= len(values) / ENVELOPE_RATE - 1e-9
    loudest = max(20 * np.log10(max(max(values), 1e-4)), -80)
    assert max(levels) == pytest.approx(loudest, abs=0.51) and min(levels) >= -80


def test_a_long_curve_is_drawn_in_its_place(monkeypatch):
    monkeypatch.setattr(editor, "CURVE_POINTS", 3)
    levels, step = levels_of(Envelope(np.array([0.1, 1.0, 0.01, 0.01, 0.1])))
    assert levels == [0, -40, -20] and step == pytest.approx(2 / ENVELOPE_RATE)


@pytest.fixture(scope="module")
def core():
    """Runs an expression on the page's ``core`` in node; skipped where there is none."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed; it runs the page's script here")
    script = re.findall(r"<script>(.*?)</script>", PAGE.read_text(), re.DOTALL)[0]

    def run(expression: str, **given):
        names = "".join(f"const {name} = {json.dumps(value)};\n" for name, value in given.items())
        line = f"{script}\n{names}console.log(JSON.stringify({expression}));"
        done = subprocess.run([node, "-"], input=line, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return run


def test_what_the_page_saves_is_read_as_it_was(core):
    events = json.loads(as_json(TRACK))["events"]
    saved = core("core.saved([...events].reverse())", events=events)
    assert parse_json(saved, "saved") == TRACK
    assert core("core.opened(core.saved(events), 1.0)", events=events) == events[:2]  # the third begins later


@pytest.mark.parametrize(
    "text", ['{"events": [{"seconds": -1}]}', '{"events": [{"seconds": 1, "kind": "bang"}]}', "{}", '[{"strength": 1}]', "no"]
)
def test_the_page_opens_no_list_that_is_none(core, text):
    assert core("(() => { try { core.opened(text, 2); return false; } catch { return true; } })()", text=text)


def test_the_page_draws_the_shapes_that_are_computed_with(core):
    shape = Shape()
    given = {"hit": (shape.attack, shape.decay), "scratch": (shape.scratch_attack, shape.scratch_decay)}
    since = np.linspace(0, 1.2, 97)
    for event in TRACK.events:
        plain = {"seconds": event.seconds, "strength": event.strength, "kind": event.kind, "duration": event.duration}
        drawn = core("since.map((t) => core.amplitude(event, t, shapes))", since=since.tolist(), event=plain, shapes=given)
        np.testing.assert_allclose(drawn, shape.amplitude(since, event), rtol=1e-9, atol=1e-15)


def test_the_page_finds_the_frame_that_snap_finds(core):
    rng = np.random.default_rng(0)
    times = np.cumsum(rng.uniform(0.01, 0.06, 40))
    wanted = np.concatenate([rng.uniform(-0.1, times[-1] + 0.1, 200), (times[:-1] + times[1:]) / 2, times])
    found = core("wanted.map((t) => core.nearest(times, t))", times=times.tolist(), wanted=wanted.tolist())
    np.testing.assert_allclose(found, nearest(times, wanted), atol=0.061)
    sure = np.abs(np.abs(wanted - np.array(found)) - np.abs(wanted - nearest(times, wanted))) < 1e-9
    assert sure.all(), "another frame is nearer"


def test_events_stay_within_the_clip_and_below_full_scale(core):
    event = {"seconds": 1.0, "strength": 0.1, "kind": "scratch", "duration": 0.3}
    sheet = {"seconds": 2.0, "times": [0, 0.5, 1.0, 1.5]}
    expression = (
        "[core.moved(event, 9, sheet, false).seconds, core.moved(event, -9, sheet, false).seconds, "
        "core.moved(event, 0.3, sheet, true).seconds, core.moved(event, 9, sheet, true).seconds, "
        "core.louder(event, 90).strength, core.louder(event, -6).strength, core.louder(event, -200).strength > 0, "
        "core.ofKind(event, 'hit').duration, core.ofKind({...event, kind: 'hit', duration: 0}, 'scratch').duration > 0, "
        "core.stepped(sheet.times, 0.9, 1), core.stepped(sheet.times, 0.9, -1), core.stepped(sheet.times, 1.0, 1), "
        "core.stepped(sheet.times, 1.9, 1), core.stepped(sheet.times, 0, -1), core.louder({...event, strength: 3}, 0).strength]"
    )
    expected = [1.999, 0, 1.5, 1.5, 1, 0.1 * 10 ** (-6 / 20), True, 0, True, 1.0, 0.5, 1.5, 1.9, 0, 3]
    assert core(expression, event=event, sheet=sheet) == pytest.approx(expected)
