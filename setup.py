"""The optional compiled core; everything else is in pyproject.toml."""

from setuptools import Extension, setup

NAMES = (("servers", "core"), ("servers", "gate"), ("proxy", "swift"))

try:
    from Cython.Build import cythonize
except ImportError:
    modules = []
else:
    modules = cythonize(
        [Extension(f"fedns.{room}._{name}", [f"fedns/{room}/{name}.py"]) for room, name in NAMES],
        build_dir="build/cython",
        force=True,  # it does not see that one .pxd stands on another
        compiler_directives={
            "language_level": 3,
            "annotation_typing": False,  # types of C are in _core.pxd, _gate.pxd and _swift.pxd
            "boundscheck": False,  # the uncompiled form checks, under tests and fuzzers
            "wraparound": False,
            "initializedcheck": False,
            "cdivision": True,
        },
    )

for module in modules:
    module.optional = True  # cythonize forgets it

setup(ext_modules=modules)
