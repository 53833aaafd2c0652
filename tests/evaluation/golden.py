"""Golden numbers of the judges' networks: ``ORACLES=DIR python -m tests.evaluation.golden`` writes golden.npz.

DIR holds the reference packages, unpacked and not installed, since their pins would undo the environment:
``pip download --no-deps`` laion-clap 1.1.7, msclap 1.3.4, torchlibrosa 0.1.0, torchvggish 0.2, cd-fvd 0.1.1 and
torchaudio 2.11.0, each unpacked into DIR. The weights are random but the same everywhere: every tensor comes from
its name, by a stream of numbers that no version of numpy changes. The file keeps names and shapes of the reference's
tensors, its constant buffers, and what it answers to fixed inputs.
"""

import os
import sys
import types
import zlib
from pathlib import Path

import numpy as np
import torch

FILE = Path(__file__).with_name("golden.npz")
INDEX = "relative_position_index"


def stream(name: str) -> np.random.RandomState:
    return np.random.RandomState(zlib.crc32(name.encode()))


def random_tensor(name: str, shape: tuple[int, ...]) -> torch.Tensor:
    """Weights near the scale of their input, norms near 1, running variances above 0."""
    if not shape:
        return torch.zeros(shape, dtype=torch.long)
    if len(shape) == 1:
        noise = 0.1 * stream(name).standard_normal(shape)
        centre = 1.0 if name.endswith(("weight", "running_var")) else 0.0
        return torch.from_numpy(centre + np.clip(noise, -0.5, 0.5)).float()
    # Uniform numbers by the million are cheaper than normal ones.
    values = (stream(name).random_sample(shape) - 0.5) * np.sqrt(12 / np.prod(shape[1:]))
    return torch.from_numpy(values.astype(np.float32))


def random_state(shapes: dict[str, tuple[int, ...]], index: torch.Tensor | None = None) -> dict[str, torch.Tensor]:
    return {name: index if name.endswith(INDEX) else random_tensor(name, shape) for name, shape in shapes.items()}


def test_wave(seconds: float, rate: int, seed: int = 3) -> np.ndarray:
    """Decaying noise and two tones, float32 [sample]."""
    count = round(seconds * rate)
    times = np.arange(count) / rate
    noise = np.random.RandomState(seed).standard_normal(count) * np.exp(-(times % 0.7) * 9)
    return (0.2 * noise + 0.1 * np.sin(2 * np.pi * 440 * times) + 0.05 * np.sin(2 * np.pi * 5000 * times)).astype(np.float32)


test_wave.__test__ = False


def picture(channels: int, frames: int, side: int) -> torch.Tensor:
    """[1, channel, frame, side, side] in -1..1, smooth in space."""
    coarse = np.random.RandomState(5).random_sample((1, channels, frames, side // 16, side // 16)) * 2 - 1
    image = torch.from_numpy(coarse).float()
    return torch.nn.functional.interpolate(image, (frames, side, side), mode="trilinear", align_corners=False)


def shape_table(state: dict[str, torch.Tensor]) -> np.ndarray:
    return np.array([f"{name} {','.join(map(str, tensor.shape))}" for name, tensor in state.items()])


def read_shapes(table: np.ndarray) -> dict[str, tuple[int, ...]]:
    shapes = {}
    for row in table:
        name, _, sizes = str(row).partition(" ")
        shapes[name] = tuple(int(size) for size in sizes.split(",") if size)
    return shapes


def stub(name: str, path: Path | None = None, **names: object) -> None:
    """A module that the reference imports and does not need here, or a package without its own ``__init__``."""
    module = types.ModuleType(name)
    if path is not None:
        module.__path__ = [str(path)]
    for key, value in names.items():
        setattr(module, key, value)
    sys.modules[name] = module


@torch.no_grad()
def clap(golden: dict, folder: Path) -> None:
    stub("h5py")
    stub("torchvision")
    stub("torchvision.ops")
    stub("torchvision.ops.misc", FrozenBatchNorm2d=torch.nn.Identity)
    stub("laion_clap", folder / "laion_clap")
    stub("laion_clap.clap_module", folder / "laion_clap" / "clap_module")
    stub("transformers", AutoModel=None)
    stub("msclap", folder / "msclap")
    from laion_clap.clap_module.htsat import create_htsat_model
    from msclap.models.clap import AudioEncoder

    config = types.SimpleNamespace(
        model_name="tiny", class_num=527, sample_rate=48000, audio_length=1024, window_size=1024, hop_size=480, fmin=50,
        fmax=14000, mel_bins=64, enable_fusion=False, fusion_type="None", clip_samples=480000,
    )  # fmt: skip
    branch = create_htsat_model(config)
    projection = torch.nn.Sequential(torch.nn.Linear(768, 512), torch.nn.ReLU(), torch.nn.Linear(512, 512))
    laion = torch.nn.ModuleDict({"audio_branch": branch, "audio_projection": projection}).eval()
    own = laion.state_dict()
    golden["index"] = own[f"audio_branch.layers.0.blocks.0.attn.{INDEX}"].numpy()
    golden["laion_names"] = randomise(laion, golden["index"])
    wave = torch.from_numpy(test_wave(10, 48000))[None]
    features = projection(branch({"waveform": wave}, device=None)["embedding"])
    golden["laion"] = torch.nn.functional.normalize(features, dim=-1)[0].numpy()

    encoder = AudioEncoder("HTSAT", 768, 1024, 44100, 1024, 320, 64, 50, 8000, 527).eval()
    microsoft = torch.nn.ModuleDict({"audio_encoder": encoder}).eval()
    golden["ms_names"] = randomise(microsoft, golden["index"])
    golden["ms"] = encoder(torch.from_numpy(test_wave(7, 44100))[None])[0][0].numpy()


def randomise(module: torch.nn.Module, index: np.ndarray) -> np.ndarray:
    """Random weights for all but masks, indices and the fixed matrices of the spectrum; returns the table of shapes."""
    fixed = ("attn_mask", "stft.conv_real.weight", "stft.conv_imag.weight", "melW")
    state = {name: tensor for name, tensor in module.state_dict().items() if not name.endswith(fixed)}
    table = shape_table(state)
    module.load_state_dict(random_state(read_shapes(table), torch.from_numpy(index)), strict=False)
    return table


@torch.no_grad()
def vggish(golden: dict, folder: Path) -> None:
    stub("resampy", resample=None)
    stub("torchvggish", folder / "torchvggish")
    from torchvggish import vggish_input
    from torchvggish.torchvggish import VGG, make_layers

    examples = vggish_input.waveform_to_examples(test_wave(2.0, 16000).astype(np.float64), 16000, return_tensor=False)
    golden["vggish_log_mel"] = np.asarray(examples)[:, ::5, ::3].astype(np.float32)
    network = VGG(make_layers(), postprocess=False).eval()
    golden["vggish_names"] = shape_table(network.state_dict())
    network.load_state_dict(random_state(read_shapes(golden["vggish_names"])))
    golden["vggish_relu"] = network(torch.from_numpy(np.asarray(examples)).float()[:, None]).numpy()


@torch.no_grad()
def i3d(golden: dict, folder: Path) -> None:
    stub("cdfvd", folder / "cdfvd")
    stub("cdfvd.third_party", folder / "cdfvd" / "third_party")
    from cdfvd.third_party.i3d.pytorch_i3d import InceptionI3d

    network = InceptionI3d(400, in_channels=3).eval()
    golden["i3d_names"] = shape_table(network.state_dict())
    network.load_state_dict(random_state(read_shapes(golden["i3d_names"])))
    features = network.extract_features(picture(3, 16, 224))
    golden["i3d"] = features.flatten(2).mean(dim=2)[0].numpy()


def resampling(golden: dict, folder: Path) -> None:
    # torchaudio itself wants its own build of torch; its resampler is plain torch.
    source = (folder / "torchaudio" / "functional" / "functional.py").read_text()
    body = source[source.index("def _get_sinc_resample_kernel") : source.index("@torch.jit.unused\ndef edit_distance")]
    module = types.ModuleType("resampler")
    exec(
        "import math, warnings\nfrom typing import *\nimport torch\nfrom torch import Tensor\n_CPU = torch.device('cpu')\n"
        + body,
        module.__dict__,
    )
    for rate, target in ((44100, 48000), (44100, 16000), (16000, 44100)):
        wave = torch.from_numpy(test_wave(0.25, rate))
        expected = module.resample(
            wave, rate, target, lowpass_filter_width=64, rolloff=0.9475937167399596,
            resampling_method="sinc_interp_kaiser", beta=14.769656459379492,
        )  # fmt: skip
        golden[f"resample_{rate}_{target}"] = expected.numpy()[::7]
        golden[f"resample_{rate}_{target}_count"] = np.array(len(expected))


def main() -> None:
    torch.set_num_threads(1)
    folder = Path(os.environ["ORACLES"])
    sys.path.insert(0, str(folder))
    golden: dict[str, np.ndarray] = {}
    for part in (resampling, vggish, i3d, clap):
        part(golden, folder)
        print(part.__name__, flush=True)
    np.savez_compressed(FILE, **golden)
    print({name: value.shape for name, value in golden.items()}, FILE.stat().st_size)


if __name__ == "__main__":
    main()
