"""Write the vocabularies of Brazilian names: `python scripts/build_vocabularies.py`.

They come from the pinned Faker's pt_BR provider, and from its pt_PT provider for surnames that both countries
share, so that a new release of Faker changes nobody's data until this was run and its result committed.
"""

import csv
import unicodedata
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path
from typing import Final

from faker.providers.person.pt_BR import Provider as Brazil
from faker.providers.person.pt_PT import Provider as Portugal

TARGET: Final = Path(__file__).parents[1] / "seed_pipelines" / "domain" / "brazil" / "data"
TITLES: Final = frozenset({"Dom", "Dr.", "Dra.", "Sr.", "Sra.", "Srta."})
NOT_SURNAMES: Final = frozenset({"Casa Grande", "Costela", "Neto", "Pastor"})
"""Jokes, a generation suffix and an occupation among Faker's surnames."""
PARTICLES: Final = {
    "da": ("Fonseca", "Rocha", "Silva", "Silveira", "Veiga"),
    "das": ("Dores", "Graças", "Neves"),
    "de": (
        *(
            "Abreu",
            "Almeida",
            "Andrade",
            "Araújo",
            "Azevedo",
            "Barros",
            "Brito",
            "Carvalho",
            "Castro",
            "Farias",
        ),
        *("Freitas", "Jesus", "Lima", "Melo", "Moraes", "Moura", "Oliveira", "Paiva", "Sá", "Sousa", "Souza"),
    ),
    "do": ("Amaral", "Carmo", "Nascimento"),
    "dos": ("Anjos", "Reis", "Santos"),
}
"""Surnames that are as often borne with a particle."""


def slug(name: str) -> str:
    """Fold a name to lowercase ASCII letters, without a particle in front."""
    kept = [word for word in name.split() if word not in PARTICLES]
    decomposed = unicodedata.normalize("NFKD", "".join(kept))
    return "".join(letter for letter in decomposed.lower() if "a" <= letter <= "z")


def given_names(names: Iterable[str]) -> list[str]:
    """Sort given names by code point, without titles."""
    return sorted({name.strip() for name in names} - TITLES)


def surnames() -> list[str]:
    """Sort surnames by code point, plain and with a particle."""
    plain = {name.strip() for name in (*Brazil.last_names, *Portugal.last_names)}
    with_particle = {f"{particle} {name}" for particle, names in PARTICLES.items() for name in names}
    return sorted((plain | with_particle) - TITLES - NOT_SURNAMES)


def write(name: str, columns: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> None:
    """Write one table of tab-separated values under a header that says where it comes from."""
    with (TARGET / name).open("w", encoding="utf-8", newline="") as file:
        file.write(f"# origin: Faker {metadata.version('faker')} (https://github.com/joke2k/faker), edited\n")
        file.write("# licence: MIT, Copyright (c) 2012 Daniele Faraglia; full text in LICENSE.faker.txt\n")
        file.write("# written by scripts/build_vocabularies.py; an edit by hand is lost\n")
        csv.writer(file, delimiter="\t", lineterminator="\n").writerows([columns, *rows])


def main() -> None:
    """Write the tables and the licence they stand under."""
    by_gender = (("F", Brazil.first_names_female), ("M", Brazil.first_names_male))
    given = [(gender, name, slug(name)) for gender, names in by_gender for name in given_names(names)]
    write("given_names.v1.tsv", ("gender", "name", "slug"), given)
    write("surnames.v1.tsv", ("name", "slug"), [(name, slug(name)) for name in surnames()])
    licence = next(file for file in metadata.files("faker") or () if file.name == "LICENSE.txt")
    (TARGET / "LICENSE.faker.txt").write_text(licence.read_text(encoding="utf-8"), encoding="utf-8")


if __name__ == "__main__":
    main()
