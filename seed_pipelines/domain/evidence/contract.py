"""Evidence against the published JSON Schemas (2020-12) of its parts."""

import json
from collections.abc import Mapping
from functools import cache
from typing import Any, Final

from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match
from referencing import Registry, Resource

from seed_pipelines.contract_files import contract_file
from seed_pipelines.domain.issues import pointer, shown
from seed_pipelines.domain.quick_schema import QuickSchema
from seed_pipelines.errors import EvidenceInvalid

_REFERRED_TO: Final = ("seed-profile.schema.json",)


def require_contract(document: Mapping[str, Any], contract: str) -> None:
    """EvidenceInvalid, with the `pointer` of what is wrong, unless the document is valid by a file of `contracts/`."""
    if _quick_schema(contract).accepts(document):
        return
    error = best_match(_validator(contract).iter_errors(document))
    if error is None:
        return
    where = pointer(error.absolute_path)
    found = error.message if error.validator in ("required", "additionalProperties") else shown(error.instance)
    raise EvidenceInvalid(
        f"It breaks {contract} at {where or 'the top level'} ({error.validator}): {found}.", pointer=where
    )


@cache
def _quick_schema(contract: str) -> QuickSchema:
    return QuickSchema(_schema(contract), referred={schema["$id"]: schema for schema in map(_schema, _REFERRED_TO)})


@cache
def _validator(contract: str) -> Draft202012Validator:
    referred = [Resource.from_contents(_schema(name)) for name in _REFERRED_TO]
    registry = Registry().with_resources([(resource.id() or "", resource) for resource in referred])
    return Draft202012Validator(_schema(contract), registry=registry)


def _schema(name: str) -> Any:
    return json.loads(contract_file(name).read_bytes())
