"""Parts found by existing: every named class in a package's modules, and what others add by entry point."""

from __future__ import annotations

import dataclasses
import difflib
import hashlib
import importlib
import inspect
import pkgutil
import re
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from cladewise.errors import InputError

Part = TypeVar("Part")


def fitted() -> Any:
    """A field of a rule that is learnt from scores and not an option: ``None`` until then."""
    return dataclasses.field(default=None, repr=False, compare=False, metadata={"fitted": True})


def options_of(part: Any) -> dict[str, dataclasses.Field[Any]]:
    """The fields of a part, or of its class, that a user chooses."""
    return {f.name: f for f in dataclasses.fields(part) if f.init and not f.metadata.get("fitted")}


def handle(part: Any) -> str:
    """The name of a rule with the options that differ from their defaults, fit for a file name.

    Example:
        >>> from cladewise.decisions import Threshold
        >>> handle(Threshold(0.8))
        'threshold-0.8'
    """
    values = {option: getattr(part, option) for option in options_of(part)}
    changed = [_short(v) for name, v in values.items() if not _equal(v, options_of(part)[name].default)]
    return "-".join([part.name, *changed])


def _equal(value: Any, default: Any) -> bool:
    return value is default or (
        type(value) is type(default) and isinstance(value, str | int | float) and value == default
    )


def _short(value: Any) -> str:
    """An option's value as part of a file name; of a path the stem, of anything else that is no plain value a hash."""
    if isinstance(value, bool | int | float):
        return f"{value:g}" if isinstance(value, float) else str(value).lower()
    if isinstance(value, str | Path):
        text = Path(value).stem
        return text if re.fullmatch(r"[\w.,]+", text) else hashlib.sha256(str(value).encode()).hexdigest()[:8]
    if isinstance(value, tuple | list):
        return ",".join(map(_short, value))
    return hashlib.sha256(repr(value).encode()).hexdigest()[:8]


def named_parts(package: ModuleType, base: type[Part]) -> dict[str, type[Part]]:
    """Concrete subclasses of ``base`` in the package's modules and in the entry-point group of its name, by ``name``.

    Raises:
        InputError: Two classes have one name.
    """
    found: dict[str, type[Part]] = {}
    modules = [importlib.import_module(f"{package.__name__}.{m.name}") for m in pkgutil.iter_modules(package.__path__)]
    candidates = [value for module in modules for value in vars(module).values() if inspect.isclass(value)]
    candidates += [entry.load() for entry in entry_points(group=package.__name__)]
    for part in candidates:
        if not issubclass(part, base) or inspect.isabstract(part) or "name" not in vars(part):
            continue
        name: str = vars(part)["name"]
        if found.setdefault(name, part) is not part:
            raise InputError(f"one {base.__name__.lower()} named {name!r}", f"{found[name]!r} and {part!r}")
    return dict(sorted(found.items()))


def make_part(parts: dict[str, type[Part]], what: str, name: str, options: dict[str, Any]) -> Part:
    """Build the part of a name with its options, a dataclass's fields.

    Raises:
        InputError: There is no such part, or it has no such option; the text lists those that it has.
    """
    if name not in parts:
        raise InputError(f"a {what}: {', '.join(parts)}", repr(name), advice=nearest(name, parts))
    kind = parts[name]
    types = get_type_hints(kind)
    known = options_of(kind)
    for option in options:
        if option not in known:
            listed = ", ".join(known) or "none"
            raise InputError(f"an option of the {what} {name}: {listed}", repr(option), advice=nearest(option, known))
    return kind(**{key: _fitting(value, types[key], f"{what} {name}, option {key}") for key, value in options.items()})


def _fitting(value: Any, wanted: Any, at: str) -> Any:
    """The value as a number, a text or one of the choices that a field is annotated with.

    Raises:
        InputError: It is something else.
    """
    if get_origin(wanted) is Literal:
        if value not in get_args(wanted):
            raise InputError(f"one of {', '.join(map(str, get_args(wanted)))}", repr(value), at=at)
    elif wanted is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    elif wanted in (bool, int, float, str) and type(value) is not wanted:
        raise InputError(f"a {wanted.__name__}", repr(value), at=at)
    return value


def nearest(word: str, choices: Any) -> str:
    """Advice with the closest choice, or nothing."""
    near = difflib.get_close_matches(word, list(choices), n=1)
    return f"Did you mean {near[0]}?" if near else ""
