"""What charts that ECharts draws share; its browser module comes with NiceGUI."""

import importlib
from pathlib import Path

# Registers the browser module of ECharts.
importlib.import_module("nicegui.elements.echart")

DRAWING_JS = Path(__file__).with_name("drawing.js")
"""Loads ECharts, follows size and theme, and makes the parts that options share."""
