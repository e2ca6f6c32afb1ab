"""Starts DNSViz 0.9.4 beside a pygraphviz without the module where DNSViz looks for its version."""

import runpy
import sys
import types

import pygraphviz  # type: ignore[import-not-found]

pygraphviz.release = types.SimpleNamespace(version=pygraphviz.__version__)
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
