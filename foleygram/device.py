"""Where a model runs, and in which arithmetic."""

from __future__ import annotations

import torch

from foleygram.errors import UsageError

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
INT8 = "int8"


def arithmetic(device: torch.device, dtype: str) -> torch.dtype:
    """Of the transformers: bf16 where the hardware multiplies it, unless another is asked for. Raises UsageError."""
    if dtype in ("auto", INT8):
        fast = device.type == "cuda" or (device.type == "cpu" and has_fast_bf16())
        return torch.bfloat16 if fast else torch.float32
    if dtype not in DTYPES:
        raise UsageError(f"--dtype takes auto, fp32, bf16, fp16 or int8, not '{dtype}'")
    return DTYPES[dtype]


def has_fast_bf16() -> bool:
    """Whether this CPU multiplies bf16 matrices in hardware; else fp32 is faster."""
    return torch.cpu._is_avx512_bf16_supported()


def pick_device(device: str) -> torch.device:
    """``auto`` takes cuda, then mps, then cpu. Raises UsageError for an unknown or absent one."""
    cuda, mps = torch.cuda.is_available(), torch.backends.mps.is_available()
    if device == "auto":
        return torch.device("cuda" if cuda else "mps" if mps else "cpu")
    kind = device.split(":")[0]
    if kind not in ("cpu", "cuda", "mps"):
        raise UsageError(f"--device takes auto, cpu, cuda, cuda:N or mps, not '{device}'")
    if (kind == "cuda" and not cuda) or (kind == "mps" and not mps):
        raise UsageError(f"--device {device}: this machine has no such device; use --device auto")
    try:
        return torch.device(device)
    except RuntimeError as error:
        raise UsageError(f"--device takes auto, cpu, cuda, cuda:N or mps, not '{device}'") from error
