"""``generate``: a video in, its Foley track out, with a sidecar that says how it was made.

Read -> envelope -> load -> embed -> sample -> decode -> write, where a prediction needs the model first; ``request.py``
refuses before all what cannot be done.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import astuple
from pathlib import Path

import numpy as np
import torch

from foleygram.config import read_json
from foleygram.diffusion.sampler import SamplerConfig
from foleygram.errors import MediaError, ModelError, OutputError, UsageError
from foleygram.finish.palette import SILENT
from foleygram.finish.room import RoomTone, room_tone, still_room
from foleygram.hub.fingerprint import fingerprint
from foleygram.hub.sources import MODELS
from foleygram.limits import SEEDS, check_whole
from foleygram.media.audio import read_audio, write_audio
from foleygram.media.mux import mux
from foleygram.media.spool import Spool
from foleygram.media.video import FRAME_SIDE, MediaInfo, probe, read_frames
from foleygram.pipeline import (
    LEEWAY,
    FoleyGRAM,
    FoleyGRAMConfig,
    take_seed,
)
from foleygram.timing.strokes import Whose
from foleygram.types import SAMPLE_RATE, Audio, Clip, Embeddings, Envelope, Sound, sample_count
from foleygram.verbs.describe import GIB, expected_memory
from foleygram.verbs.guide import FROM_FILES, OWN, Guide, read_guide
from foleygram.verbs.ranking import Rank, fit, onset_agreement
from foleygram.verbs.remarks import doubts, remarks, remarks_of_model
from foleygram.verbs.report import Progress, Report, Result, Stages, Stopwatch, peak_memory
from foleygram.verbs.request import FORMATS, REFERENCE, Order, Request, settle
from foleygram.verbs.shots import read_film
from foleygram.verbs.sidecar import (
    EnvelopeSource,
    ModelSource,
    Sidecar,
    Source,
    relative,
    reserved_sidecar,
    sidecar_of,
    source_of,
    versions,
)
from foleygram.weights import deciding_files, find_folder, weights_files
from foleygram.windows import Film, long_pieces

STRUCK = {"guide": "", "reference": ", in the strokes of the reference", "memory": ", in the strokes of a remembered sound"}


def generate(
    request: Request | Order,
    on_progress: Progress = lambda stage, done, total: None,
    on_memory: Callable[[float], None] = lambda gib: None,
    model: FoleyGRAM | None = None,
) -> Report:
    """Makes what was asked for, or what was settled already. What can be refused is refused before the model is loaded, the
    rest before sampling.

    ``on_memory``: told the GiB that loading and generating will need at most, before any weights are read; ``model``: loaded
    already from ``request.model``, so that one serves many films; it stays where it is, in its arithmetic.
    Raises UsageError, MediaError, EnvelopeError, ModelError, OutputError."""
    order = request if isinstance(request, Order) else settle(request)
    check_whole("--seed", order.seed, *SEEDS)
    SamplerConfig().chosen(order.steps, order.guidance)  # refuses what cannot be, before anything is read
    watch = Stopwatch(on_progress)
    with watch.stage("read"):
        info = probed(order)
        config = read_json(FoleyGRAMConfig, find_folder(order.model) / "config.json")
        clip = read_references(order, info, config)
        room = read_room(order, clip)
    predicted = order.envelope is None and config.timing is not None
    with watch.stage("envelope"):
        guide = None if predicted else read_guide(order.envelope, order.video, info.seconds, None, order.voice)
    with watch.stage("load"):
        loaded = model is not None
        if loaded and model.config != config:
            raise ModelError(f"{order.model}: the model that was given is another one; name its folder as the request's model")
        model = model if loaded else FoleyGRAM.outline(order.model)
        expected = expected_memory(model, order.device, order.dtype)
        weights_files(find_folder(order.model), config)
        on_memory(expected)
        if not loaded:
            model.fill(order.model, order.device, order.dtype)
    with watch.stage("envelope"):
        if guide is None:
            guide = read_guide(None, order.video, info.seconds, model.timing, kind=model.kind_said(clip.text))
        card = described(order, info, guide, model)
    with watch.stage("embed"), torch_threads(card.threads):
        embeddings = model.references(clip).only(order.use)
    strokes = whose_strokes(order, guide, model, embeddings)
    if strokes != "guide":
        card = card.replace(strokes=strokes)
    notes = remarks(order, info, guide, clip) + remarks_of_model(order, guide, model, embeddings, strokes)
    results, film = [], None
    with torch_threads(card.threads):
        for number, out in order.outs:
            name = "sample" if len(order.outs) == 1 else f"sample take {number + 1}"
            known, curve = model.played(embeddings, guide.envelope, strokes, number, guide.track)
            sampler = model.sampler_for(known, order.raw).chosen(order.steps, order.guidance)
            card = card.replace(steps=sampler.steps, guidance=sampler.guidance)
            with watch.stage("embed"):
                film = filmed(order, info, model, known, film)
            seed = take_seed(order.seed, number)
            with rendered(model, known, curve, info.seconds, sampler, seed, film, order.raw, watch, name) as sound:
                heard = sound if room is None else room.under(sound, seed)
                place = sidecar_of(out)
                with watch.stage("write"), reserved_sidecar(place, card, order.may_replace(place)) as write_sidecar:
                    write(order, heard, out)
                    result = card.replace(result=source_of(out, out.parent), take=number + 1)
                    write_sidecar(result)
                same = result.result.sha256 == order.sidecar.result.sha256 if repeats(order, out) else None
                notes += doubts(order, out, heard.peak, same, result)
                rank = judged(model, known, guide.envelope, sound, number, watch) if len(order.outs) > 1 else None
                results.append(Result(out, sidecar_of(out), number + 1, heard.peak, same, rank))
    origin = guide.label + (STRUCK[card.strokes] if guide.envelope.values.max() > 0 else "")
    return Report(
        tuple(results), Stages(**watch.seconds), peak_memory(), round(expected * GIB), info.seconds, sample_count(info.seconds),
        str(order.model), order.use, origin, order.seed, sampler.steps, sampler.guidance, card.device, card.dtype,
        whose_room(order, room), tuple(notes),
    )  # fmt: skip


def probed(order: Order) -> MediaInfo:
    """The length and the kinds of streams of the video; refuses one that cannot be sounded into this output."""
    info = probe(order.video)
    if not info.has_video:
        raise MediaError(f"{order.video}: holds a sound but no picture; give a video here, the sound as --audio or --envelope")
    if info.frames < 2:
        raise MediaError(f"{order.video}: its picture is a single frame, which lasts no time; give a video of at least two")
    if order.room == OWN and not info.has_audio:
        raise UsageError(f"{order.video}: has no sound of its own for --room own; give a recording or a level, as --room -55")
    if str(order.audio) == OWN and "A" in order.use and not info.has_audio:
        raise UsageError(f"{order.video}: has no sound of its own for --use {order.use}; give --audio FILE, or leave the A out")
    if order.is_video:
        rehearse(order.video, order.outs[0][1])
    return info


def rehearse(video: Path, out: Path) -> None:
    """Lays silence under the picture as a trial beside ``out``: that the container cannot hold the picture, or the disk
    not the file, shows before the sampling and not after it. Raises OutputError."""
    trial = out.with_name(f".foleygram-{secrets.token_hex(6)}{out.suffix}")
    try:
        mux(video, Audio(np.zeros((2, 4410), np.float32), SAMPLE_RATE), trial)
    except OutputError as error:
        raise OutputError(str(error).replace(str(trial), str(out))) from error
    finally:
        trial.unlink(missing_ok=True)


def read_references(order: Order, info: MediaInfo, config: FoleyGRAMConfig) -> Clip:
    """What conditions the sound: only the modalities in use are read."""
    picture = sound = None
    if "V" in order.use:
        count = config.gram.vision.frames
        picture = read_frames(order.video_ref or order.video, count=count, short_side=FRAME_SIDE)
    if "A" in order.use:
        source = order.video if str(order.audio) == OWN else Path(order.audio)
        sound = read_audio(source)
        if sound.peak < SILENT:
            raise MediaError(f"{source}: its sound is silent, so nothing can sound like it; give another as --audio, or none")
    return Clip(picture, sound, order.text if "T" in order.use else None, info.seconds)


def read_room(order: Order, clip: Clip) -> RoomTone | None:
    """The room tone that was asked for. Raises MediaError where a recording has none."""
    if order.room is None:
        return None
    if isinstance(order.room, float):
        return still_room(order.room)
    reference = order.room == REFERENCE
    source = order.audio if reference else order.room
    source = order.video if str(source) == OWN else Path(source)
    tone = room_tone(clip.audio if reference else read_audio(source))
    if tone is None:
        raise MediaError(f"{source}: is silent between its sounds, or too short; give another --room, or a level as -55")
    return tone


def whose_room(order: Order, tone: RoomTone | None) -> str:
    """Whose room tone lies under the result, and how loud it is."""
    if tone is None:
        return ""
    whose = {OWN: "of the video's own sound, ", REFERENCE: "of the reference, "}
    place = "" if isinstance(order.room, float) else whose.get(str(order.room), f"of {Path(order.room).name}, ")
    return f"{place}{tone.level_db:.0f} dBFS"


def whose_strokes(order: Order, guide: Guide, model: FoleyGRAM, embeddings: Embeddings) -> Whose:
    """Whose strokes the events become: as it was asked for, else, where those of the guide are made up, as the model has it.
    Raises UsageError where it remembers none and is asked to."""
    if order.strokes == "memory" and model.memory is None:
        raise UsageError(f"--strokes memory: {order.model} remembers no sounds; leave the option out")
    if order.strokes is not None:
        return "guide" if order.strokes == "reference" and embeddings.strokes is None else order.strokes
    return model.whose_strokes(embeddings, order.raw) if guide.made_up else "guide"


def filmed(order: Order, info: MediaInfo, model: FoleyGRAM, embeddings: Embeddings, before: Film | None) -> Film | None:
    """Cuts and changing pictures of a film that is longer than the model's window; ``before``: that of the last take, which has
    the same cuts."""
    if info.seconds <= model.config.seconds + LEEWAY:
        return None
    cuts = None if before is None else before.cuts
    return read_film(model, order.video, embeddings, moving=order.video_ref is None, cuts=cuts)


def judged(model: FoleyGRAM, embeddings: Embeddings, envelope: Envelope, sound: Sound, number: int, watch: Stopwatch) -> Rank:
    """How well a take fits the references and keeps the moments of the guide."""
    with watch.stage("embed"):
        whole = Audio(sound.part(0, sound.count), sound.rate)
        own = model.embed(Clip(audio=whole, seconds=whole.seconds))
        return Rank(number + 1, fit(own, embeddings), onset_agreement(sound, envelope))


@contextmanager
def rendered(
    model: FoleyGRAM,
    embeddings: Embeddings,
    envelope: Envelope,
    seconds: float,
    sampler: SamplerConfig,
    seed: int,
    film: Film | None,
    raw: bool,
    watch: Stopwatch,
    name: str,
) -> Iterator[Sound]:
    """One take of any length, which lasts as long as the block; ``watch`` is told the seconds of sampling and decoding.

    ``film``: of a clip that is longer than the model's window; its sound waits on the disk. Raises ModelError where the
    memory does not suffice or the sound is not finite, OutputError for a full disk."""
    began = sampled = time.perf_counter()

    def step(done: int, total: int) -> None:
        nonlocal sampled
        sampled = time.perf_counter()
        watch.on_progress(name if done < total else "decode", done, total)

    with ExitStack() as stack:
        try:
            if film is None:
                sound = model.synthesise(embeddings, envelope, seconds, sampler, seed, step, raw=raw)
            else:
                code = model.config.autoencoder
                sound = stack.enter_context(Spool(code.channels, code.rate))
                for piece in next(long_pieces(model, film, envelope, seconds, sampler, [seed], step, raw=raw)):
                    sound.append(piece)
        except MediaError as error:
            raise ModelError(
                "the model's sound is not finite; take --dtype fp32, more --steps or a smaller --guidance"
            ) from error
        except (MemoryError, RuntimeError) as error:  # torch has a class of its own only for the memory of a GPU
            if isinstance(error, RuntimeError) and "memory" not in str(error):
                raise
            raise ModelError(
                f"{seconds:.1f} s of sound do not fit into the memory; cut the video, or take --device cpu"
            ) from error
        watch.add("sample", sampled - began)
        watch.add("decode", time.perf_counter() - sampled)
        yield sound


def write(order: Order, sound: Sound, out: Path) -> None:
    """Writes a take under the picture of the film, or as a sound file. Raises OutputError."""
    if order.is_video:
        mux(order.video, sound, out, order.force)
    else:
        write_audio(out, sound, order.subtype, order.force)


@contextmanager
def torch_threads(count: int) -> Iterator[None]:
    """Sums of floating-point numbers depend on how they are shared among threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def described(order: Order, info: MediaInfo, guide: Guide, model: FoleyGRAM) -> Sidecar:
    """The sidecar of every take, as yet without its result, its steps and guidance those without a reference.

    Raises ModelError where the weights are not those of the sidecar that is being repeated."""
    folder = order.outs[0][1].parent
    place = find_folder(order.model)
    shipped = place.parent == MODELS
    weights = ModelSource(
        source=place.name if shipped else relative(place, folder),
        shipped=shipped,
        sha256=fingerprint(deciding_files(place, model.config)),
    )
    if order.exact and weights.sha256 != order.sidecar.model.sha256:
        raise ModelError(
            f"{order.model}: its weights or config are not the sidecar's; give --model to take them as they are now"
        )

    sampler = model.config.sampler.chosen(order.steps, order.guidance)
    kept = guide.kind not in (*FROM_FILES, OWN)  # no file tells it

    def used(letter: str, path: Path | str | None) -> Source | str | None:
        return None if path is None or letter not in order.use else OWN if str(path) == OWN else source_of(Path(path), folder)

    return Sidecar(
        result=Source(path="", sha256=""),
        video=source_of(order.video, folder),
        seconds=info.seconds,
        samples=sample_count(info.seconds),
        use=order.use,
        text=order.text if "T" in order.use else None,
        audio=used("A", order.audio),
        video_ref=used("V", order.video_ref),
        envelope=EnvelopeSource(
            kind=guide.kind,
            source=source_of(guide.path, folder) if guide.kind in FROM_FILES else None,
            values=tuple(guide.envelope.values.tolist()) if kept else None,
            events=tuple(map(astuple, guide.track.events)) if kept and guide.track is not None else None,
            rate=guide.envelope.rate,
        ),
        model=weights,
        seed=order.seed,
        take=1,
        steps=sampler.steps,
        guidance=sampler.guidance,
        asked=tuple(name for name in ("steps", "guidance") if getattr(order, name) is not None),
        device=str(model.device),
        dtype=model.dtype,
        threads=order.sidecar.threads if order.exact else torch.get_num_threads(),
        format=next((name for name, subtype in FORMATS.items() if subtype == order.subtype), None),
        raw=order.raw,
        room=source_of(order.room, folder) if isinstance(order.room, Path) else order.room,
        versions=versions(),
    )


def repeats(order: Order, out: Path) -> bool:
    """Whether ``out`` should hold the bytes that a sidecar recorded."""
    return order.exact and out.suffix.lower() == Path(order.sidecar.result.path).suffix.lower()
