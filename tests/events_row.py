"""A row of the tables of refusals of `snnjax.events`: a call with one thing wrong, and the answer that a user should get."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from snnjax import SnnjaxError

ANY = object()


class Refusal(NamedTuple):
    """A call, its error's class, `field` and `value`, and its text as a regular expression."""

    call: Callable[[], Any]
    error: type[SnnjaxError]
    field: str
    value: Any
    text: str

    def check(self) -> None:
        """The call is refused as the row says."""
        with pytest.raises(self.error, match=self.text) as caught:
            self.call()
        assert caught.value.field == self.field
        assert caught.value.where and (caught.value.allowed or self.field == "dt")
        assert self.value is ANY or caught.value.value is self.value or caught.value.value == self.value
