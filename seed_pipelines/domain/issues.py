"""One thing that is wrong in a document, and what would be right."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass


@dataclass(frozen=True, order=True)
class Issue:
    """One thing that is wrong in a document."""

    pointer: str
    """JSON pointer into the document (RFC 6901); empty for the document as a whole."""
    code: str
    """Kind of the issue, in snake_case."""
    message: str
    """What is wrong."""
    allowed: str
    """What is allowed."""

    def as_dict(self) -> dict[str, str]:
        """The issue as a JSON object."""
        return asdict(self)


def pointer(path: Iterable[str | int]) -> str:
    """JSON pointer (RFC 6901, section 3) of keys and indices; halves of surrogate pairs are spelt out."""
    text = "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in path)
    return text.encode("utf-8", "backslashreplace").decode()


def shown(value: object) -> str:
    """A document's value for use in a message: at most 60 printable characters, text in quotes."""
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "a list"
    if value is None or isinstance(value, bool):
        return "null" if value is None else str(value).lower()
    text = ascii(value) if isinstance(value, str) and not value.isprintable() else repr(value)
    short = text if len(text) <= 60 else text[:59] + "…"
    return f"the text {short}" if isinstance(value, str) else short
