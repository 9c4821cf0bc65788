"""The report as one page that needs nothing else: no script, no font, no request."""

from edgekit.report.html.page import render

__all__ = ["render"]
