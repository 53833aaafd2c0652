import dataclasses

import numpy as np
import pytest

from foleygram.data.camera import Camera
from foleygram.data.motion import Manner, TipPath, contacts_of
from foleygram.data.render import Picture, frame_count, render_at, render_frames
from foleygram.data.scenes import Event, Scene
from foleygram.errors import DataError

pytest.importorskip("cv2")


def hit(seconds: float, strength: float = 0.7, action: str = "hit", duration: float = 0.0) -> Event:
    return Event(seconds, strength, action, duration, 0.5, 0.55, 0.62, 0.6, "modal:wood:1", 1.0, 1.0)


def scene(**changes) -> Scene:
    start = Scene(
        id="s1",
        split="train",
        seed=5,
        seconds=2.0,
        fps=15.0,
        width=128,
        height=72,
        material="wood",
        action="hit",
        tool="stick",
        caption="",
        texture="procedural:wood:3",
        shake=1.0,
        light=0.3,
        room=0,
        pan_width=0.0,
        events=(hit(0.5), hit(0.73, 0.3), hit(1.4, 1.0)),
    )
    return dataclasses.replace(start, **changes)


STEPS = tuple(hit(seconds, action="step") for seconds in (0.5, 1.1, 1.6))
SCRATCH = (hit(0.6, action="scratch", duration=0.8), hit(1.7))


@pytest.mark.parametrize(
    ("tool", "material", "events"),
    [("stick", "water", scene().events), ("hand", "leaf", SCRATCH), ("foot", "sand", STEPS), ("stick", "dirt", SCRATCH)],
)
def test_the_same_scene_gives_the_same_bytes_streamed_or_at_times(tool, material, events):
    one = scene(tool=tool, material=material, texture=f"procedural:{material}:1", events=events)
    streamed = np.stack(list(render_frames(one, None)))
    order = np.array([25, 3, 11, 29, 0])
    picked = render_at(one, order / one.fps, None)
    assert picked.shape == (5, 3, 72, 128) and picked.dtype == np.uint8
    np.testing.assert_array_equal(picked.transpose(0, 2, 3, 1), streamed[order])


def test_another_seed_gives_another_picture():
    first, other = (render_at(scene(seed=seed), [0.5], None) for seed in (5, 6))
    assert np.abs(first.astype(int) - other).mean() > 5


@pytest.mark.parametrize("fps", [15.0, 24.0, 30.0])
@pytest.mark.parametrize(("width", "height"), [(256, 144), (97, 61), (64, 112)])
def test_shapes(fps, width, height):
    one = scene(fps=fps, width=width, height=height, seconds=0.3, events=(hit(0.1),))
    frames = list(render_frames(one, None))
    assert len(frames) == frame_count(one) == round(0.3 * fps + 0.49)
    assert all(frame.shape == (height, width, 3) and frame.dtype == np.uint8 for frame in frames)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(
    ("tool", "events"),
    [("stick", scene().events), ("hand", scene().events), ("stick", SCRATCH), ("foot", STEPS), ("stick", (hit(1.2),))],
)
def test_the_tip_touches_at_the_events_and_never_else(seed, tool, events):
    one = scene(seed=seed, tool=tool, events=events, seconds=6.0, width=64, height=36)
    path = Picture(one, None).paths[0]
    assert [contact.start for contact in path.contacts] == [event.seconds for event in events]
    for event in events:
        assert path.height(event.seconds) == 0.0
        assert path.height(event.seconds - 1 / 60) > 0.0
    stands = tool == "foot"  # until it lifts for the first time
    for t in np.arange(0, 6, 1 / 240):
        down = path.height(t) == 0.0
        stands = stands and down
        assert down == (stands or any(contact.start <= t <= contact.end for contact in path.contacts))
    if tool == "stick":
        lengths = [contact.end - contact.start for contact in path.contacts]
        assert lengths == pytest.approx([event.duration for event in events])


def test_a_walk_has_two_feet_that_stand_between_their_steps():
    steps = tuple(dataclasses.replace(hit(0.6 + 0.5 * k, action="step"), x=0.38 + 0.24 * (k % 2)) for k in range(5))
    picture = Picture(scene(tool="foot", events=steps, seconds=4.0), None)
    assert len(picture.paths) == 2
    starts = sorted(contact.start for path in picture.paths for contact in path.contacts)
    assert starts == [step.seconds for step in steps]
    for path in picture.paths:
        assert path.height(0.0) == 0.0 and path.height(3.9) == 0.0


def test_a_stronger_hit_falls_from_higher():
    def raised(strength: float) -> float:
        path = Picture(scene(events=(hit(1.0, strength),), seconds=1.2), None).paths[0]
        return max(path.height(t) for t in np.arange(0.6, 1.0, 0.01))

    assert raised(1.0) > raised(0.5) > raised(0.1)


def test_the_picture_moves_most_around_the_hits():
    one = scene(shake=0.0, light=0.0, fps=30.0, seconds=4.0, events=(hit(1.0, 0.9), hit(3.0, 0.9)))
    frames = np.stack(list(render_frames(one, None))).astype(np.int16)
    change = np.abs(np.diff(frames, axis=0)).mean(axis=(1, 2, 3))
    times = (np.arange(len(change)) + 1) / 30
    near = np.min(np.abs(times[:, None] - [1.0, 3.0]), axis=1) < 0.15
    assert change[near].mean() > 1.5 * change[~near].mean()


def test_a_scene_without_events_is_still_a_picture():
    assert len(list(render_frames(scene(events=(), seconds=0.4), None))) == 6


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"width": 8}, "32 x 32"), ({"fps": 0.0}, "frame rate"), ({"tool": "laser"}, "laser"), ({"texture": "a.jpg"}, "folder")],
)
def test_unusable_scenes_are_refused(changes, message):
    with pytest.raises(DataError, match=message):
        next(render_frames(scene(**changes), None))


def test_events_at_the_same_time_and_at_the_very_start_do_not_break():
    one = scene(events=(hit(0.0), hit(0.5), hit(0.5), hit(0.51), hit(1.99)))
    assert len(list(render_frames(one, None))) == 30


def test_the_exposure_is_the_scene_own_one_unless_it_is_given():
    """A long one blurs what moves within it and nothing else; the benchmark's films stay short."""
    one = scene(shake=0.0, light=0.0)
    own, given, long = Picture(one, None), Picture(one, None, exposure=1 / 60), Picture(one, None, exposure=1 / 15)
    assert 0.25 / 15 <= own._exposure <= 0.5 / 15 and own._most == 12
    quick, still = 0.5 - 0.03, 1.99  # falling at 0.47 s; the short exposure differs from the long one there
    assert np.abs(given.frame(quick).astype(int) - long.frame(quick)).max() > 40
    assert np.abs(given.frame(still).astype(int) - long.frame(still)).mean() < 1
    np.testing.assert_array_equal(own.frame(quick), render_at(one, [quick], None)[0].transpose(1, 2, 0))


def test_players_who_rest_wobble_and_lift_quickly_touch_at_the_same_times():
    manner = Manner(rests=1.0, wobbles=1.0, lifts=1.0, raises=2.5)
    (plain,), (other,) = (Picture(scene(), None, how).paths for how in (Manner(), manner))
    starts = [contact.start for contact in other.contacts]
    assert starts == [contact.start for contact in plain.contacts]
    assert all(other.height(start) == 0 and other.height(start - 0.01) > 0 for start in starts)
    assert max(other.height(t) for t in np.arange(0, 2, 0.01)) > max(plain.height(t) for t in np.arange(0, 2, 0.01))
    inside = np.arange(starts[-1], other.contacts[-1].end, 0.005)
    assert max(other.height(t) for t in inside) <= 0.07


def test_hits_and_scratches_that_begin_alike_come_down_from_anywhere_at_any_speed():
    """By default a scratch begins low and slowly; alike, its height and speed are those of hits."""
    starts = {}
    for alike in (False, True):
        for seed in range(40):
            manner = Manner(raises=2.5, alike=alike)
            one = scene(seed=seed, events=(hit(0.6), hit(1.3, action="scratch", duration=0.3)))
            ground = Camera(one.width, one.height, 0.9, 1.5).ground
            first, second = contacts_of(one.events, one.tool, ground, np.random.default_rng(seed), manner)
            assert (first.start, second.start) == (0.6, 1.3) and second.scrapes and not first.scrapes
            starts.setdefault(alike, []).append((first.height, second.height, first.fall, second.fall))
    usual, alike = (np.array(starts[key]).T for key in (False, True))
    assert usual[1].max() <= 0.11 < alike[1].mean() and alike[1].max() > 0.4
    assert usual[2].max() < 0.14 < alike[2].mean() and alike[2].max() > 0.2
    assert alike[0].mean() == pytest.approx(alike[1].mean(), rel=0.3)
    assert alike[2].mean() == pytest.approx(alike[3].mean(), rel=0.3)


def test_a_tool_that_is_drawn_away_does_not_touch():
    one = scene(events=(hit(0.5), hit(1.4)))
    (plain,), (drawn,) = (Picture(one, None, how).paths for how in (Manner(), Manner(drags=1.0)))
    assert all(0 < drawn.height(t) <= 0.013 for t in np.arange(0.52, 0.6, 0.01)) and plain.height(0.6) > 0.02
    between = np.array([drawn.height(t) for t in np.arange(0.51, 1.39, 0.001)])
    assert between.min() > 0 and np.diff(between)[:400].min() > -0.001  # nor does it fall back when it leaves
    moved = [float(np.hypot(*(path.at(0.6)[:2] - path.at(0.5)[:2]))) for path in (plain, drawn)]
    assert moved[1] > 0.01
    assert [contact.start for contact in drawn.contacts] == [0.5, 1.4] and drawn.height(1.4) == 0


def test_a_tool_that_bounces_jumps_off_and_back_at_once_and_then_rests():
    one = scene(seed=4, events=(hit(1.0),))
    (rests,), (bounces,) = (Picture(one, None, Manner(rests=1.0, bounces=share)).paths for share in (0.0, 1.0))
    (contact,) = bounces.contacts
    inside = np.arange(contact.start, contact.end, 0.002)
    heights = np.array([bounces.height(t) for t in inside])
    assert contact.end - contact.start > 0.25 and max(rests.height(t) for t in inside) == 0
    off = inside[heights > 0] - contact.start
    assert heights[0] == 0 and 0.005 < heights.max() < 0.1  # as soon as it has touched
    assert off[0] < 0.005 and 0.08 < off[-1] < 0.25 and len(off) == round(np.ptp(off) / 0.002) + 1
    assert rests.height(0.99) == bounces.height(0.99) > 0


def test_alike_tools_stop_in_the_air_and_come_down_at_other_speeds():
    stops, speeds = [], []
    for seed in range(40):
        one, manner, draw = scene(seed=seed, events=(hit(1.0),)), Manner(alike=True), np.random.default_rng(seed)
        contacts = contacts_of(one.events, one.tool, Camera(one.width, one.height, 0.9, 1.5).ground, draw, manner)
        path = TipPath(contacts, one.seconds, np.array([0.0, -1.0]), False, draw, manner)
        (contact,) = path.contacts
        top = contact.start - contact.fall
        stops.append(abs(path.height(top - 0.15 * contact.lift) / path.height(top) - 1) < 0.02)
        speeds.append(path.height(contact.start - 0.1 * contact.fall) / path.height(top))
    assert 5 < sum(stops) < 35
    assert min(speeds) < 0.06 and max(speeds) > 0.17  # put down as well as struck


def test_a_late_wrist_goes_on_when_the_tip_has_stopped():
    one = scene(events=(hit(1.0, 1.0),))
    prompt, late = (Picture(one, None, Manner(rests=1.0, arm=0.7, late=late)) for late in (0.0, 0.08))

    def wrist(picture: Picture, t: float) -> float:
        (actor, path), *_ = picture._limbs
        return float(actor.joints(path, t)[1, 2])

    assert wrist(prompt, 1.0) == pytest.approx(wrist(prompt, 1.04), abs=1e-6)
    assert wrist(late, 1.0) > wrist(late, 1.04) > wrist(prompt, 1.04)
    assert wrist(late, 1.09) == pytest.approx(wrist(prompt, 1.09), abs=1e-6)


def test_a_whole_arm_rises_with_the_tip_and_another_draws_back():
    one = scene(events=(hit(1.0, 1.0),))
    usual, whole, back = (Picture(one, None, how) for how in (Manner(), Manner(arm=1.0), Manner(back=1.1)))

    def joints(picture: Picture, t: float) -> np.ndarray:
        (actor, path), *_ = picture._limbs
        return actor.joints(path, t)

    raised = max(np.arange(0.6, 1.0, 0.01), key=usual.paths[0].height)
    high = usual.paths[0].height(raised)
    rises = [joints(each, raised)[1, 2] - joints(each, 1.0)[1, 2] for each in (usual, whole)]
    assert rises[1] == pytest.approx(high, rel=0.05) and rises[0] < 0.6 * high
    away = joints(back, raised)[0, :2] - joints(usual, raised)[0, :2]
    assert np.hypot(*away) == pytest.approx(0.75 * high, rel=0.05)


def test_shadows_may_be_absent_and_surfaces_may_not_answer():
    one = scene(tool="hand", material="water", texture="procedural:water:1", shake=0.0, light=0.0)
    usual, bright, calm = Picture(one, None), Picture(one, None, shade=0.0), Picture(one, None, answers=False)
    before, after = 0.1, 0.6
    assert bright.frame(before).mean() > usual.frame(before).mean()
    np.testing.assert_array_equal(calm.frame(before), usual.frame(before))
    assert np.abs(calm.frame(after).astype(int) - usual.frame(after)).max() > 20
