"""Ages, and the order and regions of the spine."""

from datetime import date

from clinic.vocabulary import LEVELS


def age_in_years(born: date, on: date) -> int:
    """Return whole years at `on`; somebody born on 29 February has their birthday on 1 March in other years."""
    return on.year - born.year - ((on.month, on.day) < (born.month, born.day))


def level_order(level: str) -> int:
    """Return the place of a vertebra from the head down; raise ValueError for an unknown one."""
    return LEVELS.index(level)


def level_region(level: str) -> str:
    """Return the region that leak limits and escalation rules speak of: c, t1_t6, t7_t10, t11_t12, l1_l2, l3_l6, s."""
    if level[0] == "C":
        return "c"
    if level[0] == "S":
        return "s"
    number = int(level[1:])
    if level[0] == "T":
        return "t1_t6" if number <= 6 else "t7_t10" if number <= 10 else "t11_t12"
    return "l1_l2" if number <= 2 else "l3_l6"
