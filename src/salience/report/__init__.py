"""One self-contained HTML file per run: readable offline, by someone who was not there."""

from salience.report.page import render, write_report
from salience.report.words import Reading, headline, read_ranking

__all__ = ["Reading", "headline", "read_ranking", "render", "write_report"]
