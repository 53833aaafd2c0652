"""Muon, which torch has from 2.9 on."""

import pytest
import torch

HAS_MUON = hasattr(torch.optim, "Muon")

needs_muon = pytest.mark.skipif(not HAS_MUON, reason="torch has Muon from 2.9 on")
