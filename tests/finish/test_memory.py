"""The memory: what was kept of a kind comes back as what a reference lends."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from tiny import CONFIG, tiny_model
from torch.nn import functional as F

from foleygram.data.classes import CLASSES
from foleygram.data.manifest import ClipRecord
from foleygram.errors import DataError
from foleygram.finish.matching import FinishConfig
from foleygram.finish.memory import KEPT, PLACES, STEP_DB, Memory, MemoryConfig, Remembered, in_bytes
from foleygram.finish.palette import COLOURS, band_centres, palette
from foleygram.gram.vision import EfficientNetConfig
from foleygram.pipeline import FoleyGRAM
from foleygram.signal.envelope import envelope_from_hits
from foleygram.timing.strokes import STEPS, Strokes, sound_strokes
from foleygram.timing.track import OnsetEvent, OnsetTrack
from foleygram.training import memory as memory_stage
from foleygram.training.control import ClipEmbeddings
from foleygram.training.latents import Captions
from foleygram.training.memory import class_keys, fit_nothing, heard_of, kinds_of, remember
from foleygram.types import ENVELOPE_RATE, Audio, Clip, Embeddings

RATE, DIM = 44100, 24


def ringing(decay: float, seed: int = 0) -> Audio:
    """Noise struck at 0.1 and 1.1 s."""
    draw, seconds = np.random.default_rng(seed), np.arange(2 * RATE) / RATE
    shape = sum(np.where(seconds >= start, np.exp(-(seconds - start) / decay), 0) for start in (0.1, 1.1))
    return Audio((draw.normal(0, 0.1, (2, 2 * RATE)) * shape).astype(np.float32), RATE)


def unit(seed: int) -> torch.Tensor:
    return F.normalize(torch.randn(DIM, generator=torch.Generator().manual_seed(seed)), dim=0)


def heard(sound: Audio, seed: int = 0, detail: float = 0.0) -> Remembered:
    return Remembered(unit(seed), palette(sound), sound_strokes(sound), torch.full((4,), detail))


def memory_of(*decays: float) -> Memory:
    """Of each kind two sounds, the second one twice as long."""
    memory = Memory(MemoryConfig(kinds=tuple(f"kind {number}" for number in range(len(decays))), sounds=3), DIM, RATE)
    for number, decay in enumerate(decays):
        sounds = [heard(ringing(decay * length), 100 * length + number, 0.1 * number) for length in (1, 2)]
        memory.keep(number, unit(number), sounds)
    return memory


def test_what_is_kept_comes_back_to_a_byte():
    memory, sound = memory_of(0.02, 0.2), ringing(0.2)
    known = Embeddings(text=unit(1)[None])
    found = memory.recall(known)
    assert found.text is known.text and found.video is None and torch.equal(found.audio[0], unit(101))
    assert torch.equal(found.detail, torch.full((1, 4), 0.1))
    strokes = sound_strokes(sound).levels
    assert len(strokes) == 2 and found.strokes.shape == (1, KEPT, STEPS)
    for number in range(KEPT):  # they take turns
        np.testing.assert_allclose(found.strokes[0, number, PLACES], strokes[number % 2, PLACES], atol=STEP_DB / 2 + 1e-6)
    np.testing.assert_allclose(found.strokes[0, 0], strokes[0], atol=3)  # straight between the places
    own = palette(sound)
    np.testing.assert_allclose(found.palette[0].sum(-1), 1, rtol=1e-5)
    strong = own > 1e-8
    apart = 10 * np.log10(found.palette[0].numpy()[strong] / own[strong])
    assert np.abs(apart).max() < STEP_DB
    assert found.palette.shape == (1, COLOURS.shades, len(band_centres(RATE)))


def test_of_many_strokes_those_spread_over_the_sound_are_kept():
    memory, levels = memory_of(0.1), np.full((8, STEPS), -100.0)
    levels[:, 0] = -np.arange(8)
    memory.keep(0, unit(0), [Remembered(unit(1), palette(ringing(0.1)), Strokes(levels), torch.zeros(4))])
    assert memory.recall(Embeddings(text=unit(0)[None])).strokes[0, :, 0].tolist() == [0, -2, -4, -5, -7]


def test_takes_have_the_sounds_in_turn():
    memory, known = memory_of(0.02, 0.1), Embeddings(text=unit(1)[None])
    points = [memory.recall(known, take).audio[0] for take in range(4)]
    # two sounds fill three places: the third take has the first sound again, and so has the fourth
    assert [torch.equal(point, unit(101)) for point in points] == [True, False, True, True]
    assert torch.equal(points[1], unit(201))


def test_text_and_picture_choose_together():
    memory = memory_of(0.02, 0.2, 0.1)
    assert memory.nearest(Embeddings(text=unit(0)[None])) == 0
    assert memory.nearest(Embeddings(video=unit(2)[None])) == 2
    weak = F.normalize(0.6 * unit(0) + unit(1), dim=0)[None]
    assert memory.nearest(Embeddings(text=weak, video=unit(0)[None])) == 0


def test_where_no_text_says_what_is_done_the_guide_does():
    memory = Memory(MemoryConfig(kinds=("wood, hit", "wood, scratch", "wood, step"), sounds=1), DIM, RATE)
    memory.keys.copy_(torch.stack([unit(0), unit(1), unit(2)]))
    seen = F.normalize(unit(1) + 0.3 * unit(2), dim=0)[None]
    hits, scratches = (OnsetTrack((OnsetEvent(0.5, 0.1, kind), OnsetEvent(1.0, 0.1, kind))) for kind in ("hit", "scratch"))
    picture, text = Embeddings(video=seen), Embeddings(video=seen, text=seen)
    assert memory.nearest(picture) == memory.nearest(picture, scratches) == memory.nearest(picture, OnsetTrack()) == 1
    assert memory.nearest(picture, hits) in (0, 2) and memory.nearest(text, hits) == 1


def test_the_text_says_what_is_done_and_the_picture_only_to_what():
    memory = Memory(MemoryConfig(kinds=("wood, hit", "wood, scratch", "metal, scratch"), sounds=1), DIM, RATE)
    memory.keys.copy_(torch.stack([unit(0), unit(1), unit(2)]))
    says_hit, says_scraped = (F.normalize(unit(k) + 0.2 * unit(2), dim=0)[None] for k in (0, 1))
    looks_metal = F.normalize(unit(2) + 0.1 * unit(1), dim=0)[None]
    scratches = OnsetTrack((OnsetEvent(0.5, 0.1, "scratch"),))
    assert memory.nearest(Embeddings(text=says_hit, video=looks_metal), scratches) == 0
    assert memory.nearest(Embeddings(text=says_scraped, video=looks_metal)) == 2


def test_a_bare_name_says_nothing_of_what_is_done_to_it():
    memory = Memory(MemoryConfig(kinds=("wood, hit", "wood, scratch"), sounds=1), DIM, RATE)
    memory.keys.copy_(torch.stack([unit(0), unit(1)]))
    between = F.normalize(unit(0) + unit(1), dim=0)
    away = (unit(1) - unit(0)) / (unit(1) - unit(0)).square().sum()  # moves the difference of the two cosines by 1
    tracks = [OnsetTrack((OnsetEvent(0.5, 0.1, kind),)) for kind in ("hit", "scratch")]
    for difference, said in ((-0.11, "hit"), (-0.09, None), (0.09, None), (0.11, "scratch")):
        text = between + difference * away
        assert memory.kind_said(text) == said
        points = Embeddings(text=text[None], video=unit(1)[None])
        assert memory.nearest(points) == int(said == "scratch")
        assert [memory.nearest(points, track) for track in tracks] == ([0, 1] if said is None else 2 * [int(said == "scratch")])


def test_what_the_picture_shows_counts_by_how_likely_it_is():
    memory = Memory(MemoryConfig(kinds=("wood, hit", "metal, hit"), sounds=1, classes=3), DIM, RATE)
    memory.keys.copy_(torch.stack([unit(0), unit(1)]))
    memory.class_keys.copy_(torch.tensor([[0.1, 0.9], [0.8, 0.2], [0.0, 0.0]]))
    apart = float(unit(0) @ (unit(0) - unit(1)))  # by how much the picture's point is nearer to wood
    seen = Embeddings(video=unit(0)[None], classes=torch.zeros(1, 3))
    for sure, expected in ((0.9 * apart / 0.8, 0), (1.1 * apart / 0.8, 1)):
        assert memory.nearest(replace(seen, classes=torch.tensor([[sure, 0.0, 0.5]]))) == expected
    assert memory.nearest(replace(seen, classes=torch.tensor([[0.0, 2.0, 0.0]]))) == 0
    assert memory.nearest(seen.only("V")) == memory.nearest(seen) == 0
    assert seen.only("V").classes is seen.classes and replace(seen, text=unit(1)[None]).only("T").classes is None


@pytest.mark.parametrize(
    "kinds, action", [("hhs", "hit"), ("hss", "scratch"), ("ssh", "scratch"), ("shhs", "hit"), ("s", "scratch")]
)
def test_most_events_say_what_is_done(kinds, action):
    memory = Memory(MemoryConfig(kinds=("wood, hit", "wood, scratch"), sounds=1), DIM, RATE)
    memory.keys.copy_(torch.stack([unit(0), unit(1)]))
    events = (OnsetEvent(0.5 * (k + 1), 0.1, {"h": "hit", "s": "scratch"}[kind]) for k, kind in enumerate(kinds))
    track = OnsetTrack(tuple(events))
    for nearer in (0, 1):
        place = memory.nearest(Embeddings(video=unit(nearer)[None]), track)
        assert memory.config.kinds[place] == f"wood, {action}"


def test_who_knows_no_scratches_takes_what_looks_like_it():
    memory = memory_of(0.02, 0.2, 0.1)
    track = OnsetTrack((OnsetEvent(0.5, 0.1, "scratch"),))
    assert [memory.nearest(Embeddings(video=unit(kind)[None]), track) for kind in range(3)] == [0, 1, 2]


def test_bytes_hold_decibels():
    assert in_bytes(np.array([0.0, -0.3, -10.0, -200.0, 3.0])).tolist() == [0, 1, 20, 255, 0]


def remembering() -> FoleyGRAM:
    model = tiny_model()
    config = CONFIG.replace(memory=MemoryConfig(kinds=("kind 0", "kind 1"), sounds=3), finish=FinishConfig())
    kept = {f"memory.{name}": buffer for name, buffer in memory_of(0.02, 0.3).state_dict().items()}
    weights = model.state_dict() | kept
    model = FoleyGRAM(config, model.gram.tokenizer)
    model.load_state_dict(weights)
    return model.eval().requires_grad_(False)


@pytest.mark.parametrize("dtype", ["fp32", "fp16"])
def test_a_model_keeps_its_memory(tmp_path, dtype):
    model = remembering()
    folder = model.save(tmp_path / "model", dtype)
    loaded = FoleyGRAM.load(folder, "cpu", "fp32")
    assert loaded.config.memory == model.config.memory and loaded.memory.palettes.dtype == torch.uint8
    for name, buffer in model.memory.state_dict().items():
        torch.testing.assert_close(loaded.memory.state_dict()[name].float(), buffer.float(), atol=1e-3, rtol=0)


def test_where_nothing_is_measured_a_remembered_sound_is_the_reference():
    model = remembering()
    text = model.references(Clip(text="a person hits metal", seconds=1.5))
    with torch.no_grad():
        model.memory.keys[1] = text.text[0]
    guide, clip = envelope_from_hits([(0.2, 0.1)], 1.5), Clip(text="a person hits metal", seconds=1.5)
    made_up, measured = (model.generate(clip, guide, strokes=strokes)[0].samples for strokes in (True, False))
    late = slice(round(0.6 * RATE), round(0.9 * RATE))
    assert made_up[:, late].std() > 4 * measured[:, late].std()  # it rings as kind 1 does
    as_decoded = model.generate(clip, guide, strokes=True, raw=True)[0].samples
    np.testing.assert_array_equal(as_decoded, model.generate(clip, guide, raw=True)[0].samples)
    first, second = (part.samples for part in model.generate(clip, guide, strokes=True, takes=2))
    np.testing.assert_array_equal(first, made_up)
    assert second[:, late].std() > 1.5 * first[:, late].std()  # the longer one of its kind
    told = []
    model.config = CONFIG.replace(
        memory=model.config.memory, finish=model.config.finish, few_step_sampler=CONFIG.sampler.replace(steps=2)
    )
    model.generate(clip, guide, strokes=True, on_step=lambda done, total: told.append(total))
    assert told == [2, 2]  # what is remembered has colours, so few steps do
    known = model.references(Clip(audio=ringing(0.05), text="wood", seconds=1.5))
    assert model.recalled(known) is known and tiny_model().recalled(text) is text


def test_made_up_events_are_played_in_the_strokes_of_what_there_is():
    model, guide = remembering(), envelope_from_hits([(0.2, 0.1)], 1.5)
    text = model.references(Clip(text="a person hits metal", seconds=1.5))
    sound = model.references(Clip(audio=ringing(0.05), seconds=1.5))
    steady = model.references(Clip(audio=Audio(np.random.default_rng(0).normal(0, 0.1, (1, RATE)), RATE), seconds=1.0))
    assert [model.whose_strokes(known) for known in (text, sound, steady)] == ["memory", "reference", "guide"]
    assert [model.whose_strokes(known, raw=True) for known in (text, sound, steady)] == ["guide", "reference", "guide"]
    assert tiny_model().whose_strokes(text) == "guide"  # it remembers nothing
    known, curve = model.played(text, guide, "memory")
    assert known.strokes is not None and not np.array_equal(curve.values, guide.values)
    known, curve = model.played(sound, guide, "reference")
    assert known is sound and np.array_equal(curve.values, model.struck(guide, sound).values)
    assert model.played(sound, guide, "guide") == (sound, guide)


def test_the_names_of_classes_are_compared_with_what_is_done():
    asked = []

    def embed(texts):
        asked.extend(texts)
        return torch.stack([unit(len(text)) for text in texts])

    table = class_keys(embed, ("wood, hit", "wood, scratch"), torch.stack([unit(0), unit(1)]))
    assert table.shape == (1000, 2)
    for place, name in enumerate(CLASSES):
        said = ("hitting", "scratching")
        expected = [0.0, 0.0] if name is None else [float(unit(len(f"{s} {name}")) @ unit(k)) for k, s in enumerate(said)]
        assert table[place].tolist() == pytest.approx(expected, abs=1e-5)
    strange = class_keys(embed, ("metal, sheet, hit", "wood, drop", "wood, "), torch.stack([unit(0)] * 3))
    assert strange[398, 0] != 0 and not strange[:, 1:].any()
    assert "hitting park bench" in asked and not any("tench" in text for text in asked)


def test_a_memory_that_names_classes_needs_a_tower_that_tells_them():
    memory = MemoryConfig(kinds=("wood, hit",), classes=1000)
    with pytest.raises(ValueError, match="1000 classes by name, which the picture tower does not tell"):
        CONFIG.replace(memory=memory)
    telling = CONFIG.replace(gram=CONFIG.gram.replace(vision=EfficientNetConfig(size=64, classes=1000)))
    assert telling.memory is None and telling.replace(memory=memory).memory.classes == 1000


def test_a_text_says_what_is_done():
    model = remembering()
    kinds = ("wood, hit", "wood, scratch")
    model.memory.config = model.memory.config.replace(kinds=kinds)
    point = model.embed(Clip(text="a person hits wood")).text[0]
    for place, kind in enumerate(kinds):
        with torch.no_grad():
            model.memory.keys.zero_()
            model.memory.keys[place] = point
        assert model.kind_said("a person hits wood") == kind.removeprefix("wood, ")
    assert model.kind_said(None) is None and tiny_model().kind_said("a person hits wood") is None


def records_of(*materials: str) -> list[ClipRecord]:
    """Hits, each on an object of its own."""
    return [
        ClipRecord(
            id=str(k), split="train", video=None, audio="x.flac", text="", captions=(), seconds=2.0, onsets=(), action="hit",
            material=material, tool="stick", family=(str(k),), texture="",
        )
        for k, material in enumerate(materials)
    ]  # fmt: skip


def test_a_sound_is_encoded_where_the_autoencoder_is(elsewhere):
    found = heard_of(ringing(0.2), unit(0), tiny_model().autoencoder.to(elsewhere))
    assert found.detail.shape == (4,) and not found.detail.is_meta


def test_of_each_kind_the_most_typical_objects_that_have_strokes_are_kept(monkeypatch):
    steady = Audio(np.random.default_rng(0).normal(0, 0.1, (2, 2 * RATE)).astype(np.float32), RATE)
    sounds = [ringing(0.4), ringing(0.02), steady, ringing(0.2), ringing(0.3), ringing(0.1)]
    records = records_of("metal", "wood", *["metal"] * 4)
    records[4] = replace(records[4], family=records[3].family)
    records[5] = replace(records[5], family=())
    palettes = np.zeros((6, COLOURS.shades, 4))
    palettes[0] = np.nan  # silence
    judged = []
    monkeypatch.setattr(
        memory_stage,
        "typicality",
        lambda read, materials, families: judged.append((materials, families)) or np.array([-1, 0.9, 0.8, 0.7, 0.6]),
    )
    captions = Captions(("a", "b", "c"), ((1,), (0,), (1, 2), (1,), (2,), (2,)))
    text = torch.stack([unit(0), unit(1), unit(2)]).numpy()
    audio = torch.stack([unit(10 + place) for place in range(6)])
    memory = remember(
        records, captions, ClipEmbeddings(audio.numpy(), audio.numpy(), text), sounds.__getitem__, tiny_model().autoencoder,
        palettes,
    )  # fmt: skip
    assert judged == [(["wood"] + ["metal"] * 4, [{"1"}, {"2"}, {"3"}, {"3"}, {records[5].id}])]
    assert kinds_of(records) == memory.config.kinds == ("metal, hit", "wood, hit")
    # the steady one is the most typical but has no strokes, the fifth is the object of the fourth
    assert memory.config.families == ("1", "3")
    torch.testing.assert_close(memory.points[0, :3], audio[[3, 5, 3]])
    said = unit(1) + unit(1) + unit(2) + unit(1) + unit(2) + unit(2)
    torch.testing.assert_close(memory.keys[0], F.normalize(said, dim=0))
    amplitudes = Strokes(memory.recall(Embeddings(text=memory.keys[:1])).strokes[0].numpy()).amplitudes(0, ENVELOPE_RATE)
    assert amplitudes[round(0.25 * ENVELOPE_RATE)] == pytest.approx(np.exp(-1.25), rel=0.4)


def test_where_nothing_sounds_there_is_nothing_to_remember():
    records, points = records_of("wood"), unit(0)[None].numpy()
    with pytest.raises(DataError, match="nothing to remember"):
        remember(
            records, Captions(("a",), ((0,),)), ClipEmbeddings(points, points, points), lambda place: ringing(0.1),
            tiny_model().autoencoder, np.full((1, COLOURS.shades, 4), np.nan),
        )  # fmt: skip


def test_what_is_not_to_be_remembered_is_passed_over(monkeypatch):
    records = records_of("metal", "metal", "wood", "wood")
    records[0] = replace(records[0], family=("samples/Gong", "0"))
    records[2] = replace(records[2], family=("samples/Xylophone",))
    monkeypatch.setattr(memory_stage, "typicality", lambda *_: np.array([0.4, 0.3, 0.2, 0.1]))
    points = torch.stack([unit(place) for place in range(4)])
    several = Captions(("a",), ((0,),) * 4)
    everything = (
        records, several, ClipEmbeddings(points.numpy(), points.numpy(), unit(0)[None].numpy()), lambda place: ringing(0.1),
        tiny_model().autoencoder, np.zeros((4, COLOURS.shades, 4)),
    )  # fmt: skip
    for without, kept in (((), (0, 2)), (("*/Xylophone",), (0, 3)), (("samples/*",), (1, 3))):
        memory = remember(*everything, without=without)
        torch.testing.assert_close(memory.points[:, 0], points[list(kept)])
    assert remember(*everything, without=("[23]", "samples/X*")).config.kinds == ("metal, hit",)
    assert fit_nothing(("*/Xylophone", "*/Xylofone", "samples/*"), everything[0]) == ["*/Xylofone"]
