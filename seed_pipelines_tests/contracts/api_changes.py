"""Changes of the API's contract that break those who rely on the one that was released; they need a new major version.

    python -m seed_pipelines_tests.contracts.api_changes RELEASED CURRENT

prints each, and ends with 1 if there are any under the same major version (SemVer 2.0.0, section 8).
"""

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from seed_pipelines_tests.contracts.schema_changes import Comparison, Part

_METHODS: Final = ("get", "put", "post", "delete", "options", "head", "patch", "trace")


def breaking_changes(released: Mapping[str, Any], current: Mapping[str, Any]) -> Iterator[str]:
    """What a caller of the released API, or a reader of its schemas, may no longer rely on: a sentence each."""
    for path, methods in released["paths"].items():
        now = current["paths"].get(path)
        if now is None:
            yield f"{path}: the path is gone"
            continue
        for method in (method for method in _METHODS if method in methods):
            place = f"{method.upper()} {path}"
            if method not in now:
                yield f"{place}: the operation is gone"
                continue
            old, new = Part.of(released, methods[method]), Part.of(current, now[method])
            yield from _operation(old, new, methods, now, place)
    yield from _security_schemes(released, current)
    yield from _schemas(released, current)


def _operation(old: Part, new: Part, beside_old: Any, beside_new: Any, place: str) -> Iterator[str]:
    if old.content.get("operationId") != new.content.get("operationId"):
        yield f"{place}: the operationId is another"
    if _security(old) != _security(new):
        yield f"{place}: the security is another"
    yield from _parameters(_parameters_of(old, beside_old), _parameters_of(new, beside_new), place)
    yield from _body(old, new, place)
    was, now = old.content["responses"], new.content["responses"]
    for status in was:
        if status not in now:
            yield f"{place} {status}: the response is gone"
        else:
            yield from _response(old.below(was[status]), new.below(now[status]), f"{place} {status}")


def _security(operation: Part) -> Any:
    return operation.content.get("security", operation.document.get("security", []))


def _parameters_of(operation: Part, beside: Mapping[str, Any]) -> dict[tuple[str, str], Part]:
    """Where and name -> parameter; names of header fields have no case (RFC 9110, section 5.1)."""
    written = [*beside.get("parameters", []), *operation.content.get("parameters", [])]
    found = [operation.below(parameter) for parameter in written]
    return {
        (
            part.content["in"],
            part.content["name"].lower() if part.content["in"] == "header" else part.content["name"],
        ): part
        for part in found
    }


def _parameters(old: Mapping[Any, Part], new: Mapping[Any, Part], place: str) -> Iterator[str]:
    for where, name in old.keys() - new.keys():
        yield f"{place}: the {where} parameter {name} is gone"
    for (where, name), parameter in new.items():
        before = old.get((where, name))
        there = f"{place} {where} parameter {name}"
        if parameter.content.get("required") and not (before and before.content.get("required")):
            yield f"{there}: it is required now"
        if before is not None:
            sent, taken = before.content.get("schema", True), parameter.content.get("schema", True)
            yield from Comparison("request").refusals(before.below(sent), parameter.below(taken), there)


def _body(old: Part, new: Part, place: str) -> Iterator[str]:
    sent, taken = (part.below(part.content.get("requestBody", {})) for part in (old, new))
    if taken.content.get("required") and not sent.content.get("required"):
        yield f"{place} body: it is required now"
    if sent.content and not taken.content:
        yield f"{place} body: none is taken any more"
        return
    yield from _content(Comparison("request"), sent, taken, f"{place} body")


def _response(old: Part, new: Part, place: str) -> Iterator[str]:
    was, now = old.content.get("headers", {}), new.content.get("headers", {})
    for name, written in was.items():
        before, after = old.below(written), new.below(now.get(name, {}))
        if name not in now or (before.content.get("required") and not after.content.get("required")):
            yield f"{place} header {name}: it may be missing now"
            continue
        sent, taken = after.content.get("schema", True), before.content.get("schema", True)
        yield from Comparison("response").refusals(after.below(sent), before.below(taken), f"{place} header {name}")
    if bool(old.content.get("content")) != bool(new.content.get("content")):
        yield f"{place}: the response has a body in one of them only"
        return
    yield from _content(Comparison("response"), new, old, place)


def _content(comparison: Comparison, sent: Part, taken: Part, place: str) -> Iterator[str]:
    """Media types and their schemas: all that were taken are to be taken still, and no other is to be sent."""
    here, there = sent.content.get("content", {}), taken.content.get("content", {})
    for media_type in here:
        if media_type not in there:
            yield f"{place}: {media_type} was not, or is no longer, taken"
            continue
        schemas = (here[media_type].get("schema", True), there[media_type].get("schema", True))
        yield from comparison.refusals(sent.below(schemas[0]), taken.below(schemas[1]), f"{place} {media_type}")


def _security_schemes(released: Mapping[str, Any], current: Mapping[str, Any]) -> Iterator[str]:
    was, now = (document.get("components", {}).get("securitySchemes", {}) for document in (released, current))
    for name, scheme in was.items():
        kept = {key: value for key, value in scheme.items() if key != "description"}
        if kept != {key: value for key, value in now.get(name, {}).items() if key != "description"}:
            yield f"security scheme {name}: it is another"


def _schemas(released: Mapping[str, Any], current: Mapping[str, Any]) -> Iterator[str]:
    """Those that no operation refers to are read by applications, as the bodies of their own responses."""
    was, now = (document.get("components", {}).get("schemas", {}) for document in (released, current))
    used = str({**released, "components": {**released.get("components", {}), "schemas": {}}})
    for name, written in was.items():
        if name not in now:
            yield f"schema {name}: it is gone"
        elif f"#/components/schemas/{name}'" not in used:
            yield from Comparison("response").refusals(
                Part.of(current, now[name]), Part.of(released, written), f"schema {name}"
            )


def same_major(released: Mapping[str, Any], current: Mapping[str, Any]) -> bool:
    """Whether both are of one major version."""
    first, second = (str(document["info"]["version"]).partition(".")[0] for document in (released, current))
    return first == second


def main(released: Path, current: Path) -> int:
    """The exit code of the comparison of two files."""
    was, now = (yaml.safe_load(path.read_bytes()) for path in (released, current))
    found = sorted(set(breaking_changes(was, now)))
    for change in found:
        sys.stdout.write(f"{change}\n")
    if found and same_major(was, now):
        sys.stdout.write(
            f"{len(found)} breaking changes: raise the major version of the API, or keep what was released.\n"
        )
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*map(Path, sys.argv[1:])))
