"""One form of the bedside as plain data: what was written, when by which clock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from complications.vocabulary import Milestone

#: The times that the form records: what happens between the bedside and the decision.
STONES = (
    Milestone.IMAGING_REQUESTED,
    Milestone.IMAGING_DONE,
    Milestone.IMAGING_REPORTED,
    Milestone.SECOND_EXAMINATION,
    Milestone.FAMILY_TOLD,
)
#: Beyond this a phone's clock is not slow or fast, it is wrong: then only the server's counts.
LONGEST_WAIT = timedelta(days=14)


@dataclass(frozen=True, kw_only=True)
class Written:
    """What a form holds; a part that was not filled in is None or empty."""

    public_id: UUID
    made_at: datetime
    sent_at: datetime | None = None
    arrived_at: datetime | None = None
    exam: Mapping[str, Any] = field(default_factory=dict)
    stones: Mapping[Milestone, datetime] = field(default_factory=dict)
    imaging: Mapping[str, Any] = field(default_factory=dict)
    decision: Mapping[str, Any] | None = None
    saw: datetime | None = None

    @property
    def is_empty(self) -> bool:
        """Whether nothing was filled in."""
        return not (self.arrived_at or self.exam or self.stones or self.imaging or self.decision)

    @property
    def picture(self) -> str:
        """What the imaging shows in one line, for the record of a time: finding, level, percent of the canal."""
        percent = self.imaging.get("canal_percent")
        found = (
            self.imaging.get("finding"),
            self.imaging.get("level"),
            f"{percent:g} %" if percent is not None else None,
        )
        return ", ".join(str(one) for one in found if one)

    def moment(self, phone: datetime, now: datetime) -> datetime:
        """Return a time of the phone by the server's clock.

        Between writing and sending the phone's own clock ran; how much it is wrong shows as it sends. Without that, and
        where the wait comes out longer than LONGEST_WAIT or negative, the time is taken as it stands, never in the future.
        """
        if self.sent_at is not None and timedelta(0) <= self.sent_at - phone <= LONGEST_WAIT:
            return now - (self.sent_at - phone)
        return min(phone, now)
