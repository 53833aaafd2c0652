"""``foleygram.evaluation`` as others import it."""

import pkgutil
import subprocess
import sys

import pytest

import foleygram.evaluation as evaluation

ISSUE = {
    "Frechet distance": (
        "frechet_distance",
        "frechet_from_statistics",
        "frechet_per_clip",
        "frechet_infinity",
        "GaussianStatistics",
    ),
    "floor and intervals": ("split_half_floor", "frechet_interval", "mean_interval"),
    "KAD": ("kernel_distance",),
    "CLAP score": ("clap_pair_score",),
    "FAVD": ("favd_score",),
    "IS, KL": ("inception_score", "paired_kl"),
    "onsets": ("match_onsets", "onset_score", "foley_onset_score"),
    "E-L1": ("e_l1_tfoley", "e_l1_video_foley", "e_l1_video2rms", "e_l1_matched", "envelope_correlation"),
    "AV-Align": ("av_align_score",),
    "embedders": ("MsClap", "LaionClap", "Vggish", "I3d", "GramJudge", "Aisfx", "LogMel", "CachedEmbedder"),
    "systems": ("evaluate_folder", "load_report", "write_report", "compare", "benchmark_minihits", "score", "rank_score"),
}


@pytest.mark.parametrize("what", ISSUE)
def test_every_metric_has_a_public_name(what):
    for name in ISSUE[what]:
        assert name in evaluation.__all__
        found = getattr(evaluation, name)
        assert callable(found) and found.__module__.startswith("foleygram.evaluation.")


def test_names_and_modules_do_not_hide_each_other():
    modules = {module.name for module in pkgutil.iter_modules(evaluation.__path__)}
    assert not modules & set(evaluation.__all__)
    for name in evaluation.__all__:
        getattr(evaluation, name)
    from foleygram.evaluation import av_align, foley_onsets, onsets

    assert av_align.av_align is evaluation.av_align_score
    assert foley_onsets.evaluate is evaluation.foley_onset_score and onsets.evaluate is evaluation.onset_score


def test_importing_the_folder_imports_no_torch():
    code = "import foleygram.evaluation, sys; assert not {'torch', 'numpy', 'librosa'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_other_names_are_refused():
    with pytest.raises(AttributeError, match="nonsense"):
        evaluation.nonsense  # noqa: B018
