"""Where a model runs."""

import pytest
import torch

from foleygram.device import has_fast_bf16, pick_device
from foleygram.errors import UsageError


@pytest.fixture
def two_cards(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)


def test_a_device_that_is_absent_is_refused(two_cards):
    assert pick_device("cuda:1") == torch.device("cuda", 1)
    for name, told in (("cuda:2", "2 of them"), ("cpu:1", "1 of them"), ("tpu", "auto, cpu"), ("cuda:x", "auto, cpu")):
        with pytest.raises(UsageError, match=told):
            pick_device(name)


def test_each_process_takes_a_card_of_its_own(two_cards, monkeypatch):
    assert pick_device("auto") == torch.device("cuda")
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert pick_device("auto") == torch.device("cuda", 1)


@pytest.mark.parametrize("capability, fast", [((7, 5), False), ((8, 0), True), ((9, 0), True)])
def test_older_cards_do_not_multiply_bf16(monkeypatch, capability, fast):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    assert has_fast_bf16(torch.device("cuda")) is fast


def test_a_torch_that_does_not_tell_has_none(monkeypatch):
    monkeypatch.delattr(torch.cpu, "_is_avx512_bf16_supported", raising=False)
    assert has_fast_bf16(torch.device("cpu")) is False
