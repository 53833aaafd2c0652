import numpy as np
import pytest
import torch
from scipy.sparse import coo_array
from scipy.sparse.csgraph import breadth_first_order, connected_components, minimum_spanning_tree

from foleygram.diffusion.phase import DEPTH, gradients, heights, integrated_phase

WINDOW, STEP, RATE = 1024, 256, 44100
HANN = torch.hann_window(WINDOW)
TIME = np.arange(RATE // 2) / RATE


def spectrum(sound: np.ndarray) -> np.ndarray:
    given = torch.from_numpy(sound.astype(np.float32))
    return torch.stft(given, WINDOW, STEP, window=HANN, center=True, pad_mode="constant", return_complex=True).numpy()


def sound_of(spectrum: np.ndarray) -> np.ndarray:
    given = torch.from_numpy(spectrum.astype(np.complex64))
    return torch.istft(given, WINDOW, STEP, window=HANN, center=True, length=len(TIME)).numpy()


def again(sound: np.ndarray) -> np.ndarray:
    """The sound from its magnitudes alone."""
    magnitude = np.abs(spectrum(sound))
    first = np.random.default_rng(0).uniform(0, 2 * np.pi, magnitude.shape)
    return sound_of(magnitude * np.exp(1j * integrated_phase(magnitude, WINDOW, STEP, first)))


def mismatch_db(sound: np.ndarray, made: np.ndarray) -> float:
    """Magnitudes that differ, as a share of the magnitudes, away from the ends (dB)."""
    a, b = (np.abs(spectrum(part))[:, 6:-6] for part in (sound, made))
    return 20 * np.log10(np.linalg.norm(a - b) / np.linalg.norm(a))


@pytest.mark.parametrize("frequency", [440.0, 3000.0, 7343.2])
def test_a_line_comes_back_from_its_magnitudes(frequency):
    sound = np.sin(2 * np.pi * frequency * TIME)
    assert mismatch_db(sound, again(sound)) < -25


def test_a_sweep_and_ringing_partials_come_back():
    sweep = np.sin(2 * np.pi * (500 * TIME + 4000 * TIME**2))
    partials = sum(np.exp(-8 * TIME) * np.sin(2 * np.pi * f * TIME) for f in (900.0, 2470.0, 5210.0))
    assert mismatch_db(sweep, again(sweep)) < -20
    assert mismatch_db(partials, again(partials)) < -20


@pytest.mark.parametrize("place", [11008, 11008 + 70, 11008 + 128, 11008 + 200])  # at a frame's middle and between two
def test_a_click_stays_a_click_where_it_was(place):
    sound = np.zeros_like(TIME)
    sound[place] = 1.0
    made = again(sound) ** 2
    assert made[place - 44 : place + 45].sum() > 0.8 * made.sum()  # +-1 ms


def test_what_is_lowest_comes_back_too():
    sound = 0.3 + np.sin(2 * np.pi * 2000 * TIME)  # a line, and what does not move at all
    assert mismatch_db(sound, again(sound)) < -20


def test_level_does_not_matter():
    magnitude = np.abs(spectrum(np.sin(2 * np.pi * 3000 * TIME) + 0.1 * np.sin(2 * np.pi * 700 * TIME)))
    first = np.zeros(magnitude.shape)
    apart = integrated_phase(1e-9 * magnitude, WINDOW, STEP, first) - integrated_phase(magnitude, WINDOW, STEP, first)
    loud = magnitude > 1e-3 * magnitude.max()
    assert np.abs(np.angle(np.exp(1j * apart)))[loud].max() < 1e-3


def test_gradients_of_a_line_are_those_of_its_phase():
    bins = 100.3
    line = spectrum(np.cos(2 * np.pi * bins * RATE / WINDOW * TIME))[:, 10:-10]
    over_time, _ = gradients(np.abs(line), WINDOW, STEP)
    near = slice(100, 101)  # the loudest bin
    apart = np.exp(1j * over_time[near, :-1]) * line[near, :-1] / line[near, 1:]
    assert np.abs(np.angle(apart)).max() < 0.03


def test_what_is_too_soft_to_tell_keeps_its_phase_and_an_island_begins_at_its_loudest_place():
    magnitude = np.zeros((9, 12))
    magnitude[1:4, 1:5], magnitude[6:8, 7:11] = 1.0, 0.5
    magnitude[2, 3], magnitude[7, 9] = 2.0, 0.7
    magnitude[5, 5] = 0.5 * DEPTH
    first = np.random.default_rng(1).uniform(0, 2 * np.pi, magnitude.shape)
    phase = integrated_phase(magnitude, WINDOW, STEP, first)
    soft = magnitude <= DEPTH * magnitude.max()
    np.testing.assert_allclose(phase[soft], first[soft])
    assert phase[2, 3] == pytest.approx(first[2, 3]) and phase[7, 9] == pytest.approx(first[7, 9])
    turned = integrated_phase(magnitude, WINDOW, STEP, first + np.where(np.arange(9) < 5, 0.5, 0.0)[:, None])
    apart = np.angle(np.exp(1j * (turned - phase)))
    np.testing.assert_allclose(apart[1:4, 1:5], 0.5, atol=1e-9)
    np.testing.assert_allclose(apart[6:8, 7:11], 0.0, atol=1e-9)


def test_silence_keeps_every_phase():
    first = np.full((5, 4), 1.25)
    np.testing.assert_array_equal(integrated_phase(np.zeros((5, 4)), WINDOW, STEP, first), first)


def scattered_edges(count: int, edges: int, seed: int):
    """Edges between random nodes, strongest first, and climbs that no heights agree with."""
    rng = np.random.default_rng(seed)
    ends = np.sort(rng.integers(0, count, (2, edges)), axis=0)
    pairs = np.unique(ends[:, ends[0] != ends[1]], axis=1)
    return rng.permutation(pairs, axis=1), rng


@pytest.mark.parametrize("edges", [0, 1, 40, 90, 2000])
def test_heights_are_summed_along_the_strongest_forest(edges):
    count = 80
    (source, target), rng = scattered_edges(count, edges, seed=edges)
    climb = rng.normal(size=len(source))
    island, height = heights(source, target, climb, count)
    places = source.astype(np.int32), target.astype(np.int32)  # some versions of scipy know trees of no others
    graph = coo_array((1.0 + np.arange(len(source)), places), shape=(count, count)).tocsr()
    islands, label = connected_components(graph, directed=False)
    assert len(np.unique(island)) == islands == len(np.unique(np.stack([island, label]), axis=1).T)
    tree = minimum_spanning_tree(graph).tocoo()
    number = np.rint(tree.data).astype(int) - 1
    expected = np.full(count, np.nan)
    known = {(a, b): climb[k] for a, b, k in zip(tree.row, tree.col, number, strict=True)}
    known |= {(b, a): -rise for (a, b), rise in known.items()}
    for root in np.unique(label, return_index=True)[1]:
        expected[root] = 0.0
        order, before = breadth_first_order(tree.tocsr(), root, directed=False)
        for node in order[1:]:
            expected[node] = expected[before[node]] + known[before[node], node]
        np.testing.assert_allclose((height - height[root])[order], expected[order], atol=1e-9)
