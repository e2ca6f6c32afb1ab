"""The optional compiled core; everything else is in pyproject.toml."""

from setuptools import Extension, setup

try:
    from Cython.Build import cythonize
except ImportError:
    modules = []
else:
    modules = cythonize(
        [Extension("fedns.servers._core", ["fedns/servers/core.py"])],
        build_dir="build/cython",
        compiler_directives={
            "language_level": 3,
            "annotation_typing": False,  # types of C are in _core.pxd
            "boundscheck": False,  # the uncompiled form checks, under tests and fuzzers
            "wraparound": False,
            "initializedcheck": False,
            "cdivision": True,
        },
    )

for module in modules:
    module.optional = True  # cythonize forgets it

setup(ext_modules=modules)
