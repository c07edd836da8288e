"""What the factories have in common: each attribute is that of a row drawn from the dataset in use."""

from collections.abc import Mapping
from operator import attrgetter
from typing import Any, Final

from factory.base import Factory, FactoryOptions, OptionDefault
from factory.declarations import LazyAttribute, LazyAttributeSequence, SimpleParameter

from seed_pipelines.domain.entities import Entity
from seed_pipelines.errors import RequestInvalid
from seed_pipelines.factories.binding import rows_in_use
from seed_pipelines.factories.record import RECORDS, Record

_ROW: Final = "seed_row"
"""The attribute that holds the row which a factory has drawn; hidden from what is built."""


class State(SimpleParameter):
    """A trait: where it is true, the next row that has a value in a column is drawn, and nothing is altered."""

    def __init__(self, column: str, value: Any) -> None:
        super().__init__(False)  # type: ignore[no-untyped-call]  # factory_boy types its surface only
        self.column = column
        self.expected = value

    def as_declarations(self, field_name: str, declarations: Mapping[str, Any]) -> dict[str, Any]:
        """False, where no subclass says otherwise."""
        return {field_name: declarations.get(field_name, False)}


class _EntityOptions(FactoryOptions):
    """Counts the rows of an entity in the dataset in use, and declares an attribute for each of its columns."""

    entity: Entity

    def _build_default_options(self) -> list[OptionDefault]:
        default_options = super()._build_default_options()  # type: ignore[no-untyped-call]  # likewise
        return [*default_options, OptionDefault("entity", None, inherit=True)]

    def contribute_to_class(self, factory: type, meta: Any = None, *inherited: Any, **options: Any) -> None:
        setattr(factory, _ROW, LazyAttributeSequence(self._drawn))
        if entity := getattr(meta, "entity", None):
            record = RECORDS[entity.name]
            meta.model = getattr(meta, "model", record)
            for name in (*(column.name for column in entity.columns), *record.relations):
                if name not in vars(factory):
                    setattr(factory, name, LazyAttribute(attrgetter(f"{_ROW}.{name}")))
        super().contribute_to_class(factory, meta, *inherited, **options)  # type: ignore[no-untyped-call]  # likewise

    def next_sequence(self) -> int:
        return rows_in_use().next_number(self.entity)

    def reset_sequence(self, value: int | None = None, force: bool = False) -> None:
        del force  # a subclass counts the same rows
        rows_in_use().start_at(self.entity, value or 0)

    def _drawn(self, resolver: Any, number: int) -> Record:
        states = {name: state for name, state in self.parameters.items() if isinstance(state, State)}
        asked = [name for name in states if getattr(resolver, name)]
        wanted: dict[str, Any] = {}
        for state in (states[name] for name in asked):
            if wanted.setdefault(state.column, state.expected) != state.expected:
                raise RequestInvalid(f"No row of {self.entity.name} is {' and '.join(asked)} at once.")
        return rows_in_use().drawn(self.entity, number, wanted)


class EntityFactory(Factory[Any]):
    """Gives the rows of an entity one after another, from the first row of the dataset in use on."""

    _options_class = _EntityOptions
    _meta: _EntityOptions

    class Meta:
        abstract = True

    @classmethod
    def entity(cls) -> Entity:
        """The entity whose rows are given."""
        return cls._meta.entity

    @classmethod
    def reset_sequence(cls, value: int | None = None, force: bool = False) -> None:
        """Let the row of a number, by default the first one, be next."""
        cls._meta.reset_sequence(value, force)

    @classmethod
    def states(cls) -> tuple[str, ...]:
        """The traits: names of the states in which rows can be asked for."""
        return tuple(name for name, parameter in cls._meta.parameters.items() if isinstance(parameter, State))

    @classmethod
    def _adjust_kwargs(cls, **kwargs: Any) -> dict[str, Any]:
        """Let a row that was given in place of another bring its id, and an id its row."""
        drawn: Record = kwargs.pop(_ROW)
        for relation, column in drawn.relations.items():
            if kwargs[relation] != getattr(drawn, relation):
                kwargs[column] = getattr(kwargs[relation], "id", None)
            elif kwargs[column] != getattr(drawn, column):
                kwargs[relation] = rows_in_use().related(cls._meta.entity, column, kwargs[column])
        return kwargs
