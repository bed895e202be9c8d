"""Does a ranking hold up? Benches, checks and verdicts for any `Scores`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from salience.lazy import lazy_namespace

__all__ = [
    "Bench",  # what is it worth when only these items remain
    "Check",  # one question, its number, its interval, its threshold and its verdict
    "Sample",  # rows with a target
    "SubsetBench",  # a bench around a function of one subset
    "Verdict",  # the table of checks
    "agreement",  # does another method agree
    "columns",  # bench: columns of a table, refitted
    "compare_row_selectors",  # how well models learn from the rows that each selector keeps
    "configurations",  # bench: configurations that were all measured
    "controls",  # are planted columns put where they belong
    "covariates_of",  # cardinality, frequency, missing values, position of columns
    "curve",  # does deleting (inserting) the top hurt (help) more than by chance
    "evaluate_selectors",  # how well models predict from what each selector keeps
    "fidelity",  # do attributions predict what happens when parts are taken away
    "fingerprint",  # what data a ranking was made from
    "hold_columns",  # bench: columns of a table, one model held
    "instances",  # bench: columns of single rows, one model held
    "invariance",  # does what should not matter not matter
    "leak",  # does one item know too much
    "mislabelled",  # are labels found that were made wrong on purpose
    "named_estimator",  # logistic, forest, lightgbm, or the user's own
    "nuisance",  # is it cardinality or frequency in disguise
    "pairs",  # bench: products of two columns, refitted
    "parts",  # bench: parts of a black box
    "repeat",  # fit several times while one thing varies
    "report",  # checks side by side
    "retention",  # does keeping the top keep the performance
    "rows",  # bench: rows of a training set
    "stability",  # does the same come out again
    "texts",  # bench: sentences or documents, compared with target texts
    "verify",  # judge scores on a bench, or a method inside splits of the data
]

__getattr__, __dir__ = lazy_namespace(
    __name__,
    {
        "Bench": "salience.verify.bench:Bench",
        "Check": "salience.verify.check:Check",
        "Sample": "salience.verify.sample:Sample",
        "SubsetBench": "salience.verify.bench:SubsetBench",
        "Verdict": "salience.verify.verdict:Verdict",
        "agreement": "salience.verify.checks.relations:agreement",
        "columns": "salience.verify.bench:columns",
        "compare_row_selectors": "salience.verify.rowselectors:compare_row_selectors",
        "configurations": "salience.verify.bench:configurations",
        "controls": "salience.verify.checks.planted:controls",
        "covariates_of": "salience.verify.checks.relations:covariates_of",
        "curve": "salience.verify.checks.performance:curve",
        "evaluate_selectors": "salience.verify.selectors:evaluate_selectors",
        "fidelity": "salience.verify.checks.faithfulness:fidelity",
        "fingerprint": "salience.verify.fingerprints:fingerprint",
        "hold_columns": "salience.verify.bench:hold_columns",
        "instances": "salience.verify.rowbench:instances",
        "invariance": "salience.verify.checks.invariance:invariance",
        "leak": "salience.verify.checks.leakage:leak",
        "mislabelled": "salience.verify.checks.mislabelled:mislabelled",
        "named_estimator": "salience.verify.estimators:named_estimator",
        "nuisance": "salience.verify.checks.relations:nuisance",
        "pairs": "salience.verify.pairbench:pairs",
        "parts": "salience.verify.bench:parts",
        "repeat": "salience.verify.checks.stability:repeat",
        "report": "salience.verify.verdict:report",
        "retention": "salience.verify.checks.performance:retention",
        "rows": "salience.verify.bench:rows",
        "stability": "salience.verify.checks.stability:stability",
        "texts": "salience.verify.textbench:texts",
        "verify": "salience.verify.nested:verify",
    },
)

if TYPE_CHECKING:
    from salience.verify.bench import Bench as Bench
    from salience.verify.bench import SubsetBench as SubsetBench
    from salience.verify.bench import columns as columns
    from salience.verify.bench import configurations as configurations
    from salience.verify.bench import hold_columns as hold_columns
    from salience.verify.bench import parts as parts
    from salience.verify.bench import rows as rows
    from salience.verify.check import Check as Check
    from salience.verify.checks.faithfulness import fidelity as fidelity
    from salience.verify.checks.invariance import invariance as invariance
    from salience.verify.checks.leakage import leak as leak
    from salience.verify.checks.mislabelled import mislabelled as mislabelled
    from salience.verify.checks.performance import curve as curve
    from salience.verify.checks.performance import retention as retention
    from salience.verify.checks.planted import controls as controls
    from salience.verify.checks.relations import agreement as agreement
    from salience.verify.checks.relations import covariates_of as covariates_of
    from salience.verify.checks.relations import nuisance as nuisance
    from salience.verify.checks.stability import repeat as repeat
    from salience.verify.checks.stability import stability as stability
    from salience.verify.estimators import named_estimator as named_estimator
    from salience.verify.fingerprints import fingerprint as fingerprint
    from salience.verify.nested import verify as verify
    from salience.verify.pairbench import pairs as pairs
    from salience.verify.rowbench import instances as instances
    from salience.verify.rowselectors import compare_row_selectors as compare_row_selectors
    from salience.verify.sample import Sample as Sample
    from salience.verify.selectors import evaluate_selectors as evaluate_selectors
    from salience.verify.textbench import texts as texts
    from salience.verify.verdict import Verdict as Verdict
    from salience.verify.verdict import report as report
