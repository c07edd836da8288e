"""In-toto statements (Statement v1): what was digested, and what is said of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from seed_pipelines.domain.evidence.canonical import canonical_bytes, canonical_object
from seed_pipelines.domain.evidence.contract import require_contract
from seed_pipelines.domain.issues import shown
from seed_pipelines.errors import EvidenceInvalid

STATEMENT_TYPE: Final = "https://in-toto.io/Statement/v1"
REPORT_TYPE: Final = "urn:seed-pipelines:seed-report:v1"
"""The predicate is a report: `contracts/seed-report.schema.json`."""

REPORT_CONTRACT: Final = "seed-report.schema.json"


@dataclass(frozen=True)
class Statement:
    """A statement that was read."""

    predicate_type: str
    subjects: Mapping[str, str]
    """Name -> SHA-256 in hex."""
    predicate: Mapping[str, Any]


def statement_bytes(statement: Statement) -> bytes:
    """The RFC 8785 bytes of a statement; EvidenceInvalid if it has none."""
    return canonical_bytes(
        {
            "_type": STATEMENT_TYPE,
            "subject": [{"name": name, "digest": {"sha256": sha256}} for name, sha256 in statement.subjects.items()],
            "predicateType": statement.predicate_type,
            "predicate": dict(statement.predicate),
        },
        "statement",
    )


def read_statement(payload: bytes, predicate_type: str) -> Statement:
    """The statement in an envelope's payload; EvidenceInvalid unless it is one of Statement v1 of a predicate's type.

    Only its canonical form is accepted.
    """
    document = canonical_object(payload, "statement")
    if sorted(document) != ["_type", "predicate", "predicateType", "subject"]:
        raise EvidenceInvalid(f"The statement has the members {', '.join(map(shown, document))}.")
    if document["_type"] != STATEMENT_TYPE:
        raise EvidenceInvalid(f"The statement's _type is {shown(document['_type'])}, not {STATEMENT_TYPE}.")
    if document["predicateType"] != predicate_type:
        raise EvidenceInvalid(
            f"The statement's predicateType is {shown(document['predicateType'])}, not {predicate_type}."
        )
    predicate = document["predicate"]
    if not isinstance(predicate, dict):
        raise EvidenceInvalid("The statement's predicate is no object.")
    return Statement(predicate_type, _subjects(document["subject"]), predicate)


def report_statement(report: Mapping[str, Any]) -> bytes:
    """The statement of a report that `build_report` made; EvidenceInvalid if it has no canonical form.

    Its subjects are the manifest and, of what was read back, the dataset and its entities.
    """
    return statement_bytes(Statement(REPORT_TYPE, _digested(report), report))


def read_report(payload: bytes) -> Mapping[str, Any]:
    """The report in an envelope's payload; EvidenceInvalid unless it keeps its contract and the subjects are its own."""
    statement = read_statement(payload, REPORT_TYPE)
    require_contract(statement.predicate, REPORT_CONTRACT)
    expected = _digested(statement.predicate)
    for name in {**expected, **statement.subjects}:
        if statement.subjects.get(name) != expected.get(name):
            raise EvidenceInvalid(
                f"The statement's subject {shown(name)} is {statement.subjects.get(name, 'absent')}, but"
                f" {expected.get(name, 'absent')} in the report."
            )
    return statement.predicate


def _digested(report: Mapping[str, Any]) -> dict[str, str]:
    dataset = "/".join((report["tenant"]["slug"], report["environment"], report["profile"]))
    found = {f"manifest/{dataset}": report["manifest_hash"]}
    if report["dataset_digest"] is not None:
        found[f"dataset/{dataset}"] = report["dataset_digest"]
    for volume in report["volumes"]:
        if volume["merkle_root"] is not None:
            found[f"dataset/{dataset}/{volume['entity']}"] = volume["merkle_root"]
    return found


def _subjects(written: object) -> dict[str, str]:
    found: dict[str, str] = {}
    for subject in written if isinstance(written, list) else ():
        match subject:
            case {"name": str(name), "digest": {"sha256": str(sha256), **others}, **more} if not others and not more:
                if name in found:
                    raise EvidenceInvalid(f"The statement has the subject {shown(name)} twice.")
                found[name] = sha256
            case _:
                raise EvidenceInvalid(f"The statement's subject {shown(subject)} is no name with one SHA-256.")
    if not found:
        raise EvidenceInvalid("The statement has no subject.")
    return found
