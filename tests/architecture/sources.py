"""The package's source files, parsed once, and what architecture tests look for in them."""

import ast
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import intvit

PACKAGE = Path(intvit.__file__).parent


@dataclass(frozen=True)
class Source:
    """A module: its dotted name, its path and its syntax tree."""

    module: str
    path: Path
    tree: ast.Module

    @property
    def layer(self):
        """The first part of the name below `intvit`, or an empty string for `intvit` itself."""
        return self.module.partition(".")[2].partition(".")[0]


def parse(text, module="intvit.ops.planted"):
    """A source that is not in a file, for negative controls."""
    return Source(module, Path(f"{module}.py"), ast.parse(text))


@cache
def sources():
    """All modules of the package."""
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = ("intvit", *path.relative_to(PACKAGE).with_suffix("").parts)
        module = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        found.append(Source(module, path, ast.parse(path.read_text("utf-8"))))
    return tuple(found)


def imports(source):
    """Yield (line, dotted name) of every import, also those inside functions."""
    package = source.module if source.path.name == "__init__.py" else source.module.rpartition(".")[0]
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*above, base]).rstrip(".")
            yield from ((node.lineno, f"{base}.{alias.name}") for alias in node.names)
