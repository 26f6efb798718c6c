"""Compiles the hot modules of proxy/content, each under a name of its own beside the plain one.

    jsonlex.py + jsonscan.py, and their .pxd  ->  _jsonscan.py  ->  C  ->  proxy.content._jsonscan

What is compiled together is one file, so that C can inline what is small.

Where C cannot be compiled, for want of a compiler or of Python's headers, everything else installs
all the same, and runs interpreted: `lockgate --version` says which.
"""

import re
from collections.abc import Sequence
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup

MODULES = {
    "_jsonscan": ("octets", "jsonlex", "jsonscan"),
    "_jsonsplice": (
        "octets",
        "sha256",
        "macs",
        "blake2b",
        "hmacsha256",
        "jsontaken",
        "jsontokens",
        "jsonsplice",
    ),
    "_near": ("digits", "near"),
    "_sides": ("octets", "sha256", "sides"),
}
IN_C = {"octets", "sha256", "digits"}
"""Of which the .pxd has everything, in C."""
SOURCE = Path("proxy/content")
MADE = Path("build/cython")
DIRECTIVES = {
    "language_level": 3,
    "infer_types": True,
    "annotation_typing": False,  # the types are in the .pxd
    "boundscheck": False,  # indexes are in range by construction: jsonscan says how
    "wraparound": False,
    "initializedcheck": False,
    "cdivision": True,
}


def extension(name: str, parts: Sequence[str]) -> Extension:
    """What makes `name` of these. Made-up sources are written only when they change."""
    folder = MADE / "proxy" / "content"
    folder.mkdir(parents=True, exist_ok=True)
    among = re.compile(rf"^from proxy\.content\.(?:{'|'.join(parts)}) import .*\n", re.M)
    for suffix in (".py", ".pxd"):
        read = [part for part in parts if suffix == ".pxd" or part not in IN_C]
        texts = [(SOURCE / part).with_suffix(suffix).read_text("utf-8") for part in read]
        text, copy = among.sub("", "\n".join(texts)), folder / f"{name}{suffix}"
        if not copy.exists() or copy.read_text("utf-8") != text:
            copy.write_text(text, "utf-8")
    return Extension(
        f"proxy.content.{name}",
        [str(folder / f"{name}.py")],
        extra_compile_args=["-O3"],
    )


extensions = [extension(name, parts) for name, parts in MODULES.items()]
made = cythonize(extensions, include_path=[str(MADE)], compiler_directives=DIRECTIVES, quiet=True)
for each in made:
    each.optional = True  # cythonize makes them anew, and forgets that they may fail
setup(ext_modules=made)
