"""Made-up patients: Turkish and other European names, joined by chance; no row describes a person who exists."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import date, timedelta


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.replace("_", " ") for word in text.split())


#: (family name, given names of women, given names of men, language): names of one country stay together.
_TURKISH = (
    _words(
        "Yılmaz Kaya Demir Çelik Şahin Yıldız Yıldırım Öztürk Aydın Özdemir Arslan Doğan Kılıç Aslan Çetin Kara Koç Kurt "
        "Özkan Şimşek Polat Korkmaz Güneş Akın Aksoy Erdoğan Ünal Taş Bulut Keskin Turan Gül Işık Tekin Bozkurt Uçar"
    ),
    _words("Fatma Ayşe Emine Hatice Zeynep Elif Meryem Şerife Sultan Hanife Nuriye Gülsüm Havva Cemile Saniye Nezahat"),
    _words(
        "Mehmet Mustafa Ahmet Ali Hüseyin Hasan İbrahim İsmail Osman Yusuf Halil Süleyman Recep Kadir Ramazan Şükrü"
    ),
    "tr",
)
_EUROPEAN = (
    _words(
        "Müller Schneider Weber Wagner Rossi Ferrari Bianchi Conti Martin Bernard Dubois Laurent García López Fernández "
        "Silva Costa Kowalski Nowak Wójcik Novák Svoboda Nielsen Hansen Johansson Andersson Korhonen Papadopoulos Popescu "
        "Jansen de_Vries Murphy O'Brien Hughes Campbell Taylor"
    ),
    _words(
        "Maria Anna Ingrid Helga Giulia Francesca Louise Margaux Carmen Teresa Zofia Jadwiga Eva Karin Astrid Margaret"
    ),
    _words("Josef Karl Giovanni Paolo Jean Michel Antonio Manuel Jan Piotr Jiří Lars Erik Mikael Georgios Patrick"),
    "en",
)


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a made-up patient is."""

    mrn: str
    family_name: str
    given_name: str
    birth_date: date
    sex: str
    phone: str
    language: str


def identity(chance: random.Random, number: int, *, on: date, age: int, prefix: str, woman: bool) -> Identity:
    """Return the made-up patient `number`, who is `age` years old on the day `on`; `prefix` begins the record number."""
    family, women, men, language = _TURKISH if chance.random() < 0.6 else _EUROPEAN
    born = on - timedelta(days=int((age + chance.random() * 0.9) * 365.25) + 1)
    return Identity(
        mrn=f"{prefix}{number:07d}",
        family_name=family[int(chance.random() * len(family))],
        given_name=(women if woman else men)[int(chance.random() * 16)],
        birth_date=born,
        sex="female" if woman else "male",
        phone=f"+90 555 {number // 10000 % 1000:03d} {number % 10000:04d}",
        language=language,
    )
