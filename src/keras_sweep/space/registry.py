"""Members of one kind by name: those of this package, those that the program registers, those of installed packages.

Another package registers its own by an entry point, in the group that the registry bears:

    [project.entry-points."keras_sweep.samplers"]
    annealing = "their_package.annealing:Annealing"

A name leads to what an installed package says of itself and to nothing else: no file can name a module. Entry points
are read when a name is not known otherwise, or when all are listed; a member is imported when it is first used.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from keras_sweep.errors import UsageError
from keras_sweep.space.plain_text import joined, nearest

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

Member = TypeVar("Member")


class Registry(Mapping[str, Member], Generic[Member]):
    """Members of one kind. The first is the default, where there is one; this package's own names can't be taken."""

    def __init__(self, noun: str, group: str, members: Mapping[str, Member | str]) -> None:
        """Register the members of this package.

        Args:
            noun: what a member is, for messages: "a sampler".
            group: of entry points: "keras_sweep.samplers".
            members: by name; text "module:attribute" is imported when the member is first used.
        """
        self.noun = noun
        self.group = group
        self.members: dict[str, Member | str] = dict(members)

    def register(self, name: str, member: Member) -> None:
        """Add a member for the rest of the process. Raises ValueError where the name is taken."""
        if name in self:
            raise ValueError(f"{self.noun} named {name!r} is there already")
        self.members[name] = member

    def find(self, name: str) -> Member:
        """The member of that name. Raises UsageError with the nearest name, or where its package can't be imported."""
        if name not in self:
            near = nearest(name, self)
            hint = f"Did you mean `{near}`?" if near else f"There are {joined(self)}"
            raise UsageError(f"there is no {self.noun.partition(' ')[2]} {name!r}", hint=hint)
        return self[name]

    def __getitem__(self, name: str) -> Member:
        member: Any = self.members.get(name)
        if member is None:
            member = self._load(name, self._installed[name])
        elif isinstance(member, str):
            module, _, attribute = member.partition(":")
            member = getattr(importlib.import_module(module), attribute)
        self.members[name] = member
        return member  # type: ignore[no-any-return]

    def __contains__(self, name: object) -> bool:
        return name in self.members or name in self._installed

    def __iter__(self) -> Iterator[str]:
        yield from tuple(self.members)  # the first of them without a look at other packages
        yield from (name for name in self._installed if name not in self.members)

    def __len__(self) -> int:
        return len({*self.members, *self._installed})

    @cached_property
    def _installed(self) -> Mapping[str, EntryPoint]:
        from importlib.metadata import entry_points

        return {point.name: point for point in entry_points(group=self.group)}

    def _load(self, name: str, point: EntryPoint) -> Any:
        try:
            return point.load()
        except Exception as error:  # what somebody else's module may raise
            package = point.dist.name if point.dist is not None else point.module
            raise UsageError(
                f"{self.noun} {name!r} of the package {package} can't be imported ({type(error).__name__}: {error})",
                hint="Update or remove that package",
            ) from error
