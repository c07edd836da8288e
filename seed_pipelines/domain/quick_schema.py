"""A yes or no on documents by JSON Schema (2020-12), a hundred times as quick as finding words for what is wrong."""

from collections.abc import Callable, Mapping
from typing import Any

import jsonschema_rs

Schema = Mapping[str, Any]


class QuickSchema:
    """A schema, compiled; by the standard, so that 1.0 is an integer and `$` matches at the very end only."""

    def __init__(
        self,
        schema: Schema,
        *,
        formats: Mapping[str, Callable[[object], bool]] | None = None,
        referred: Mapping[str, Schema] | None = None,
    ) -> None:
        """`formats` are checked where there are any; `referred` are the schemas that this one refers to, by their ids."""
        registry = jsonschema_rs.Registry([(name, dict(other)) for name, other in (referred or {}).items()])
        self._validator = jsonschema_rs.Draft202012Validator(
            dict(schema), formats=dict(formats or {}), validate_formats=bool(formats), registry=registry
        )

    def accepts(self, document: Mapping[str, Any]) -> bool:
        """Whether the document is valid; False, too, where it holds what JSON cannot, as a key that is no text."""
        try:
            return self._validator.is_valid(document)
        except ValueError:
            return False
