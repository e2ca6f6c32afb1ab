"""Durations as people say them."""

import pytest

from fedns.cli import output


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, "-"), (0, "0s"), (0.85, "850ms"), (-3, "0s"), (12.9, "12s"), (250, "4m10s"), (3600, "1h"),
     (11100, "3h5m"), (187200, "2d4h")],
)  # fmt: skip
def test_span(seconds: float | None, text: str) -> None:
    assert output.span(seconds) == text
