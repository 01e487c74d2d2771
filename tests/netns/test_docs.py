"""README and docs, typed in from top to bottom: every command works as it is written, and prints what is shown."""

from __future__ import annotations

import pytest

from tests.listings.pages import HEADER, OPERATIONS, README, Session, stale

pytestmark = pytest.mark.kernel


@pytest.mark.parametrize("session", [README, OPERATIONS, HEADER], ids=lambda session: session.path.name)
def test_listings(session: Session) -> None:
    found = stale(session)
    assert not found, "run ./dev listings, and look at what it changes:\n" + "\n".join(found)
