"""The pytest plugin: a fixture that checks models. No framework is imported before it is used."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from selulint.verify.parent import Outcome


@pytest.fixture
def assert_self_normalizing() -> Callable[..., Outcome]:
    """`selulint.testing.assert_self_normalizing`: fails with a table where a model is not self-normalizing."""
    from selulint.testing import assert_self_normalizing as check

    return check
