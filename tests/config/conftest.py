from __future__ import annotations

import pytest

from tests.config.folders import Shelf, make_shelf


@pytest.fixture(scope="session")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Shelf:
    """Made once: four RSA keys take a second."""
    return make_shelf(tmp_path_factory.mktemp("shelf"))
