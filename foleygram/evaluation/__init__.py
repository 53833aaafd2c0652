"""Scores of section IV-B and V, as functions of embeddings or sounds, and of whole folders.

    from foleygram.evaluation import Aisfx, evaluate_folder, frechet_distance, score

    distance = frechet_distance(X, Y)                    # float [window, dim] each
    report = score(results, truths, true_onsets)         # Audio of each clip
    report = evaluate_folder("results", "clips.jsonl")   # files of any system

Names are imported when they are first used, so ``import foleygram.evaluation`` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from foleygram.evaluation.aisfx import Aisfx as Aisfx
    from foleygram.evaluation.av_align import av_align as av_align_score
    from foleygram.evaluation.benchmark import benchmark_minihits as benchmark_minihits
    from foleygram.evaluation.bootstrap import frechet_interval as frechet_interval
    from foleygram.evaluation.bootstrap import mean_interval as mean_interval
    from foleygram.evaluation.clap import LaionClap as LaionClap
    from foleygram.evaluation.clap import MsClap as MsClap
    from foleygram.evaluation.clap_score import clap_score as clap_pair_score
    from foleygram.evaluation.classes import inception_score as inception_score
    from foleygram.evaluation.classes import paired_kl as paired_kl
    from foleygram.evaluation.comparison import compare as compare
    from foleygram.evaluation.embedders import Embedder as Embedder
    from foleygram.evaluation.embedding_cache import CachedEmbedder as CachedEmbedder
    from foleygram.evaluation.envelopes import correlation as envelope_correlation
    from foleygram.evaluation.envelopes import e_l1_matched as e_l1_matched
    from foleygram.evaluation.envelopes import e_l1_tfoley as e_l1_tfoley
    from foleygram.evaluation.envelopes import e_l1_video2rms as e_l1_video2rms
    from foleygram.evaluation.envelopes import e_l1_video_foley as e_l1_video_foley
    from foleygram.evaluation.evaluate import EvaluationReport as EvaluationReport
    from foleygram.evaluation.evaluate import evaluate_folder as evaluate_folder
    from foleygram.evaluation.evaluate import load_report as load_report
    from foleygram.evaluation.favd import favd as favd_score
    from foleygram.evaluation.foley_onsets import evaluate as foley_onset_score
    from foleygram.evaluation.frechet import GaussianStatistics as GaussianStatistics
    from foleygram.evaluation.frechet import frechet_distance as frechet_distance
    from foleygram.evaluation.frechet import frechet_from_statistics as frechet_from_statistics
    from foleygram.evaluation.frechet import frechet_infinity as frechet_infinity
    from foleygram.evaluation.frechet import frechet_per_clip as frechet_per_clip
    from foleygram.evaluation.frechet import split_half_floor as split_half_floor
    from foleygram.evaluation.free_text import benchmark_prompts as benchmark_prompts
    from foleygram.evaluation.gram_judge import GramJudge as GramJudge
    from foleygram.evaluation.i3d import I3d as I3d
    from foleygram.evaluation.kernel import kernel_distance as kernel_distance
    from foleygram.evaluation.logmel import LogMel as LogMel
    from foleygram.evaluation.onsets import evaluate as onset_score
    from foleygram.evaluation.onsets import match_onsets as match_onsets
    from foleygram.evaluation.probe import MaterialProbe as MaterialProbe
    from foleygram.evaluation.probe import train_probe as train_probe
    from foleygram.evaluation.prompts import PROMPTS as PROMPTS
    from foleygram.evaluation.recognition import benchmark_materials as benchmark_materials
    from foleygram.evaluation.reference import benchmark_reference as benchmark_reference
    from foleygram.evaluation.report import write_report as write_report
    from foleygram.evaluation.scoring import score as score
    from foleygram.evaluation.similarity import evaluate as rank_score
    from foleygram.evaluation.trials import write_trial as write_trial
    from foleygram.evaluation.vggish import Vggish as Vggish

_HOMES = {
    "aisfx": ("Aisfx",),
    "benchmark": ("benchmark_minihits",),
    "bootstrap": ("frechet_interval", "mean_interval"),
    "clap": ("LaionClap", "MsClap"),
    "classes": ("inception_score", "paired_kl"),
    "comparison": ("compare",),
    "embedders": ("Embedder",),
    "embedding_cache": ("CachedEmbedder",),
    "envelopes": ("e_l1_matched", "e_l1_tfoley", "e_l1_video2rms", "e_l1_video_foley"),
    "evaluate": ("EvaluationReport", "evaluate_folder", "load_report"),
    "free_text": ("benchmark_prompts",),
    "frechet": (
        "GaussianStatistics", "frechet_distance", "frechet_from_statistics", "frechet_infinity", "frechet_per_clip",
        "split_half_floor",
    ),
    "gram_judge": ("GramJudge",),
    "i3d": ("I3d",),
    "kernel": ("kernel_distance",),
    "logmel": ("LogMel",),
    "onsets": ("match_onsets",),
    "probe": ("MaterialProbe", "train_probe"),
    "prompts": ("PROMPTS",),
    "recognition": ("benchmark_materials",),
    "reference": ("benchmark_reference",),
    "report": ("write_report",),
    "scoring": ("score",),
    "trials": ("write_trial",),
    "vggish": ("Vggish",),
}  # fmt: skip
_HOME = {name: (module, name) for module, names in _HOMES.items() for name in names} | {
    # names of their own: a function that is called like its module would hide it here
    "av_align_score": ("av_align", "av_align"),
    "clap_pair_score": ("clap_score", "clap_score"),
    "envelope_correlation": ("envelopes", "correlation"),
    "favd_score": ("favd", "favd"),
    "foley_onset_score": ("foley_onsets", "evaluate"),
    "onset_score": ("onsets", "evaluate"),
    "rank_score": ("similarity", "evaluate"),
}

__all__ = [*_HOME]


def __getattr__(name: str):
    if name not in _HOME:
        raise AttributeError(f"module 'foleygram.evaluation' has no attribute '{name}'")
    module, attribute = _HOME[name]
    value = getattr(import_module(f"foleygram.evaluation.{module}"), attribute)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
