"""What was injected and what was found: the table that a campaign ends with, printed and written as JSON."""

import json
import math
import os
from collections import Counter
from pathlib import Path
from typing import Any

from tests.faults.campaign import Campaign, Page
from tests.service import TOP


def rank(values: list[float], share: float) -> float:
    """Return the percentile by nearest rank; 0 where there is nothing."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)] if values else 0.0


def rows_of(campaign: Campaign, pages: list[Page]) -> list[dict[str, Any]]:
    """Return one line for each kind of fault: how often, the pages under way meanwhile, and how those went."""
    injected = Counter(fault.kind for fault in campaign.faults)
    found = []
    for kind, times in sorted(injected.items()):
        spans = [(one.began, one.ended) for one in campaign.faults if one.kind == kind]
        under_way = [
            page
            for page in pages
            if page.sent and any(began <= page.sent and page.due <= ended for began, ended in spans)
        ]
        found.append(
            {
                "fault": kind,
                "injected": times,
                "pages_under_way": len(under_way),
                "tried_again": sum(page.attempts > 1 for page in under_way),
                "p50_s": round(rank([page.delay_s for page in under_way], 0.5), 2),
                "longest_s": round(max((page.delay_s for page in under_way), default=0.0), 1),
            }
        )
    return found


def write(campaign: Campaign, pages: list[Page], findings: dict[str, Any]) -> str:
    """Write the report to $FAULTS_REPORT (default `.pytest_cache/faults.json`) and return it as a table to print."""
    rows = rows_of(campaign, pages)
    whole = {
        "seed": campaign.seed,
        "kills": sum(campaign.kills.values()),
        "other_faults": len(campaign.faults) - sum(campaign.kills.values()),
        "injected": rows,
        "found": findings,
    }
    path = Path(os.environ.get("FAULTS_REPORT") or TOP / ".pytest_cache" / "faults.json")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")
    names = ("fault", "injected", "pages_under_way", "tried_again", "p50_s", "longest_s")
    lines = ["", f"{'fault':<26}{'injected':>9}{'pages under way':>17}{'tried again':>13}{'p50 s':>8}{'longest s':>11}"]
    widths = (26, 9, 17, 13, 8, 11)
    lines += [
        "".join(
            f"{row[name]!s:{'<' if name == 'fault' else '>'}{width}}" for name, width in zip(names, widths, strict=True)
        )
        for row in rows
    ]
    lines += [f"{name}: {value}" for name, value in findings.items()]
    return "\n".join([*lines, f"written to {path}", ""])
