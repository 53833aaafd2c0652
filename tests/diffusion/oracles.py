"""Doors to the reference implementations; a test that asks for one is skipped where it is not installed."""

import importlib.util
import sys
import types
import warnings
from pathlib import Path

import pytest


def diffusers():
    """The classes of the Stable Audio port: (transformer, projection model, autoencoder, rotary angles)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pytest.importorskip("diffusers", reason="the oracle diffusers is not installed")
        from diffusers import AutoencoderOobleck, StableAudioDiTModel
        from diffusers.models.embeddings import get_1d_rotary_pos_embed
        from diffusers.pipelines.stable_audio.modeling_stable_audio import StableAudioProjectionModel
    return StableAudioDiTModel, StableAudioProjectionModel, AutoencoderOobleck, get_1d_rotary_pos_embed


def k_diffusion_sampling() -> types.ModuleType:
    """The module k_diffusion.sampling, without the heavy rest of its package, which it imports and does not need here."""
    found = importlib.util.find_spec("k_diffusion")
    if found is None:
        pytest.skip("the oracle k-diffusion is not installed")
    path = Path(found.submodule_search_locations[0]) / "sampling.py"
    stubs = {"torchdiffeq": {"odeint": None}, "torchsde": {}, "reference_k": {"utils": None}, "reference_k.utils": {}}
    kept = {name: sys.modules.get(name) for name in stubs}
    try:
        for name, content in stubs.items():
            sys.modules[name] = types.ModuleType(name)
            vars(sys.modules[name]).update(content)
        sys.modules["reference_k"].utils = sys.modules["reference_k.utils"]
        spec = importlib.util.spec_from_file_location("reference_k.sampling", path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module
    finally:
        for name, module in kept.items():
            if module is None:
                sys.modules.pop(name, None)
            else:
                sys.modules[name] = module
