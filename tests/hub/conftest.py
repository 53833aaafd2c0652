import pytest


@pytest.fixture(autouse=True)
def cache_of_its_own(own_cache):
    """For every test of this folder."""
