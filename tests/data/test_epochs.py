"""Epochs: every clip once, in an order of its own."""

from foleygram.data.epochs import in_epochs


def test_an_epoch_has_every_clip_once():
    places = [place for step in range(3) for place in in_epochs(7, step, range(4), 4, 6)]
    first, second = ([clip for epoch, clip in places if epoch == number] for number in (0, 1))
    assert sorted(first) == list(range(6)) == sorted(second) and first != second
    assert in_epochs(7, 1, range(2, 4), 4, 6) == places[6:8]
    assert [clip for _, clip in in_epochs(8, 0, range(6), 6, 6)] != first
