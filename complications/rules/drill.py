"""The report of a drill in lines of text, for a terminal and for the demo."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

#: What each criterion asks.
CRITERIA = {
    "first_page": "the first page has left",
    "steps_in_time": "each step began in its time",
    "no_step_skipped": "each step reached somebody",
    "everybody_reached": "everybody who was paged could be reached",
    "no_way_failed": "no way failed",
    "answered_in_time": "a surgeon who can operate answered",
}


def spoken(seconds: float | None) -> str:
    """Return seconds as a person reads them: `4.5 s`, `6 min 20 s`, a dash for None."""
    if seconds is None:
        return "never"
    if seconds < 60:
        return f"{seconds:.1f} s"
    return f"{int(seconds // 60)} min {round(seconds % 60):02d} s"


def report_lines(report: Mapping[str, Any]) -> list[str]:
    """Return the report of a drill as lines of text."""
    lines = [
        f"DRILL {report['reference']} at {report['site_name']}: {report['urgency']}, {report['pathway']}, "
        f"{'announced' if report['announced'] else 'unannounced'}, {report['ended']}",
    ]
    if report["time_scale"] != 1:
        lines.append(f"The site's policy runs {report['time_scale']} times faster than in life; times are real ones.")
    lines.append("")
    for page in report["pages"]:
        ways = ", ".join(
            f"{way['channel']} {way['status']}"
            + (f" after {spoken(way['sent_after_s'])}" if way["sent_at"] else "")
            + (f" ({way['error']})" if way["error"] else "")
            for way in page["ways"]
        )
        lines.append(f"  step {page['step'] + 1}  {page['name']} ({page['post']}): {ways or 'no way'}")
    for one in report["answers"]:
        said = "answered" if one["counts"] else one["kind"].replace("_", " ")
        lines.append(f"  {one['name']} {said} after {spoken(one['after_s'])}")
    lines.append("")
    for one in report["criteria"]:
        mark = "pass" if one["passed"] else "FAIL"
        told = f"{spoken(one['took_s'])}, limit {spoken(one['limit_s'])}" if "limit_s" in one else ", ".join(one["who"])
        lines.append(f"  {mark}  {CRITERIA[one['name']]}{f': {told}' if told else ''}")
    lines.append(f"\n{'PASSED' if report['passed'] else 'NOT PASSED'}")
    return lines
