"""Which means of making checkouts ready are asked for."""

from __future__ import annotations

import pytest

from parallel_impl.errors import UserError
from parallel_impl.run.start import mounting


def test_the_variable_comes_before_the_configuration() -> None:
    assert mounting.choose("copy", {}) == "copy"
    assert mounting.choose("copy", {mounting.VARIABLE: ""}) == "copy"
    assert mounting.choose("each", {mounting.VARIABLE: "overlay"}) == "overlay"


def test_a_word_that_is_none_of_the_means_is_refused() -> None:
    with pytest.raises(UserError, match="PARALLEL_IMPL_CHECKOUTS: 'eahc' is none of overlay, copy, each"):
        mounting.choose("", {mounting.VARIABLE: "eahc"})
