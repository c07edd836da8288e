"""What a verification looked at, and what it found of each."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from seed_pipelines.errors import EvidenceInvalid
from seed_pipelines.seeding.verification.row_difference import RowDifference


@dataclass(frozen=True)
class NotApplicable:
    """An examination that had nothing to look at."""

    why: str


@dataclass(frozen=True)
class Finding:
    """One examination."""

    what: str
    result: Literal["pass", "fail", "not_applicable"]
    says: str
    where: Mapping[str, Any] = field(default_factory=dict)
    """Of a failure, the members that its problem has beyond the usual ones."""

    def as_dict(self) -> dict[str, Any]:
        """The finding as JSON."""
        return {"what": self.what, "result": self.result, "says": self.says, **self.where}


@dataclass(frozen=True)
class Verification:
    """Everything that was found of a report."""

    about: Mapping[str, Any]
    """Which report it is, by its own words; empty where it could not be read."""
    findings: tuple[Finding, ...]
    difference: RowDifference | None = None
    """The first row that is not as the manifest makes it."""

    @property
    def failures(self) -> tuple[Finding, ...]:
        """The findings that failed."""
        return tuple(finding for finding in self.findings if finding.result == "fail")

    def as_dict(self) -> dict[str, Any]:
        """The verification as JSON."""
        return {
            "valid": not self.failures,
            "report": dict(self.about),
            "findings": [finding.as_dict() for finding in self.findings],
            "first_different_row": None if self.difference is None else self.difference.as_dict(),
        }


def examined(what: str, examination: Callable[[], str | NotApplicable]) -> Finding:
    """The finding of an examination that says what it saw, or raises EvidenceInvalid; other errors are not answered here."""
    try:
        saw = examination()
    except EvidenceInvalid as error:
        return Finding(what, "fail", error.detail, error.extensions)
    return Finding(what, "not_applicable", saw.why) if isinstance(saw, NotApplicable) else Finding(what, "pass", saw)


def require_valid(verification: Verification) -> None:
    """EvidenceInvalid with every finding that failed, unless none did."""
    failures: Sequence[Finding] = verification.failures
    if not failures:
        return
    more = f" ({len(failures) - 1} more findings failed)" if len(failures) > 1 else ""
    raise EvidenceInvalid(
        f"{failures[0].what}: {failures[0].says}{more}",
        **failures[0].where,
        findings=[finding.as_dict() for finding in failures],
    )
