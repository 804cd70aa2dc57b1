"""One HTML page of a plan: tables and inline charts, nothing loaded from anywhere."""

from twintrack.economics.report.page import page

__all__ = ["page"]
