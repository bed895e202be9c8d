"""Importances and predictions as parliaments: `parliament` for any scores, `explainer` for single predictions.

A prediction goes from `output` (what the model says) over `campaign` (removal effects), `alliances`,
`rules` and `mandates` (votes, seats, values) to `explanation`; `hemicycle` draws it. Seats are counted by
:mod:`salience.measures.apportion`.
"""
