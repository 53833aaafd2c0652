import sys

import numpy as np
import pytest

from foleygram.data.manifest import SPLITS
from foleygram.data.opencv import _OpenCV
from foleygram.data.surfaces import MATERIALS, surface
from foleygram.data.textures import load_texture, texture_split
from foleygram.errors import DataError

cv2 = pytest.importorskip("cv2")


def rows(groups: dict[str, int]) -> list[dict[str, str]]:
    """A manifest with two pictures for every asset group."""
    return [
        {"path": f"{material}/{group}-{copy}.jpg", "material": material, "asset_group": f"{material}{group}"}
        for material, count in groups.items()
        for group in range(count)
        for copy in range(2)
    ]


def test_splits_share_no_asset_group_and_lose_no_row():
    manifest = rows({"wood": 20, "water": 3, "leaf": 2, "snow": 1})
    split = texture_split(manifest)
    assert sum(len(split[name]) for name in SPLITS) == len(manifest)
    groups = [{row["asset_group"] for row in split[name]} for name in SPLITS]
    assert not (groups[0] & groups[1] or groups[0] & groups[2] or groups[1] & groups[2])


def test_every_split_has_a_material_with_three_groups():
    split = texture_split(rows({"wood": 20, "water": 3, "leaf": 2, "snow": 1}))
    materials = {name: {row["material"] for row in split[name]} for name in SPLITS}
    assert materials["train"] == {"wood", "water", "leaf", "snow"}
    assert materials["test"] == {"wood", "water", "leaf"}
    assert materials["validation"] == {"wood", "water"}


def test_an_asset_group_of_two_materials_stays_in_one_split():
    manifest = rows({"wood": 8, "rock": 8})
    for row in manifest:
        row["asset_group"] = row["asset_group"].removeprefix(row["material"])
    split = texture_split(manifest)
    home = [{row["asset_group"] for row in split[name]} for name in SPLITS]
    assert sum(map(len, home)) == 8


def test_the_split_does_not_depend_on_the_order_of_rows():
    manifest = rows({"wood": 12})
    one, other = texture_split(manifest), texture_split(manifest[::-1])
    assert all({row["path"] for row in one[name]} == {row["path"] for row in other[name]} for name in SPLITS)


def test_a_row_without_a_group_is_refused():
    with pytest.raises(DataError, match="asset_group"):
        texture_split([{"path": "a.jpg", "material": "wood", "asset_group": ""}])


@pytest.mark.parametrize("material", MATERIALS)
def test_every_material_has_a_surface(material):
    image = surface(material, 3, 64)
    assert image.shape == (64, 64, 3) and image.dtype == np.uint8
    assert image.std() > 1.0
    np.testing.assert_array_equal(image, surface(material, 3, 64))
    assert (image != surface(material, 4, 64)).any()


def test_the_materials_of_greatest_hits_can_be_painted():
    named = "carpet ceramic cloth dirt drywall glass grass gravel leaf metal paper plastic plastic-bag rock tile water wood"
    assert set(named.split()) <= set(MATERIALS)


def test_underscores_and_spaces_name_the_same_surface():
    np.testing.assert_array_equal(surface("plastic_bag", 1, 48), surface("plastic-bag", 1, 48))


def test_load_texture_reads_a_photograph_in_rgb(tmp_path):
    picture = np.zeros((40, 60, 3), np.uint8)
    picture[..., 2] = 200  # red, as OpenCV orders it
    cv2.imwrite(str(tmp_path / "red.png"), picture)
    loaded = load_texture("red.png", tmp_path, 33)
    assert loaded.shape == (33, 33, 3)
    assert (loaded == [200, 0, 0]).all()


def test_load_texture_paints_a_procedural_name():
    np.testing.assert_array_equal(load_texture("procedural:glass:7", None, 64), surface("glass", 7, 64))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("wood/none.jpg", "does not exist"),
        ("broken.jpg", "not a picture"),
        ("procedural:glass", "<seed>"),
        ("procedural:kryptonite:1", "kryptonite"),
    ],
)
def test_unusable_names_say_what_to_do(tmp_path, name, message):
    (tmp_path / "broken.jpg").write_text("no picture")
    with pytest.raises(DataError, match=message):
        load_texture(name, tmp_path, 64)


def test_a_photograph_needs_a_folder():
    with pytest.raises(DataError, match="folder"):
        load_texture("wood/plank.jpg", None, 64)


def test_without_opencv_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(DataError, match=r"pip install 'foleygram\[train\]'"):
        _ = _OpenCV().resize
