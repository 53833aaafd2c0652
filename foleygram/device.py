"""Where a model runs, and in which arithmetic."""

from __future__ import annotations

import os

import torch

from foleygram.errors import UsageError

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
INT8 = "int8"


def arithmetic(device: torch.device, dtype: str) -> torch.dtype:
    """Of the transformers: bf16 where the hardware multiplies it, unless another is asked for. Raises UsageError."""
    if dtype in ("auto", INT8):
        return torch.bfloat16 if has_fast_bf16(device) else torch.float32
    if dtype not in DTYPES:
        raise UsageError(f"--dtype takes auto, fp32, bf16, fp16 or int8, not '{dtype}'")
    return DTYPES[dtype]


def has_fast_bf16(device: torch.device) -> bool:
    """Whether it multiplies bf16 matrices in hardware; else fp32 is faster."""
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device)[0] >= 8  # Ampere; older ones emulate it
    supported = getattr(torch.cpu, "_is_avx512_bf16_supported", None)  # private: not every version has it
    return device.type == "cpu" and supported is not None and supported()


def pick_device(device: str) -> torch.device:
    """``auto`` takes cuda, then mps, then cpu; of several cuda devices each process of ``accelerate launch`` its own. Raises
    UsageError for an unknown or absent one."""
    cuda, mps = torch.cuda.is_available(), torch.backends.mps.is_available()
    if device == "auto":
        own = int(os.environ.get("LOCAL_RANK", 0)) if cuda else 0
        return torch.device(f"cuda:{own}" if own else "cuda" if cuda else "mps" if mps else "cpu")
    kind = device.split(":")[0]
    if kind not in ("cpu", "cuda", "mps"):
        raise UsageError(f"--device takes auto, cpu, cuda, cuda:N or mps, not '{device}'")
    if (kind == "cuda" and not cuda) or (kind == "mps" and not mps):
        raise UsageError(f"--device {device}: this machine has no such device; use --device auto")
    try:
        found = torch.device(device)
    except RuntimeError as error:
        raise UsageError(f"--device takes auto, cpu, cuda, cuda:N or mps, not '{device}'") from error
    count = torch.cuda.device_count() if kind == "cuda" else 1
    if (found.index or 0) >= count:
        raise UsageError(f"--device {device}: this machine has {count} of them, counted from 0; use --device auto")
    return found
