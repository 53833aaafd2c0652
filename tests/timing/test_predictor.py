"""The predictor over films of every kind: constant memory, no crash, what it cannot see it says."""

from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest
import torch

from foleygram.errors import MediaError, UsageError
from foleygram.timing.difference import DifferenceConfig, difference_onsets
from foleygram.timing.motion import Motion, MotionConfig, motions
from foleygram.timing.network import (
    LEVELS,
    Curves,
    Shift,
    TimingConfig,
    TimingNetwork,
    level_classes,
    level_edges,
    level_values,
)
from foleygram.timing.predictor import EnvelopePredictor, held
from foleygram.timing.track import OnsetTrack
from foleygram.timing.video2rms import Video2RMS, Video2RMSConfig


def test_shipped_config_fits_into_two_megabytes():
    with torch.device("meta"):
        network = TimingNetwork(TimingConfig())
    assert 2 * sum(parameter.numel() for parameter in network.parameters()) < 2.0e6


def test_levels_are_those_of_video2rms():
    edges = level_edges()
    assert edges[0].item() == pytest.approx(0.01) and edges[1].item() == pytest.approx(0.0116, abs=1e-4)
    assert edges[-1].item() == pytest.approx(0.9425, abs=1e-4)
    values = level_values()
    assert values[0] == 0 and (level_classes(values) == torch.arange(LEVELS)).all()
    assert level_classes(torch.tensor([0.0099, 2.0])).tolist() == [0, 63]


def test_published_structure():
    with torch.device("meta"):
        shapes = {name: tuple(tensor.shape) for name, tensor in Video2RMS(Video2RMSConfig()).state_dict().items()}
    assert shapes["convolutions.2.0.weight"] == (2048, 2048, 5) and shapes["lstm.weight_ih_l0_reverse"] == (2048, 2048)
    assert shapes["to_steps.weight"] == (1250, 300) and shapes["to_level.weight"] == (64, 1024)
    small = Video2RMS(Video2RMSConfig(features=8, frames=20, steps=50, seconds=2.0, hidden=4)).eval()
    assert small(torch.zeros(3, 20, 8)).shape == (3, 50, 64)
    with pytest.raises(UsageError, match="20, 8"):
        small(torch.zeros(1, 19, 8))
    envelope = small.predict(torch.zeros(1, 20, 8))
    assert envelope.rate == 25.0 and len(envelope.values) == 50


def test_windows_give_what_one_window_gives(small, film):
    frames = list(film([0.5, 1.3, 2.9, 4.1], 6.0, fps=20))
    short = small.read(iter(frames), 6.0, threshold=0.01)
    longer = EnvelopePredictor(small.config.replace(window=60.0))
    longer.load_state_dict(small.state_dict())
    whole = longer.eval().requires_grad_(False).read(iter(frames), 6.0, threshold=0.01)
    assert short.frames == whole.frames == 120
    np.testing.assert_allclose(short.envelope.values, whole.envelope.values, atol=2e-4)


def test_memory_does_not_grow(small):
    import tracemalloc

    def endless(seconds):
        for k in range(int(seconds * 10)):
            yield k / 10, np.full((3, 90, 130), k % 7, np.uint8)

    peaks = []
    for seconds in (5, 15):
        tracemalloc.start()
        small.read(endless(seconds), seconds)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] + 10 * 20_000  # a second of results takes some kB, a second of frames 350


def black(count, fps=25.0, size=(3, 24, 32)):
    return ((k / fps, np.zeros(size, np.uint8)) for k in range(count))


def test_one_frame_and_black_say_that_there_is_no_event(small):
    quiet = deepcopy(small)
    quiet.network.heads.bias[LEVELS] = -10.0  # where nothing moves there is no onset
    for frames in (black(1), black(2), black(40)):
        prediction = quiet.read(frames, 1.6)
        assert prediction.silent and "no event" in prediction.describe() and not prediction.envelope.values.any()
        assert prediction.envelope.seconds == pytest.approx(1.6, abs=0.005)


def test_no_frame_is_an_error(small):
    with pytest.raises(MediaError, match="no frame"):
        small.read(iter(()), 1.0)
    for seconds in (0.0, -1.0, float("nan")):
        with pytest.raises(UsageError):
            small.read(black(2), seconds)
    for threshold in (0.0, 1.4, float("nan")):
        with pytest.raises(UsageError, match="threshold"):
            small.read(black(2), 1.0, threshold=threshold)
    assert small.read(black(2), 1.0, threshold=1).frames == 2


@pytest.mark.parametrize("fps", [5.0, 15.0, 240.0])
def test_any_rate(small, film, fps):
    prediction = small.read(film([0.4, 0.9], 1.2, fps=fps, size=(18, 24)), 1.2, threshold=0.01)
    assert len(prediction.envelope.values) == 414 and all(0 <= time < 1.2 for time in prediction.track.times)


def test_flicker_cuts_sideways_and_gaps(small):
    rng = np.random.default_rng(0)
    flicker = [(k / 25, np.full((3, 24, 32), 40 + 180 * (k % 2), np.uint8)) for k in range(30)]
    pictures = [rng.integers(0, 255, (3, 6, 8), dtype=np.uint8).repeat(4, 1).repeat(4, 2) for _ in range(5)]
    cut = [(k / 10, pictures[k // 10]) for k in range(50)]
    sideways = [(k / 25, rng.integers(0, 255, (3, 32, 24), dtype=np.uint8)) for k in range(20)]
    gap = [(0.0, pictures[0]), (0.1, pictures[0]), (4.9, pictures[0]), (5.0, pictures[0])]
    for frames, seconds in ((flicker, 1.2), (cut, 5.0), (sideways, 0.8), (gap, 5.0)):
        prediction = small.read(iter(frames), seconds, threshold=0.05)
        assert np.isfinite(prediction.envelope.values).all()
    assert len(small.read(iter(cut), 5.0).cuts) == 4


def test_time_goes_on_while_a_frame_stands(small, film):
    """A still of 1.5 s says what the same frame shown again and again does."""
    frames = list(film([0.4, 0.9], 3.0, fps=20))
    before, after = frames[:20], frames[-10:]
    written = [(before[-1][0] + 0.1 * k, before[-1][1]) for k in range(1, 16)]
    gap, filled = (
        small.look(motions(iter(part), small.config.motion), 3.0) for part in (before + after, before + written + after)
    )
    for row in ("level", "onset", "offset", "strength", "scratch"):
        np.testing.assert_allclose(getattr(gap, row), getattr(filled, row), atol=1e-4)


def test_what_is_repeated_has_no_motion_and_ends_with_the_sound():
    first, last = (Motion(time, np.ones((2, 2)), np.full((2, 2), time), False) for time in (0.0, 1.0))
    stream = list(held(iter([first, last, replace(last, time=9.0)]), 1.2))
    assert [motion.time for motion in stream[:11]] == pytest.approx([0.1 * k for k in range(11)])
    assert [bool(motion.difference.any()) for motion in stream[:11]] == [True] + [False] * 9 + [True]
    assert not any(motion.appearance.any() for motion in stream[:10]) and stream[-1].time < 9
    near = [first, replace(last, time=0.4), replace(last, time=0.9)]
    assert list(held(iter(near), 2.0)) == near


def test_picture_shorter_or_longer_than_the_sound(small, film):
    prediction = small.read(film([0.5], 1.0), 3.0, threshold=0.01)
    assert all(time <= 1.3 for time in prediction.track.times) and prediction.envelope.seconds == pytest.approx(3.0, abs=0.005)
    assert small.read(film([0.5], 3.0), 1.0, threshold=0.01).envelope.seconds == pytest.approx(1.0, abs=0.005)


def test_curves_lie_on_the_grid(small):
    motion = torch.zeros(2, 5, 2, 24, 32, dtype=torch.int8)
    times = torch.arange(5)[None].repeat(2, 1) / 20
    curves = small.network(motion, times, (torch.arange(17)[None] / 60).repeat(2, 1))
    assert isinstance(curves, Curves) and curves.level.shape == (2, 17, 64) and curves.onset.shape == (2, 17)
    assert small.network(motion[:, :1], times[:, :1], torch.zeros(2, 1)).onset.shape == (2, 1)


def test_api_names(small, film):
    frames = list(film([0.4], 0.8))
    assert (small.predict(iter(frames), 0.8).values == small.read(iter(frames), 0.8).envelope.values).all()
    assert isinstance(small.read(iter(frames), 0.8).track, OnsetTrack)


def test_words_for_people(small):
    from foleygram.timing.predictor import Prediction
    from foleygram.timing.track import OnsetEvent

    track = OnsetTrack((OnsetEvent(0.5), OnsetEvent(1.0), OnsetEvent(1.5, 0.1, "scratch", 0.2)))
    said = Prediction(track, track.to_envelope(2.0), 50).describe()
    assert said == "2 hits and 1 scratch predicted from 50 frames, the first at 0.50 s"


def test_baseline_finds_the_falls(film):
    config = DifferenceConfig(motion=MotionConfig(long=48, short=36))
    track = difference_onsets(film([0.5, 1.2, 2.0], 2.6, fps=30, shake=1.5, light=0.1), 2.6, config)
    assert OnsetTrack.at([0.5, 1.2, 2.0]).agreement(track, 0.1).f1 > 0.6
    assert not len(difference_onsets(black(20), 0.8, config)) and not len(difference_onsets(black(1), 0.8, config))


def test_numbers_of_one_are_in_the_singular():
    from foleygram.timing.predictor import Prediction
    from foleygram.timing.track import OnsetEvent

    nothing, one = OnsetTrack(), OnsetTrack((OnsetEvent(0.5),))
    assert Prediction(nothing, nothing.to_envelope(1.0), 1).describe().startswith("no event found in 1 frame:")
    assert Prediction(one, one.to_envelope(1.0), 1).describe() == "1 hit predicted from 1 frame, the first at 0.50 s"


def test_films_of_a_batch_do_not_see_each_other(small):
    draw = torch.Generator().manual_seed(0)
    motion = torch.randint(-60, 60, (2, 5, 2, 24, 32), dtype=torch.int8, generator=draw)
    times, grid = torch.arange(5)[None].repeat(2, 1) / 20, (torch.arange(17)[None] / 60).repeat(2, 1)
    together = small.network(motion, times, grid)
    for row in (0, 1):
        part = slice(row, row + 1)
        alone = small.network(motion[part], times[part], grid[part])
        torch.testing.assert_close(alone.onset, together.onset[part], rtol=1e-4, atol=1e-5)


def test_steps_beyond_the_film_are_not_seen(small):
    draw = torch.Generator().manual_seed(0)
    motion = torch.randint(-60, 60, (1, 5, 2, 24, 32), dtype=torch.int8, generator=draw)
    times, grid = torch.arange(5)[None] / 20, torch.arange(30)[None] / 60
    padded = small.network(motion, times, grid, (torch.arange(30) < 12).float()[None])
    alone = small.network(motion, times, grid[:, :12])
    torch.testing.assert_close(padded.onset[:, :12], alone.onset, rtol=1e-4, atol=1e-5)


def test_the_gradient_of_the_shift_goes_back_where_it_came_from():
    x = torch.randn(6, 8, 2, 3, dtype=torch.float64, requires_grad=True, generator=torch.Generator().manual_seed(0))
    assert torch.autograd.gradcheck(lambda x: Shift.apply(x, 2), (x,))


def test_an_unsure_level_is_the_mean_loudness_and_not_the_mean_amplitude(small, film, monkeypatch):
    def unsure(motion, times, grid):
        level = torch.full((*grid.shape, LEVELS), -100.0)
        level[..., [20, 60]] = 0.0
        return Curves(level, *torch.zeros(4, *grid.shape))

    monkeypatch.setattr(small.network, "forward", unsure)
    reading = small.look(motions(film([0.4], 0.8), small.config.motion), 0.8)
    assert reading.level[20] == pytest.approx(level_values()[40].item(), rel=1e-4)


def patch_that_jumps(times, jumps, size=36):
    """Frames on a flat ground of which a patch becomes lighter at each jump (frame, grey levels)."""
    frame = np.full((3, size, 48), 60, np.uint8)
    frame[:, ::3] += 20
    for number, time in enumerate(times):
        for place, by in jumps:
            if place == number:
                frame = frame.copy()
                frame[:, 10:16, 20:28] += by
        yield time, frame


def test_the_numbers_of_the_config_decide_what_is_an_event(small, film, monkeypatch):
    """Two onsets 0.3 s apart, the second one doubtful, both probably scratches: each number of the config has its say."""

    def doubtful(motion, times, grid):
        shape = grid.shape
        onset = torch.full(shape, -9.0)
        for seconds, logit in ((0.5, 3.0), (0.8, -1.0)):
            onset[(grid - seconds).abs() < 2.5 / small.config.rate] = logit
        return Curves(torch.zeros(*shape, LEVELS), onset, torch.zeros(shape), torch.zeros(shape), torch.full(shape, 1.5))

    monkeypatch.setattr(small.network, "forward", doubtful)
    plain = small.config.replace(threshold=0.1, sure=0.0, near=0.0, scratch=0.5)
    found = {}
    for name, change in (
        ("plain", {}),
        ("near", {"sure": 2.0, "near": 0.4}),
        ("high", {"threshold": 1.0}),
        ("hit", {"scratch": 0.9}),
    ):
        monkeypatch.setattr(small, "config", plain.replace(**change))
        found[name] = [(round(event.seconds, 1), event.kind) for event in small.read(film([0.5], 1.5), 1.5).track.events]
    both = [(0.5, "scratch"), (0.8, "scratch")]
    monkeypatch.setattr(small, "config", plain)
    told = small.read(film([0.5], 1.5), 1.5, kind="hit")
    assert [(event.kind, event.duration) for event in told.track.events] == [("hit", 0.0)] * 2
    held = small.read(film([0.5], 1.5), 1.5)
    after = slice(round(0.62 * held.envelope.rate), round(0.7 * held.envelope.rate))
    assert (told.envelope.values[after] <= held.envelope.values[after] + 1e-9).all()
    assert told.envelope.values[after].max() < 0.9 * held.envelope.values[after].max()
    monkeypatch.setattr(small, "config", plain.replace(scratch=1.0))
    assert [event.kind for event in small.read(film([0.5], 1.5), 1.5, kind="scratch").track.events] == ["scratch"] * 2
    assert found == {"plain": both, "near": both[:1], "high": both[:1], "hit": [(0.5, "hit"), (0.8, "hit")]}


def test_baseline_tells_how_strong_an_event_is_and_when_the_sound_ends():
    config = DifferenceConfig(motion=MotionConfig(long=48, short=36))
    times = np.arange(60) / 25
    track = difference_onsets(patch_that_jumps(times, [(15, 20), (40, 70)]), 2.4, config)
    assert track.times == pytest.approx([0.6, 1.6]) and track.strengths[1] == pytest.approx(config.peak)
    assert 0.2 < track.strengths[0] / track.strengths[1] < 0.9
    assert len(difference_onsets(patch_that_jumps(times, [(15, 20), (40, 70)]), 1.6, config)) == 1
    # the same jump after twice the time is half as fast
    late = np.where(np.arange(60) < 40, times, times + 0.04)
    slow = difference_onsets(patch_that_jumps(late, [(15, 20), (40, 20)]), 2.4, config)
    fast = difference_onsets(patch_that_jumps(times, [(15, 20), (40, 20)]), 2.4, config)
    assert slow.strengths[1] / fast.strengths[1] == pytest.approx(0.5, rel=0.02)


def test_hours_into_a_film_times_are_as_fine_as_at_its_start(small, film, monkeypatch):
    told, forward, start = [], small.network.forward, 36_000.0
    monkeypatch.setattr(small.network, "forward", lambda *inputs: (told.append(inputs[2][0]), forward(*inputs))[1])
    kept = list(motions(film([0.4], 1.0), small.config.motion))
    later = [replace(motion, time=motion.time + start) for motion in kept]
    rate = small.config.rate
    results = np.zeros((5, round((start + 1) * rate)), np.float32)
    small.fill(results, later, start, start + 0.5)
    assert np.abs(np.diff(told[0].numpy().astype(np.float64)) - 1 / rate).max() < 1e-6
