"""Who works at the demo sites. Every person, number and address here is made up."""

from dataclasses import dataclass

from clinic.vocabulary import Post, Role


@dataclass(frozen=True)
class Person:
    """One person of a demo site; `logs_in` gives them a password, a PIN, a token, and a line in the accounts file."""

    username: str
    full_name: str
    roles: tuple[Role, ...]
    logs_in: bool = True
    can_decompress: bool = True
    language: str = "en"


@dataclass(frozen=True)
class Place:
    """One demo site: its rooms, its people, and who holds which post, first rank first."""

    code: str
    name: str
    rooms: dict[str, str]
    emergency_department: str
    people: tuple[Person, ...]
    posts: dict[Post, tuple[str, ...]]
    time_scale: int = 1


def _posts(
    suffix: str, *, on_call: tuple[str, str], nurse: str, anaesthetist: str, head: str, manager: str
) -> dict[Post, tuple[str, ...]]:
    return {
        Post.ON_CALL_SPINE: on_call,
        Post.NURSE_IN_CHARGE: (nurse,),
        Post.ANAESTHETIST_ON_CALL: (anaesthetist,),
        Post.HEAD_OF_DEPARTMENT: (head,),
        Post.DUTY_MANAGER: (manager,),
        Post.MEDICAL_ON_CALL: (f"physician{suffix}",),
        Post.BACKSTOP: (f"director{suffix}",),
    }


SITE_A = Place(
    code="A",
    name="Haliç Spine Hospital",
    rooms={"or1": "Theatre 1", "or2": "Theatre 2", "ir1": "Angiography 1"},
    emergency_department="Haliç Spine Hospital, emergency entrance, Kıyı Street",
    people=(
        Person("nurse", "Elif Kaya", (Role.NURSE,)),
        Person("nurse2", "Jonas Lindqvist", (Role.NURSE,)),
        Person("surgeon", "Dr. Mehmet Aydın", (Role.SURGEON,)),
        Person("surgeon2", "Dr. Ingrid Solberg", (Role.SURGEON,)),
        Person("head", "Prof. Leyla Demirtaş", (Role.SURGEON,)),
        Person("anaesthetist", "Dr. Tomasz Zieliński", (Role.ANAESTHETIST,)),
        Person("followup", "Sevgi Arslan", (Role.FOLLOW_UP_NURSE,)),
        Person("admin", "Katarina Novak", (Role.ADMINISTRATOR,)),
        Person("auditor", "Henrik Visser", (Role.AUDITOR,)),
        Person("radiologist", "Dr. Paolo Ferretti", (Role.SURGEON,), can_decompress=False),
        Person("physician", "Dr. Hanna Bauer", (Role.SURGEON,), logs_in=False, can_decompress=False),
        Person("director", "Dr. Orhan Tekin", (Role.SURGEON,), logs_in=False),
    ),
    posts=_posts(
        "",
        on_call=("surgeon", "surgeon2"),
        nurse="nurse2",
        anaesthetist="anaesthetist",
        head="head",
        manager="admin",
    ),
)

SITE_B = Place(
    code="B",
    name="Kordon Training Hospital",
    rooms={"or1": "Theatre 1"},
    emergency_department="Kordon Training Hospital, emergency department, ground floor",
    people=(
        Person("nurse_b", "Zeynep Uçar", (Role.NURSE,), language="tr"),
        Person("surgeon_b", "Dr. Emre Şahin", (Role.SURGEON,), language="tr"),
        Person("surgeon2_b", "Dr. Marta Kowalska", (Role.SURGEON,), logs_in=False),
        Person("anaesthetist_b", "Dr. Deniz Öztürk", (Role.ANAESTHETIST,), logs_in=False),
        Person("manager_b", "Luc Fontaine", (Role.ADMINISTRATOR,), logs_in=False),
        Person("physician_b", "Dr. Aylin Güneş", (Role.SURGEON,), logs_in=False, can_decompress=False),
        Person("director_b", "Dr. Pieter de Vries", (Role.SURGEON,), logs_in=False),
    ),
    posts=_posts(
        "_b",
        on_call=("surgeon_b", "surgeon2_b"),
        nurse="nurse_b",
        anaesthetist="anaesthetist_b",
        head="director_b",
        manager="manager_b",
    ),
)

#: The team of `demo day`. The operator is an interventional radiologist, who cannot open the canal.
SITE_D = Place(
    code="D",
    name="Demo day hospital (one hour passes in one minute)",
    rooms={"or1": "Theatre 1", "ir1": "Angiography 1"},
    emergency_department="Demo day hospital, emergency entrance",
    time_scale=60,
    people=(
        Person("nurse_d", "Ayşe Polat", (Role.NURSE,)),
        Person("nurse2_d", "Mikael Holm", (Role.NURSE,)),
        Person("radiologist_d", "Dr. Chiara Lombardi", (Role.SURGEON,), can_decompress=False),
        Person("surgeon_d", "Dr. Selim Yıldız", (Role.SURGEON,)),
        Person("surgeon2_d", "Dr. Freya Nilsen", (Role.SURGEON,)),
        Person("anaesthetist_d", "Dr. Bogdan Ionescu", (Role.ANAESTHETIST,)),
        Person("followup_d", "Gülay Tunç", (Role.FOLLOW_UP_NURSE,)),
        Person("admin_d", "Stefan Köhler", (Role.ADMINISTRATOR, Role.AUDITOR)),
        Person("head_d", "Prof. Nermin Aksoy", (Role.SURGEON,), logs_in=False),
        Person("physician_d", "Dr. Julien Moreau", (Role.SURGEON,), logs_in=False, can_decompress=False),
        Person("director_d", "Dr. Cem Özkan", (Role.SURGEON,), logs_in=False),
    ),
    posts=_posts(
        "_d",
        on_call=("surgeon_d", "surgeon2_d"),
        nurse="nurse2_d",
        anaesthetist="anaesthetist_d",
        head="head_d",
        manager="admin_d",
    ),
)

PLACES = (SITE_A, SITE_B, SITE_D)

TIMEZONE = "Europe/Istanbul"


def phone_number(place: Place, username: str) -> str:
    """Return a person's made-up telephone number."""
    index = [person.username for person in place.people].index(username)
    return f"+90 555 0{'ABD'.index(place.code)}0 01 {index + 10}"


def phone_list(place: Place) -> list[dict[str, str]]:
    """Return the list that every tablet keeps for the day nothing works."""
    labels = {
        Post.ON_CALL_SPINE: "Spine surgeon on call",
        Post.ANAESTHETIST_ON_CALL: "Anaesthetist on call",
        Post.HEAD_OF_DEPARTMENT: "Head of department",
        Post.DUTY_MANAGER: "Duty manager",
        Post.BACKSTOP: "Medical director",
    }
    rows = []
    for post, label in labels.items():
        for rank, username in enumerate(place.posts[post], start=1):
            name = f"{label} ({rank})" if len(place.posts[post]) > 1 else label
            rows.append({"name": name, "number": phone_number(place, username)})
    return [*rows, {"name": "Arrest team", "number": "2222"}, {"name": "Stroke team", "number": "2323"}]
