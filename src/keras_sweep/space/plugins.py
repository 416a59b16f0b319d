"""Look up plugins by name: from this package, from scripts that register plugins, and from installed packages.

An installed package names its plugins in an entry point, as CONTRIBUTING.md shows. A space file can name a plugin, but
never a module. A plugin is imported at its first use.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from pkgutil import resolve_name
from typing import TYPE_CHECKING, TypeVar, cast

from keras_sweep.errors import UsageError
from keras_sweep.space.text import did_you_mean, join

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

Member = TypeVar("Member")


def find_member(members: Mapping[str, Member], noun: str, name: str) -> Member:
    """Return `members[name]`. Raises UsageError "there is no NOUN NAME", and suggests the nearest name or all names."""
    if name not in members:
        hint = did_you_mean(name, members) or f"Choose from {join(members)}"
        raise UsageError(f"there is no {noun} {name!r}", hint=hint)
    return members[name]


class Plugins(Mapping[str, Member]):
    """All plugins of a kind, like samplers, as a mapping: name -> plugin. If the kind has a default, it comes first."""

    def __init__(self, noun: str, group: str, members: Mapping[str, Member | str]) -> None:
        """Create the mapping with `members`, this package's plugins. A text "module:attribute" is imported at first
        use. `noun` names a plugin in messages: "sampler". Other packages add plugins by entry points of the `group`,
        like "keras_sweep.samplers", but can't replace `members`."""
        self.noun = noun
        self.group = group
        self._own = dict(members)
        self.registered: dict[str, Member] = {}  # in this process; another process does not know them

    @cached_property
    def _entry_points(self) -> Mapping[str, EntryPoint]:
        from importlib.metadata import entry_points

        return {point.name: point for point in entry_points(group=self.group) if point.name not in self._own}

    @property
    def own(self) -> tuple[str, ...]:
        """The names of this package's plugins and of registered plugins, without entry points of other packages."""
        return tuple(self._own)

    def register(self, name: str, member: Member) -> None:
        """Add the plugin `member` for the rest of this process. Raises ValueError if a plugin has this name already."""
        if name in self:
            raise ValueError(f"a {self.noun} named {name!r} already exists")
        self._own[name] = self.registered[name] = member

    def find(self, name: str) -> Member:
        """Return the plugin `name`. Raises UsageError if the plugin does not exist or can't be imported."""
        return find_member(self, self.noun, name)

    def __getitem__(self, name: str) -> Member:
        if name in self._own:
            member = self._own[name]
            return cast("Member", resolve_name(member) if isinstance(member, str) else member)
        point = self._entry_points[name]
        try:
            return cast("Member", point.load())
        except Exception as error:  # another package may raise anything
            package = point.dist.name if point.dist is not None else point.module
            rule = f"the {self.noun} {name!r} of {package} can't be imported ({type(error).__name__}: {error})"
            raise UsageError(rule, hint=f"Update or remove {package}") from error

    def __contains__(self, name: object) -> bool:
        return name in self._own or name in self._entry_points

    def __iter__(self) -> Iterator[str]:
        yield from self._own  # the first name needs no search in other packages
        yield from self._entry_points

    def __len__(self) -> int:
        return len(self._own) + len(self._entry_points)
