"""The judges' networks against the reference implementations (golden.py), their windows, and what happens without weights."""

import numpy as np
import pytest
import torch

from foleygram.errors import DataError, ModelError, OutputError
from foleygram.evaluation import clap, i3d, vggish
from foleygram.evaluation.aisfx import Aisfx, AisfxNetwork, fold
from foleygram.evaluation.embedding_cache import CachedEmbedder
from foleygram.evaluation.gram_judge import GramJudge
from foleygram.evaluation.logmel import LogMel
from foleygram.evaluation.resampling import resample_kaiser, sixteen_bits
from foleygram.hub import aisfx as wheel
from foleygram.hub import evaluators
from foleygram.hub.aisfx import find_aisfx_checkpoint
from foleygram.types import Audio, Video
from tests.evaluation import golden
from tests.tiny import tiny_model

GOLDEN = dict(np.load(golden.FILE))


@pytest.fixture(autouse=True)
def empty_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("FOLEYGRAM_CACHE", str(tmp_path))
    return tmp_path


def state(names: str) -> dict[str, torch.Tensor]:
    return golden.random_state(golden.read_shapes(GOLDEN[names]), torch.from_numpy(GOLDEN["index"]))


def put(folder, file: evaluators.EvaluatorFile, tensors: dict[str, torch.Tensor], wrap: str | None = None) -> None:
    path = folder / "evaluators" / file.name
    path.parent.mkdir(exist_ok=True)
    torch.save({wrap: tensors} if wrap else tensors, path)


@pytest.mark.parametrize("rate, target", [(44100, 48000), (44100, 16000), (16000, 44100)])
def test_kaiser_resampling_is_torchaudios(rate, target):
    found = resample_kaiser(golden.test_wave(0.25, rate), rate, target)
    assert len(found) == GOLDEN[f"resample_{rate}_{target}_count"]
    np.testing.assert_allclose(found[::7], GOLDEN[f"resample_{rate}_{target}"], atol=5e-6)


def test_sixteen_bits_are_what_a_file_keeps():
    assert sixteen_bits(np.array([0.0, 1e-6, 2**-15, 1.5, -1.5])).tolist() == [0, 0, 2**-15, 32767 / 32768, -1]


@pytest.fixture(scope="module")
def ms() -> clap.ClapTower:
    return clap.ms_tower(state("ms_names")).eval()


def test_ms_clap_is_msclaps(ms):
    wave = torch.from_numpy(golden.test_wave(7, 44100))[None]
    with torch.no_grad():
        found = ms(clap.log_mel(wave, clap.filters_of({}, "", clap.MS_FILTER_RATE), 320))[0]
    np.testing.assert_allclose(found, GOLDEN["ms"], rtol=1e-4, atol=1e-4)


def test_ms_clap_ends_in_a_layer_norm():
    projection = clap.MsProjection()
    found = projection(torch.randn(5, 768, generator=torch.Generator().manual_seed(0)))
    torch.testing.assert_close(found.norm(dim=1), torch.full((5,), 32.0), rtol=1e-3, atol=0)
    torch.testing.assert_close(found.mean(dim=1), torch.zeros(5), rtol=0, atol=1e-6)


def test_laion_clap_is_laion_claps():
    tower = clap.laion_tower(state("laion_names")).eval()
    wave = torch.from_numpy(golden.test_wave(10, 48000))[None]
    with torch.no_grad():
        found = tower(clap.log_mel(wave, clap.filters_of({}, "", 48000), 480))[0]
    np.testing.assert_allclose(found, GOLDEN["laion"], rtol=1e-4, atol=1e-5)
    assert found.norm() == pytest.approx(1, abs=1e-6)


def test_missing_tensors_are_not_made_up():
    tensors = state("ms_names")
    del tensors["audio_encoder.base.htsat.norm.weight"]
    with pytest.raises(ModelError, match="MS-CLAP 2023 .*: missing audio_encoder.norm.weight;"):
        clap.ms_tower(tensors)


@pytest.mark.parametrize(
    "seconds, rate, window, count, padded",
    [(10, 44100, 7, 10, 6), (10, 48000, 10, 10, 9), (10.2, 48000, 10, 11, 10), (0.5, 48000, 10, 1, 1)],
)
def test_windows_are_fadtks(seconds, rate, window, count, padded):
    windows = clap.windows_of(np.ones(round(seconds * rate), np.float32), rate, window)
    assert windows.shape == (count, window * rate)
    assert (windows[:, -1] == 0).sum() == padded
    assert clap.windows_of(np.ones(11 * rate, np.float32), rate, window, whole=True).shape == (1, window * rate)


def test_ms_clap_from_the_users_cache(empty_cache):
    filters = {"audio_encoder.base.htsat.logmel_extractor.melW": torch.rand(513, 64)}
    put(empty_cache, evaluators.MS_CLAP, state("ms_names") | filters, wrap="model")
    judge = clap.MsClap()
    assert torch.equal(judge.mel.keywords["filters"], *filters.values())
    windows = judge.embed(Audio(golden.test_wave(1.5, 22050)[None], 22050))
    assert windows.shape == (2, 1024)
    assert len(judge.card.weights) == 64 and judge.card.label.startswith("MS-CLAP 2023 #")


def test_vggish_log_mel_is_torchvggishs():
    found = vggish.log_mel_windows(golden.test_wave(2.0, 16000))
    np.testing.assert_allclose(found[:, ::5, ::3], GOLDEN["vggish_log_mel"], atol=1e-6)


@pytest.mark.parametrize("seconds, count", [(10.0, 10), (9.6, 9), (0.975, 1), (0.3, 1)])
def test_vggish_windows(seconds, count):
    assert vggish.log_mel_windows(np.zeros(round(16000 * seconds))).shape == (count, 96, 64)


def test_vggish_is_torchvggishs(empty_cache):
    tensors = state("vggish_names")
    network = vggish.VggishNetwork()
    network.load_state_dict(tensors)
    windows = torch.from_numpy(vggish.log_mel_windows(golden.test_wave(2.0, 16000)))[:, None]
    with torch.no_grad():
        raw = network(windows).numpy()
    np.testing.assert_allclose(vggish.postprocess(raw, "relu"), GOLDEN["vggish_relu"], rtol=1e-4, atol=1e-5)
    assert (raw < 0).any()


def test_vggish_pca_counts_in_whole_levels():
    random = np.random.RandomState(0)
    vectors, means = random.standard_normal((128, 128)).astype(np.float32), random.random_sample(128).astype(np.float32)
    raw = random.standard_normal((6, 128)).astype(np.float32)
    levels = vggish.postprocess(raw, "pca_u8", (vectors, means))
    assert levels.min() >= 0 and levels.max() <= 255 and (levels == levels.round()).all()
    whitened = vectors @ (np.maximum(raw[0], 0) - means)
    assert levels[0, 0] == np.round((np.clip(whitened[0], -2, 2) + 2) * 255 / 4)


def test_vggish_outputs_from_the_users_cache(empty_cache):
    put(empty_cache, evaluators.VGGISH, state("vggish_names") | {"pproc.pca_means": torch.ones(128, 1)})
    means = np.full((128, 1), 0.5)
    np.savez(evaluators.evaluator_path(evaluators.VGGISH_PCA), pca_eigen_vectors=np.eye(128), pca_means=means)
    audio = Audio(golden.test_wave(2.0, 16000)[None], 16000)
    judge = vggish.Vggish("pca_u8")
    levels = judge.embed(audio)
    judge.post = "relu"
    relu = judge.embed(audio)
    judge.post = "raw"
    raw = judge.embed(audio)
    np.testing.assert_array_equal(relu, np.maximum(raw, 0))
    np.testing.assert_array_equal(levels, np.round((np.clip(relu - 0.5, -2, 2) + 2) * 63.75))
    assert raw.min() < 0 and levels.dtype == np.float32
    assert judge.card.label.startswith("VGGish (pca_u8) #")


def from_piergiaj(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The names of the golden network under those of the published weights."""
    branches = {
        "b0": "branch_0",
        "b1a": "branch_1.0",
        "b1b": "branch_1.1",
        "b2a": "branch_2.0",
        "b2b": "branch_2.1",
        "b3b": "branch_3.1",
    }
    renamed = {}
    for name, tensor in tensors.items():
        for old, new in branches.items():
            name = name.replace(f".{old}.", f".{new}.")
        name = name.replace(".bn.", ".batch3d.").replace("Conv3d_", "conv3d_").replace("Mixed_", "mixed_")
        if not name.startswith("logits."):
            renamed[name] = tensor
    return renamed


def test_i3d_is_the_reference():
    network = i3d.I3dNetwork().eval()
    network.load_state_dict(from_piergiaj(state("i3d_names")))
    with torch.no_grad():
        found = network(golden.picture(3, 16, 224))[0]
    np.testing.assert_allclose(found, GOLDEN["i3d"], rtol=1e-4, atol=1e-5)


def video(frames: int, fps: float, height: int = 36, width: int = 64) -> Video:
    values = np.arange(frames)[:, None, None, None] % 256
    return Video(np.broadcast_to(values, (frames, 3, height, width)).astype(np.uint8), np.arange(frames) / fps, frames / fps)


@pytest.mark.parametrize("fps, frames, windows", [(25, 250, 10), (30, 300, 10), (15, 150, 10), (25, 25, 1)])
def test_pictures_come_to_25_frames_a_second(fps, frames, windows):
    grid = i3d.at_25_fps(video(frames, fps))
    assert (len(grid) - 1) // i3d.STACK == windows
    shown = grid[:100, 0, 0, 0] / fps  # a frame's grey is its number
    assert np.abs(np.arange(len(shown)) / 25 - shown).max() <= 0.5 / fps + 1e-9


def test_pictures_are_resized_and_cropped():
    rows = np.broadcast_to(np.linspace(0, 255, 480)[None, None, :, None], (2, 3, 480, 640)).astype(np.uint8)
    image = i3d.resized(rows)
    assert image.shape == (2, 3, 256, 341)
    given = i3d.rgb_input(image)
    assert given.shape == (1, 3, 2, 224, 224) and -1 <= given.min() < given.max() <= 1
    flow = torch.full((2, 2, 256, 300), 40.0)
    assert i3d.flow_input(flow).unique().item() == pytest.approx(2 * 256 / 255 - 1)


def test_farneback_sees_a_shift():
    pytest.importorskip("cv2")
    texture = np.random.RandomState(0).randint(0, 255, (1, 8, 8)).repeat(12, 1).repeat(12, 2).astype(np.uint8)
    frames = np.stack([np.roll(texture, shift, axis=2).repeat(3, 0) for shift in (0, 2)])
    flow = i3d.farneback(torch.from_numpy(frames).float())
    assert flow.shape == (1, 2, 96, 96)
    assert flow[0, 0, 20:-20, 20:-20].median() == pytest.approx(2, abs=0.7)


def test_streams_are_added():
    pytest.importorskip("cv2")
    given = []
    judge = judges()["i3d"]
    judge.flow = lambda stack: given.append(tuple(stack.shape)) or torch.full((1, 1024), 2.0)
    assert (judge.embed(video(25, 25)) == 3).all()
    assert given == [(1, 2, 24, 224, 224)]


@pytest.mark.parametrize("make", [clap.MsClap, clap.LaionClap, vggish.Vggish, i3d.I3d])
def test_absent_weights_say_what_to_do(make, empty_cache):
    with pytest.raises(ModelError, match=f"get .* from https://.* and put it into {empty_cache}"):
        make()


@pytest.mark.parametrize("make", [clap.MsClap, clap.LaionClap, vggish.Vggish, i3d.I3d])
def test_a_cache_that_cannot_be_looked_into_is_said_of_each_judge(make, empty_cache, shut, homeless, monkeypatch):
    with pytest.raises(ModelError, match="no weights for .*no home folder; set FOLEYGRAM_CACHE"):
        make()
    monkeypatch.setenv("FOLEYGRAM_CACHE", str(empty_cache / "cache"))
    shut(empty_cache)
    with pytest.raises(ModelError, match="no weights for .*cannot be looked into .Permission denied."):
        make()


@pytest.mark.parametrize("content", [b"not a file of arrays", b"PK\x03\x04 and no more"])
def test_broken_pca_is_named(content, empty_cache):
    path = evaluators.evaluator_path(evaluators.VGGISH_PCA)
    path.parent.mkdir()
    path.write_bytes(content)
    with pytest.raises(ModelError, match="get it again"):
        evaluators.load_vggish_pca()


JUDGES = (
    (clap.MsClap, evaluators.MS_CLAP), (clap.LaionClap, evaluators.LAION_CLAP), (vggish.Vggish, evaluators.VGGISH),
    (i3d.I3d, evaluators.I3D_RGB),
)  # fmt: skip
OTHERS = {
    "another network": {"fc.weight": torch.ones(2, 2)},
    "another size": {
        "audio_encoder.base.htsat.norm.weight": torch.ones(1024), "audio_branch.norm.weight": torch.ones(1024),
        "features.0.weight": torch.ones(2, 1, 3, 3), "conv3d_2b_1x1.batch3d.weight": torch.ones(2),
    },
    "other layers": {
        "audio_encoder.base.htsat.layers.0.attn.qkv.bias": torch.ones(4), "audio_branch.layers.0.attn.qkv.bias": torch.ones(()),
        "audio_projection.1.weight": torch.ones(2, 2),
    },
}  # fmt: skip


@pytest.mark.parametrize("tensors", OTHERS.values(), ids=OTHERS)
@pytest.mark.parametrize("make, file", JUDGES, ids=[file.judge for _, file in JUDGES])
def test_weights_of_another_network_are_named(make, file, tensors, empty_cache):
    put(empty_cache, file, tensors)
    with pytest.raises(ModelError, match=f"not the tensors of {file.judge} .*{file.name}, from https://.*missing") as caught:
        make()
    assert "\n" not in str(caught.value)


def test_weights_of_another_projection_are_named():
    tensors = state("laion_names")
    tensors["audio_projection.1.weight"] = tensors.pop("audio_projection.0.weight")
    with pytest.raises(ModelError, match="LAION-CLAP .*missing linear1.weight; unknown 1.weight"):
        clap.laion_tower(tensors)
    tensors = state("ms_names")
    tensors["audio_encoder.projection.linear1.weight"] = torch.ones(512, 768)
    with pytest.raises(ModelError, match=r"MS-CLAP 2023 .*linear1.weight is \(512, 768\) instead of \(1024, 768\)"):
        clap.ms_tower(tensors)


def test_checkpoints_without_counts_of_batches_are_read(empty_cache):
    tensors = i3d.I3dNetwork().state_dict() | {"conv3d_0c_1x1.conv3d.weight": torch.ones(400, 1024, 1, 1, 1)}
    put(empty_cache, evaluators.I3D_RGB, {name: value for name, value in tensors.items() if "num_batches" not in name})
    judge = i3d.I3d()
    assert torch.equal(judge.rgb.conv3d_2b_1x1.conv3d.weight, tensors["conv3d_2b_1x1.conv3d.weight"])
    assert judge.card.label.startswith("I3D (rgb) #")


def test_parity_modes_read_files_of_their_own(empty_cache):
    put(empty_cache, evaluators.I3D_RGB, i3d.I3dNetwork().state_dict())
    with pytest.raises(ModelError, match="get i3d_flow.pt from https://"):
        i3d.I3d("rgb+flow")
    put(empty_cache, evaluators.I3D_FLOW, i3d.I3dNetwork().state_dict())
    with pytest.raises(ModelError, match="not the tensors of I3D, flow .*i3d_flow.pt"):
        i3d.I3d("rgb+flow")
    put(empty_cache, evaluators.I3D_FLOW, i3d.I3dNetwork(2).state_dict())
    card = i3d.I3d("rgb+flow").card
    assert card.label.startswith("I3D (rgb+flow) #") and len(card.weights) == 128 and "Farneback" in card.note
    put(empty_cache, evaluators.VGGISH, state("vggish_names"))
    with pytest.raises(ModelError, match="get vggish_pca_params.npz from https://"):
        vggish.Vggish("pca_u8")


def test_laion_clap_music_is_the_larger_network(empty_cache, monkeypatch):
    with pytest.raises(ModelError, match="get music_audioset_epoch_15_esc_90.14.pt from https://"):
        clap.LaionClap(music=True)
    put(empty_cache, evaluators.LAION_CLAP_MUSIC, state("laion_names"))
    with pytest.raises(ModelError, match="not the tensors of LAION-CLAP music .*instead of"):
        clap.LaionClap(music=True)
    filled = []
    monkeypatch.setattr(clap, "fill", lambda network, tensors, file: filled.append(file))
    judge = clap.LaionClap(music=True)
    assert filled == [evaluators.LAION_CLAP_MUSIC] * 2
    assert judge.card.label.startswith("LAION-CLAP music_audioset_epoch_15_esc_90.14 #")
    windows = judge.embed(Audio(golden.test_wave(0.5, 48000)[None], 48000))
    assert windows.shape == (1, 512) and np.linalg.norm(windows) == pytest.approx(1, abs=1e-5)


def test_old_checkpoints_with_numbers_of_numpy_are_read(empty_cache):
    path = evaluators.evaluator_path(evaluators.LAION_CLAP)
    path.parent.mkdir()
    torch.save({"epoch": np.float64(3), "state_dict": {"a": torch.ones(2)}}, path)
    tensors, digest = evaluators.load_evaluator(evaluators.LAION_CLAP)
    assert list(tensors) == ["a"] and len(digest) == 64


def test_log_mel_windows():
    judge = LogMel()
    assert judge.embed(Audio(golden.test_wave(10, 44100)[None], 44100)).shape == (19, 128)
    assert judge.embed(Audio(golden.test_wave(0.1, 16000)[None], 16000)).shape == (1, 128)
    with pytest.raises(DataError, match="length 0"):
        judge.embed(Audio(np.zeros((1, 0)), 44100))


def test_the_models_own_space_is_a_judge_that_says_so():
    encoder = tiny_model().gram
    judge = GramJudge(encoder, "tiny", "0" * 64)
    found = judge.embed(Audio(golden.test_wave(2.0, 44100)[None], 44100))
    assert found.shape == (1, judge.card.dim) == (1, 24)
    assert np.linalg.norm(found) == pytest.approx(1, abs=1e-5)
    assert "not an outside judge" in judge.card.note


class Counting(LogMel):
    calls = 0

    def embed(self, audio):
        self.calls += 1
        return super().embed(audio)


def judges() -> dict:
    """One of each kind; the networks' weights are whatever they begin with."""
    eyes = object.__new__(i3d.I3d)
    eyes.rgb, eyes.flow = (lambda stack: torch.ones(1, 1024)), None
    ears = object.__new__(vggish.Vggish)
    ears.network, ears.post, ears.pca = (lambda mel: torch.ones(len(mel), 128)), "raw", None
    hearing = object.__new__(Aisfx)
    hearing.network, hearing.filters = (lambda mel: torch.ones(len(mel), 512)), torch.ones(96, 1025)
    return {"i3d": eyes, "vggish": ears, "aisfx": hearing, "log-mel": LogMel()}


@pytest.mark.parametrize("name", ["i3d", "vggish", "aisfx", "log-mel"])
def test_windows_lie_in_memory_of_their_own(name):
    """Kept among a network's buffers, 14 kB of windows would cost 20 MB a clip (embedders.own_array)."""
    windows = judges()[name].embed(video(30, 25) if name == "i3d" else Audio(np.ones((1, 88200)), 44100))
    assert windows.flags.owndata and windows.dtype == np.float32


def test_cache_remembers_by_content(tmp_path):
    judge = Counting()
    cached = CachedEmbedder(judge, tmp_path)
    audio = Audio(golden.test_wave(1.2, 44100)[None], 44100)
    first, second = cached.embed(audio), cached.embed(Audio(audio.samples.copy(), 44100))
    assert judge.calls == 1
    np.testing.assert_array_equal(first, second)
    cached.embed(Audio(audio.samples * 0.5, 44100))
    cached.embed(Audio(audio.samples, 22050))
    assert judge.calls == 3
    for spoiled, content in zip(cached.folder.glob("*.npy"), (b"broken", b""), strict=False):
        spoiled.write_bytes(content)
    for factor in (1, 0.5):
        assert cached.embed(Audio(audio.samples * factor, 44100)).shape[1] == 128
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot be written"):
        CachedEmbedder(judge, tmp_path / "file").embed(audio)


def test_folding_a_norm_into_its_convolution_changes_nothing():
    random = torch.Generator().manual_seed(0)
    tensors = {}
    for number, (inputs, outputs) in enumerate(((1, 64), (64, 128), (128, 256), (256, 512)), start=1):
        for place, width in ((1, inputs), (2, outputs)):
            block = f"embedding_net.conv_block{number}"
            tensors[f"{block}.conv{place}.weight"] = torch.randn(outputs, width, 3, 3, generator=random) / (3 * width**0.5)
            for name, centre in (("weight", 1.0), ("bias", 0.0), ("running_mean", 0.0), ("running_var", 1.0)):
                tensors[f"{block}.bn{place}.{name}"] = centre + 0.1 * torch.randn(outputs, generator=random).abs()
    network = AisfxNetwork()
    network.load_state_dict(fold(tensors))
    x = mel = torch.rand(2, 20, 96, generator=random)
    x = x[:, None]
    with torch.no_grad():
        for number in range(1, 5):
            for place in (1, 2):
                norm, block = f"embedding_net.conv_block{number}.bn{place}", f"embedding_net.conv_block{number}"
                x = torch.nn.functional.conv2d(x, tensors[f"{block}.conv{place}.weight"], padding=1)
                x = torch.nn.functional.batch_norm(
                    x,
                    tensors[f"{norm}.running_mean"],
                    tensors[f"{norm}.running_var"],
                    tensors[f"{norm}.weight"],
                    tensors[f"{norm}.bias"],
                ).relu()
            x = torch.nn.functional.max_pool2d(x, 2) if number < 4 else x
        torch.testing.assert_close(network(mel), x.mean(dim=3).amax(dim=2), rtol=1e-4, atol=1e-4)


def test_aisfx_without_its_wheel_says_how_to_get_it(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ModelError, match="pip install --no-deps aisfx==0.1.2"):
        Aisfx()


@pytest.mark.parametrize(
    "content",
    [
        ({"a": torch.ones(2)}, {"ucsMixed": 3}),
        ({"a": torch.ones(2)}, {"ucsMixed": (0, 1, 2)}),
        ({"a": torch.ones(2)}, {"ucsMixed": ("first", 69)}),
        ({"a": torch.ones(2)}, {"ucsMixed": (torch.ones(2), 69)}),
        ({"a": torch.ones(2)}, [1, 2]),
        (torch.ones(2), {}),
        ({"a": torch.ones(2)}, {}),
        ({"embedding_net.conv_block1.bn1.weight": torch.ones(2)}, {"ucsMixed": (0, 69)}),
        {"a": torch.ones(2)},
    ],
)
def test_a_damaged_wheel_is_to_be_installed_again(content, tmp_path, monkeypatch):
    torch.save(content, tmp_path / "checkpoint.pth")
    monkeypatch.setattr(wheel, "find_aisfx_checkpoint", lambda: tmp_path / "checkpoint.pth")
    with pytest.raises(ModelError, match="install it again with pip install --no-deps aisfx==0.1.2") as caught:
        Aisfx()
    assert "\n" not in str(caught.value)


@pytest.mark.skipif(find_aisfx_checkpoint() is None, reason="the wheel aisfx is not installed")
def test_aisfx_hears_what_is_alike():
    judge = Aisfx()

    def strike(frequency: float, decay: float, seed: int) -> Audio:
        noise = np.random.RandomState(seed).standard_normal(44100 * 3) * 0.2
        times = np.arange(44100 * 3) / 44100
        wave = (np.sin(2 * np.pi * frequency * times) + noise) * np.exp(-(times % 0.5) * decay)
        return Audio(0.5 * wave[None] / np.abs(wave).max(), 44100)

    bell, bell_again, wood = (judge.embed(audio) for audio in (strike(2600, 6, 0), strike(2600, 6, 1), strike(200, 60, 2)))
    assert bell.shape == (1, 512)

    def cosine(a, b):
        return float(a[0] @ b[0] / np.linalg.norm(a[0]) / np.linalg.norm(b[0]))

    assert cosine(bell, bell_again) > 0.98 > cosine(bell, wood)
    assert judge.embed(Audio(0.1 * strike(200, 60, 2).samples, 44100)) == pytest.approx(wood, abs=1e-3)
    assert judge.logits(bell).shape == (1, 69)
    assert np.isfinite(judge.embed(Audio(np.zeros((2, 441000)), 44100))).all()
