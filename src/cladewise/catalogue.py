"""Discovery of named parts (methods, rules) in a package's modules and entry points, and their textual specs."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import importlib
import importlib.util
import inspect
import pkgutil
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import ModuleType, UnionType
from typing import TYPE_CHECKING, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from cladewise.errors import InputError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoints

Part = TypeVar("Part")

SLIP = 90.0
"""Similarity to an option, in percent, from which a name that a user chose is taken for that option misspelt."""


def fitted() -> Any:
    """A dataclass field that is fitted on scores rather than chosen; ``None`` until then."""
    return dataclasses.field(default=None, repr=False, compare=False, metadata={"fitted": True})


def named(what: str) -> Any:
    """A dataclass field for options that users name after something of theirs, as in ``threshold:family=0.6``.

    Its value is a tuple of pairs, a name and a value each; make it with :func:`pairs`. In a spec and as an argument of
    ``make``, an option that is none of the part's own is one of these.

    Args:
        what: Word for the names, for listings: ``"level"``.
    """
    return dataclasses.field(default=(), metadata={"named": what})


def pairs(values: Any) -> tuple[tuple[str, Any], ...]:
    """The value of a field made by :func:`named`, from a mapping or from pairs.

    Raises:
        InputError: It is neither, or has a name twice.

    Example:
        >>> pairs({"family": 0.6, "genus": 0.8})
        (('family', 0.6), ('genus', 0.8))
    """
    try:
        found = tuple((str(name), value) for name, value in (values.items() if isinstance(values, Mapping) else values))
    except (TypeError, ValueError):
        raise InputError("a mapping from names to values", repr(values)) from None
    if len(dict(found)) < len(found):
        raise InputError("each name once", ", ".join(name for name, _ in found))
    return found


def options_of(part: Any) -> dict[str, dataclasses.Field[Any]]:
    """The options of a part or of its class: all fields except fitted ones and those that users name."""
    own = (f for f in dataclasses.fields(part) if not (f.metadata.get("fitted") or f.metadata.get("named")))
    return {f.name: f for f in own if f.init}


def named_option_of(part: Any) -> dataclasses.Field[Any] | None:
    """The field of a part or of its class that was made by :func:`named`; ``None`` if there is none."""
    return next((f for f in dataclasses.fields(part) if f.metadata.get("named")), None)


def _named_values(part: Any) -> tuple[tuple[str, Any], ...]:
    field = named_option_of(part)
    return getattr(part, field.name) if field else ()


def handle(part: Any) -> str:
    """The name of a rule and its non-default options, as a file name.

    The first option is written as its value, any other as ``name=value``, so that no two rules share a handle.

    Example:
        >>> from cladewise.decisions import Threshold
        >>> handle(Threshold(0.8))
        'threshold-0.8'
    """
    changed = [
        _short(value) if place == 0 else f"{name}={_short(value)}"
        for place, (name, field) in enumerate(options_of(part).items())
        if not _equal(value := getattr(part, name), field.default)
    ]
    given = [f"{_short(name)}={_short(value)}" for name, value in _named_values(part)]
    return "-".join([part.name, *changed, *given])


def _equal(value: Any, default: Any) -> bool:
    if isinstance(value, tuple) and isinstance(default, tuple):
        return len(value) == len(default) and all(map(_equal, value, default))
    return value is default or (
        type(value) is type(default) and isinstance(value, str | int | float) and value == default
    )


def _short(value: Any) -> str:
    """An option's value as part of a file name: a plain value as it is, the stem of a path, otherwise a hash."""
    if isinstance(value, float):
        return repr(value).removesuffix(".0")
    if isinstance(value, bool | int):
        return str(value).lower()
    if isinstance(value, str | Path):
        path = Path(value)
        text = str(value).removesuffix(path.suffix) if path.suffix[1:].isalpha() else str(value)
        plain = re.fullmatch(r"[\w.-]{1,60}", text)
        return text if plain else re.sub(r"[^\w.-]", "", path.stem)[:30] + _digest(str(value))
    if isinstance(value, tuple | list):
        text = ",".join(map(_short, value))
        return text if len(text) <= 60 else _digest(text)
    return _digest(_numbers(value) if hasattr(value, "numpy") else repr(value))


def _numbers(tensor: Any) -> bytes:
    """The content of a tensor; ``repr`` would abbreviate a long one."""
    array = tensor.detach().cpu().double().numpy()
    return f"{array.shape}".encode() + array.tobytes()


def _digest(content: str | bytes) -> str:
    return hashlib.sha256(content.encode() if isinstance(content, str) else content).hexdigest()[:8]


def named_parts(package: ModuleType, base: type[Part]) -> dict[str, type[Part]]:
    """Concrete subclasses of ``base`` in the package's modules and in the entry-point group of its name, by ``name``.

    Raises:
        InputError: Two classes have one name.
    """
    modules = [importlib.import_module(f"{package.__name__}.{m.name}") for m in pkgutil.iter_modules(package.__path__)]
    return dict(sorted(_parts_in(modules, package, base).items()))


def parts_called(name: str, package: ModuleType, base: type[Part]) -> dict[str, type[Part]]:
    """The part of one name, importing only the modules whose source has that name; empty if there is none.

    Raises:
        InputError: Two classes have this name.
    """
    modules = [importlib.import_module(path) for path in _modules_naming(package.__name__, name)]
    return {key: part for key, part in _parts_in(modules, package, base).items() if key == name}


@functools.cache
def _modules_naming(package: str, name: str) -> tuple[str, ...]:
    """The modules of a package whose source contains the name in quotes, or has no source."""
    found: list[str] = []
    for module in pkgutil.iter_modules(importlib.import_module(package).__path__):
        path = f"{package}.{module.name}"
        spec = importlib.util.find_spec(path)
        get_source = getattr(spec and spec.loader, "get_source", None)
        if get_source is None or f'"{name}"' in get_source(path):
            found.append(path)
    return tuple(found)


def plug_ins(group: str) -> EntryPoints:
    """Entry points of a group. Installed distributions are read once per process and search path.

    Example:
        >>> len(plug_ins("cladewise.no-such-group"))
        0
    """
    return _entry_points(group, tuple(sys.path))


@functools.lru_cache(maxsize=32)
def _entry_points(group: str, search_path: tuple[str, ...]) -> EntryPoints:
    """Reads a file of every installed distribution, which takes 50 ms in a usual environment."""
    from importlib.metadata import entry_points  # here, since its import takes longer than the rest of this module

    del search_path  # only tells cached results apart
    return entry_points(group=group)


def _parts_in(modules: Iterable[ModuleType], package: ModuleType, base: type[Part]) -> dict[str, type[Part]]:
    found: dict[str, type[Part]] = {}
    candidates = [value for module in modules for value in vars(module).values() if inspect.isclass(value)]
    candidates += [entry.load() for entry in plug_ins(package.__name__)]
    for part in candidates:
        if not issubclass(part, base) or inspect.isabstract(part) or "name" not in vars(part):
            continue
        name: str = vars(part)["name"]
        if found.setdefault(name, part) is not part:
            raise InputError(f"one {base.__name__.lower()} named {name!r}", f"{found[name]!r} and {part!r}")
    return found


def names_in_source(package: str) -> list[str] | None:
    """Names of the parts of a package, read from its source without importing it; none where plug-ins may add to them.

    Example:
        >>> "majority" in names_in_source("cladewise.decisions")
        True
    """
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations or plug_ins(package):
        return None
    sources = [file for folder in spec.submodule_search_locations for file in sorted(Path(folder).glob("*.py"))]
    return sorted(name for file in sources for name in _NAME.findall(file.read_text(encoding="utf-8")))


_NAME = re.compile(r'^    name: ClassVar\[str\] = "([^"]+)"$', re.MULTILINE)


def split_chain(text: str) -> list[str]:
    """The specs that a text joins with ``+``. A plus within a number or a file name joins nothing.

    Example:
        >>> split_chain("diffusion:alpha=1e+0+subset:allowed=a+b.txt")
        ['diffusion:alpha=1e+0', 'subset:allowed=a+b.txt']
    """
    return re.split(r"\+(?=[a-z][a-z0-9-]*(?::|\+|$))", text)


def make_part(parts: dict[str, type[Part]], what: str, name: str, options: dict[str, Any]) -> Part:
    """Build the part of a name with its options, a dataclass's fields.

    Raises:
        InputError: There is no such part or option; the message lists the known ones.
    """
    check_part(parts, what, name, options)
    kind = parts[name]
    missing = [o for o, field in options_of(kind).items() if not _has_default(field) and o not in options]
    if missing:
        raise InputError(f"the {what} {name} with its {missing[0]}", "none", advice=f"Write {name}:{missing[0]}=...")
    types, open_field = get_type_hints(kind), named_option_of(kind)
    own = {key: value for key, value in options.items() if key in options_of(kind)}
    fields = {key: _fitting(value, types[key], f"{what} {name}, option {key}") for key, value in own.items()}
    if open_field is not None and len(own) < len(options):
        given = {key: value for key, value in options.items() if key not in own}
        whole = given.pop(open_field.name, ())  # all of them at once, in Python
        wanted = _value_type(types[open_field.name])
        each = {key: _fitting(value, wanted, f"{what} {name}, option {key}") for key, value in given.items()}
        fields[open_field.name] = (*pairs(whole), *each.items())
    return kind(**fields)


def _value_type(pairs_type: Any) -> Any:
    """The type of the values in the type of a field made by :func:`named`, ``tuple[tuple[str, float], ...]``."""
    return get_args(get_args(pairs_type)[0])[1]


def check_part(parts: Mapping[str, type[Any]], what: str, name: str, options: Iterable[str]) -> None:
    """Check that there is a part of this name with these options.

    Names that users choose (:func:`named`) are for the part to check, except those that are most likely a misspelt
    option; in Python they can be given by the field itself.

    Raises:
        InputError: There is not; the message lists the known ones.
    """
    check_name(parts, what, name)
    known, open_field = options_of(parts[name]), named_option_of(parts[name])
    for option in options:
        if option in known or (open_field is not None and not _is_slip(option, known)):
            continue
        listed = ", ".join(known) or "none"
        if open_field is not None:
            listed += f", or a {open_field.metadata['named']}"
        raise InputError(f"an option of the {what} {name}: {listed}", repr(option), advice=nearest(option, known))


def _is_slip(word: str, options: Iterable[str]) -> bool:
    """Whether a word is most likely one of the options, misspelt."""
    return bool(near_texts(word, list(options), 1, score=SLIP))


def check_name(names: Iterable[str], what: str, name: str) -> None:
    """Check that a name is one of the known ones.

    Raises:
        InputError: It is not; the text lists them.
    """
    known = list(names)
    if name not in known:
        expected = f"{'an' if what[0] in 'aeiou' else 'a'} {what}: {', '.join(known)}"
        raise InputError(expected, repr(name), advice=nearest(name, known))


def _has_default(field: dataclasses.Field[Any]) -> bool:
    return field.default is not dataclasses.MISSING or field.default_factory is not dataclasses.MISSING


def _fitting(value: Any, wanted: Any, at: str) -> Any:
    """The value converted to the type that a field is annotated with.

    Raises:
        InputError: It does not have that type.
    """
    if get_origin(wanted) is Literal:
        if value not in get_args(wanted):
            raise InputError(f"one of {', '.join(map(str, get_args(wanted)))}", repr(value), at=at)
    elif wanted is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    elif wanted in (bool, int, float, str) and type(value) is not wanted:
        raise InputError(type_text(wanted), repr(value), at=at)
    return value


def from_spec(parts: dict[str, type[Part]], what: str, text: str) -> Part:
    """Build a part from its spec: ``name``, or ``name:key=value,key=value``.

    Raises:
        InputError: There is no such part or option, or a value is not of the option's type.

    Example:
        >>> from cladewise import decisions
        >>> from_spec(decisions.available(), "decision", "threshold:threshold=0.8,family=0.6")
        Threshold(threshold=0.8, by_name=(('family', 0.6),))
    """
    name, options = parse_spec(parts, what, text)
    return make_part(parts, what, name, options)


def parse_spec(parts: Mapping[str, type[Any]], what: str, text: str) -> tuple[str, dict[str, Any]]:
    """Name and options of a spec, with each value converted to the type of the part's field.

    The items of a list are also separated by commas: ``name:levels=2,3,alpha=0.5``. If the part takes options that
    users name (:func:`named`), names may have any characters; a comma or an equals sign in one has a backslash before
    it.

    Raises:
        InputError: There is no such part or option, or a value is not of the option's type.

    Example:
        >>> from cladewise import decisions
        >>> parse_spec(decisions.available(), "decision", "threshold:threshold=0.8")
        ('threshold', {'threshold': 0.8})
    """
    name, colon, rest = text.partition(":")
    check_part(parts, what, name, ())
    words: dict[str, str] = {}
    key = ""
    open_field = named_option_of(parts[name])
    for piece in (rest.split(",") if open_field is None else _UNESCAPED_COMMA.split(rest)) if colon else []:
        before, equals, value = _name_and_value(piece) if open_field else piece.partition("=")
        if equals and (before.strip() if open_field else before.strip().isidentifier()):
            key = before.strip()
            if key in words:
                raise InputError(f"each option of {name} once", f"{key} twice", at=repr(text))
            words[key] = value.strip()
        elif key:  # a further item of the list
            words[key] += f",{piece.strip()}"
        else:
            raise InputError(f"{name}:key=value,key=value", repr(text))
    check_part(parts, what, name, words)
    types, own = get_type_hints(parts[name]), options_of(parts[name])
    named_type = _value_type(types[open_field.name]) if open_field else None
    wanted = {key: types[key] if key in own else named_type for key in words}
    return name, {key: read_value(word, wanted[key], f"{what} {name}, option {key}") for key, word in words.items()}


_UNESCAPED_COMMA = re.compile(r"(?<!\\),")
_UNESCAPED_EQUALS = re.compile(r"(?<!\\)=")


def _name_and_value(piece: str) -> tuple[str, str, str]:
    """The parts of ``name=value``, without the backslashes in the name; an empty name where there is none."""
    halves = _UNESCAPED_EQUALS.split(piece, maxsplit=1)
    return (re.sub(r"\\([,=])", r"\1", halves[0]), "=", halves[1]) if len(halves) == 2 else ("", "", piece)


def spec(part: Any) -> str:
    """The spec of a part, from which :func:`from_spec` rebuilds it.

    Example:
        >>> from cladewise.decisions import Threshold
        >>> spec(Threshold(0.8)), spec(Threshold()), spec(Threshold(by_name={"Aves": 0.7}))
        ('threshold:threshold=0.8', 'threshold', 'threshold:Aves=0.7')
    """
    words = [
        f"{name}={value_text(value)}"
        for name, field in options_of(part).items()
        if not _equal(value := getattr(part, name), field.default)
    ]
    words += [re.sub(r"([,=])", r"\\\1", name) + f"={value_text(value)}" for name, value in _named_values(part)]
    return f"{part.name}:{','.join(words)}" if words else part.name


def value_text(value: Any) -> str:
    """An option's value as text, in the syntax of specs."""
    if isinstance(value, tuple | list):
        return ",".join(map(value_text, value))
    return str(value).lower() if isinstance(value, bool | None) else str(value)


def read_value(word: str, wanted: Any, at: str) -> Any:
    """Parse a word as the annotated type: a number, a boolean, a choice, a text, or a list of these.

    Raises:
        InputError: It cannot be parsed as that type.

    Example:
        >>> read_value("2,3", tuple[int, ...], "levels"), read_value("no", bool, "rescale")
        ((2, 3), False)
    """
    choices = _alternatives(wanted)
    if type(None) in choices and word.lower() in ("none", "null"):
        return None
    found = [value for kind in choices if (value := _read_as(word, kind, at)) is not _UNREADABLE]
    if found:
        return found[0]
    names = " or ".join(type_text(kind) for kind in choices if kind is not type(None))
    raise InputError(names, repr(word), at=at)


_UNREADABLE = object()
_TRUTHS = {"true": True, "yes": True, "false": False, "no": False}


def _alternatives(wanted: Any) -> list[Any]:
    """The types of a union, ``str`` last, since every word is one."""
    kinds = list(get_args(wanted)) if get_origin(wanted) in (Union, UnionType) else [wanted]
    return sorted(kinds, key=lambda kind: kind is str or kind is Any)


def _read_as(word: str, kind: Any, at: str) -> Any:
    origin = get_origin(kind)
    if origin is Literal:
        return next((choice for choice in get_args(kind) if str(choice) == word), _UNREADABLE)
    if origin in (tuple, list, Sequence):
        inner = [item for item in get_args(kind) if item is not Ellipsis]
        items = [read_value(item, inner[0] if inner else str, at) for item in word.split(",") if item]
        return items if origin is list else tuple(items)
    if kind is bool:
        return _TRUTHS.get(word.lower(), _UNREADABLE)
    if kind in (int, float):
        try:
            return kind(word)
        except ValueError:
            return _UNREADABLE
    if kind is Path:
        return Path(word)
    return word if kind in (str, Any) else _UNREADABLE


def type_text(kind: Any) -> str:
    """A type in words.

    Example:
        >>> type_text(int), type_text(list[float])
        ('a whole number', 'a list, each a number')
    """
    if get_origin(kind) is Literal:
        return f"one of {', '.join(map(str, get_args(kind)))}"
    names = {int: "a whole number", float: "a number", bool: "true or false", str: "a text", Path: "a path"}
    if get_origin(kind) in (tuple, list, Sequence):
        return f"a list, each {type_text(get_args(kind)[0])}"
    return names.get(kind, f"a {getattr(kind, '__name__', kind)}, which a text cannot be")


def nearest(word: str, choices: Any) -> str:
    """A did-you-mean sentence with the closest choice, or an empty text."""
    near = near_texts(word, list(choices), 1)
    return f"Did you mean {near[0]}?" if near else ""


def near_texts(word: str, choices: Sequence[str], limit: int = 3, *, score: float = 60) -> list[str]:
    """The choices spelt most like a word, best first; takes a fraction of a second for a million choices.

    Example:
        >>> near_texts("applr", ["pear", "apple", "kiwi"])
        ['apple']
    """
    from rapidfuzz import fuzz, process

    return [text for text, _, _ in process.extract(word, choices, scorer=fuzz.ratio, limit=limit, score_cutoff=score)]
