"""One theatre for the screen on its wall: the case at work and those that follow."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from checklists.queries.board import Look, board_of
from clinic.lib.prepared import fetch
from clinic.models import Room, Site

# Whatever the screen shows is in here, so that an unchanged answer is known without drawing anything. Lists keep their own
# revision; the minute changes what counts in minutes, a tablet that fell silent included.
_STATE = """
SELECT md5(concat_ws('|', %s::bigint, to_char(%s::timestamptz, 'YYYYMMDDHH24MI'), (
  SELECT string_agg(concat_ws(',', p.id, p.status, p.scheduled_at, p.kind, p.anaesthesia, p.room_id, p.incision_at, p.ended_at,
                              p.cement_ml, p.operator_id, q.family_name, q.given_name, q.birth_date,
    (SELECT string_agg(concat_ws(':', l.level, l.status), ',' ORDER BY l.level) FROM clinic_treatedlevel l
     WHERE l.procedure_id = p.id),
    (SELECT string_agg(concat_ws(':', r.id, r.revision, r.status, r.paused_at, r.is_emergency), ',' ORDER BY r.id)
     FROM checklists_run r WHERE r.procedure_id = p.id),
    (SELECT count(*) FROM checklists_signature s JOIN checklists_run r ON r.id = s.run_id WHERE r.procedure_id = p.id),
    (SELECT string_agg(concat_ws(':', e.id, e.status, e.tier), ',' ORDER BY e.id) FROM complications_escalation e
     WHERE e.procedure_id = p.id AND e.closed_at IS NULL)), ';' ORDER BY p.id)
  FROM clinic_procedure p JOIN clinic_patient q ON q.id = p.patient_id
  WHERE p.site_id = %s::bigint AND p.room_id = %s::bigint AND p.scheduled_at >= %s::timestamptz AND p.scheduled_at < %s::timestamptz)))
"""


@dataclass(frozen=True)
class Wall:
    """What a theatre's screen shows: the case at work (or the next one, or the last), and those to come."""

    now: Look | None
    coming: list[Look]
    done: int


def wall_state(room: Room, start: datetime, end: datetime, now: datetime) -> str:
    """Return a word that changes with anything that the screen of a room shows of [start, end)."""
    [(state,)] = fetch(_STATE, [room.pk, now, room.site_id, room.pk, start, end])
    return str(state)


def wall_of(site: Site, room: Room, start: datetime, end: datetime, now: datetime) -> Wall:
    """Return what the screen of a room shows of the procedures scheduled in [start, end)."""
    looks = board_of(site, start, end, now, room=room)
    live = [look for look in looks if look.is_live]
    coming = [look for look in looks if not look.is_live and not look.is_over]
    over = [look for look in looks if look.is_over]
    # Two at once in one room is a list that was never finished: the one that was begun last is at work.
    shown = max(live, key=lambda look: look.begun_at or look.procedure.scheduled_at) if live else None
    if shown is None and coming:
        shown, coming = coming[0], coming[1:]
    return Wall(shown or (over[-1] if over else None), coming, len(over))
