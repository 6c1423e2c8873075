"""Which cells of a lesson an exercise touches: a slice of the program, by the names that cells read and write.

Weiser, "Program slicing", ICSE 1981; here over whole cells, and by names alone. Where it is wrong and leaves out a cell
that another one needs, that other one fails with a NameError: nothing passes because of it.
"""

import ast
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain


@dataclass(frozen=True)
class Names:
    """The names of a cell.

    Attributes:
        read: those whose value comes from an earlier cell.
        bound: those that it gives a new value.
        changed: those whose object it may change: `x[0] = ...`, `x.y = ...`, a statement `x.append(...)`.
    """

    read: frozenset[str]
    bound: frozenset[str]
    changed: frozenset[str]


def names_of(source: str) -> Names:
    """The names of a cell, read off its statements from top to bottom."""
    read: set[str] = set()
    bound: set[str] = set()
    changed: set[str] = set()
    for statement in ast.parse(source).body:
        inside = set(_inner_names(statement))
        read |= {name for name in _loaded(statement) if name not in bound and name not in inside}
        changed |= set(_changed(statement)) - inside
        bound |= set(_bound(statement))
    return Names(frozenset(read), frozenset(bound), frozenset(changed - bound))


def _loaded(statement: ast.stmt) -> Iterator[str]:
    for node in ast.walk(statement):
        match node:
            case ast.Name(id=name, ctx=ast.Load()) | ast.AugAssign(target=ast.Name(id=name)):
                yield name


def _inner_names(statement: ast.stmt) -> Iterator[str]:
    """What a statement binds for its own inside: targets of loops and comprehensions, arguments, `with ... as`."""
    for node in ast.walk(statement):
        match node:
            case ast.For(target=target) | ast.comprehension(target=target):
                yield from _stored(target)
            case ast.withitem(optional_vars=ast.expr() as target):
                yield from _stored(target)
            case ast.arg(arg=name) | ast.ExceptHandler(name=str(name)):
                yield name
            case ast.FunctionDef() | ast.Lambda() if node is not statement:
                yield from (argument.arg for argument in node.args.args)


def _bound(statement: ast.stmt) -> Iterator[str]:
    """What a statement leaves behind under a new value."""
    match statement:
        case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
            yield name
        case ast.Import(names=names) | ast.ImportFrom(names=names):
            yield from (alias.asname or alias.name.partition(".")[0] for alias in names)
        case ast.With(body=body):
            yield from chain.from_iterable(map(_stored, statement.items))
            yield from chain.from_iterable(map(_bound, body))
        case ast.For() | ast.If() | ast.Try() | ast.While():  # perhaps never: so it also counts as read, see names_of
            yield from chain.from_iterable(map(_stored, ast.iter_child_nodes(statement)))
        case _:
            comprehensions = (node.target for node in ast.walk(statement) if isinstance(node, ast.comprehension))
            own = set(chain.from_iterable(map(_stored, comprehensions)))
            yield from (name for name in _stored(statement) if name not in own)


def _stored(node: ast.AST) -> Iterator[str]:
    return (part.id for part in ast.walk(node) if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store))


def _changed(statement: ast.stmt) -> Iterator[str]:
    for node in ast.walk(statement):
        match node:
            case ast.Expr(value=ast.Call(func=ast.Attribute() as target)):
                yield from _base(target)
            case ast.Attribute(ctx=ast.Store() | ast.Del()) | ast.Subscript(ctx=ast.Store() | ast.Del()):
                yield from _base(node)


def _base(node: ast.expr) -> Iterator[str]:
    """The name `x` of `x.y[0].z`; nothing where it begins with something else."""
    while isinstance(node, ast.Attribute | ast.Subscript | ast.Call):
        node = node.func if isinstance(node, ast.Call) else node.value
    if isinstance(node, ast.Name):
        yield node.id


def touched(cells: Sequence[Names], roots: Collection[int], *, constant: Collection[str] = ()) -> list[int]:
    """The roots, every later cell that uses a name that they bind, and every earlier one that any of these need.

    Args:
        cells: of the code cells, in order.
        roots: places of some of them.
        constant: names whose objects no cell changes, such as modules: `torch.manual_seed(0)` changes no tensor.

    Returns:
        Places, rising.
    """
    constant, kept, theirs = frozenset(constant), set(roots), set[str]()
    for place, names in enumerate(cells):
        if names.read & theirs:
            kept.add(place)
        theirs = theirs | names.bound if place in roots else theirs - names.bound
    needed = set[str]()
    for place in reversed(range(len(cells))):
        names = cells[place]
        if place in kept or (names.bound | (names.changed - constant)) & needed:
            kept.add(place)
            needed = (needed - names.bound) | names.read
    return sorted(kept)


def modules_of(sources: Sequence[str]) -> set[str]:
    """The names that cells import."""
    statements = chain.from_iterable(ast.parse(source).body for source in sources)
    imports = (s for s in statements if isinstance(s, ast.Import | ast.ImportFrom))
    return set(chain.from_iterable(map(_bound, imports)))
