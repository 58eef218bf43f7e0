"""How often things happen in the made-up years. Each rate names where it was read; `docs/clinical-content.md` lists the sources.

K marks a number that is knowledge or a guess for the demo, not a published rate.
"""

from __future__ import annotations

from dataclasses import dataclass

#: Leaks are rarer after kyphoplasty: 18.4 % against 54.7 % of vertebrae (Zhan 2017, 2872 patients).
KYPHOPLASTY_LEAK_RATIO = 18.4 / 54.7


@dataclass(frozen=True, slots=True)
class Rate:
    """One complication: `share` of treated levels (or of procedures), days after the procedure, and who finds it."""

    code: str
    share: float
    source: str
    per_level: bool = False
    leak: bool = False
    days: tuple[int, int] = (0, 0)
    osteoporotic_only: bool = False
    symptomatic: float = 0.0
    detected_by: str = "fluoroscopy"


RATES: tuple[Rate, ...] = (
    Rate("LEK-DIS", 0.26, "HSIEH19: 26 % of vertebroplasty levels", per_level=True, leak=True),
    Rate("LEK-PVT", 0.25, "HSIEH19: 25 %", per_level=True, leak=True),
    Rate("LEK-VEP", 0.114, "HSIEH19: type B 11.4 %", per_level=True, leak=True),
    Rate("LEK-VSG", 0.049, "HSIEH19: type S 4.9 %", per_level=True, leak=True),
    Rate("LEK-EPI", 26 / 3175, "HSIEH19: 26 of 3175 patients", leak=True, symptomatic=4 / 26),
    Rate("LEK-FOR", 0.004, "K: no separate rate was found", leak=True, symptomatic=0.3),
    Rate("EMB-PCA", 34 / 1782, "PCE21: 34 of 1782 with CT", days=(0, 2), detected_by="ct"),
    Rate("EMB-PCS", 0.0011, "HSIEH19: 0.11 % at 3.5-7 mL", days=(0, 2), symptomatic=1.0, detected_by="clinical"),
    Rate("CVS-BCI", 1 / 372, "BERG12: 1 arrest in 372 patients", symptomatic=1.0, detected_by="clinical"),
    Rate("BLD-SUB", 3 / 372, "BERG12: 3 in 372 patients", days=(0, 2), symptomatic=0.7, detected_by="clinical"),
    Rate("NEU-RAD", 0.01, "K: under 1 to 3 % is quoted", days=(0, 14), symptomatic=1.0, detected_by="clinical"),
    Rate("INF-SPD", 18 / 5749, "LIAO18: 18 of 5749", days=(7, 240), symptomatic=1.0, detected_by="mri"),
    Rate("FRX-ADJ", 0.12, "ALALI09: 12 % in a year (SWISS13: 37 of 375)", days=(20, 330), osteoporotic_only=True,
         symptomatic=0.6, detected_by="xray"),
    Rate("FRX-REM", 0.06, "ALALI09: 18 % any new fracture less 12 % adjacent", days=(30, 340), osteoporotic_only=True,
         symptomatic=0.5, detected_by="xray"),
    Rate("FRX-REC", 0.08, "VERTOS IV: further height loss in 8 %", days=(14, 300), osteoporotic_only=True,
         symptomatic=0.3, detected_by="xray"),
    Rate("FRX-RIB", 0.01, "K: about 1 %", days=(0, 1), symptomatic=0.9, detected_by="xray"),
    Rate("MED-OTH", 0.066, "NSQIP14: serious events within 30 days 6.6 %", days=(0, 30), symptomatic=1.0,
         detected_by="clinical"),
    Rate("DTH", 0.015, "NSQIP14: death within 30 days 1.5 %", days=(2, 30), symptomatic=1.0, detected_by="clinical"),
    Rate("NRM-NEA", 0.02, "K: what teams write down"),
)  # fmt: skip

#: Of canal leaks, the share that brings a deficit and a second operation: 3 of 9 thoracic, 1 of 17 lumbar (HSIEH19).
DEFICIT_AFTER_CANAL_LEAK = {"c": 3 / 9, "t": 3 / 9, "l": 1 / 17, "s": 1 / 17}
