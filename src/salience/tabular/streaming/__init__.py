"""What a ranking in one pass over the rows is made of; `passes` is the pass, :mod:`salience.tabular.ranking` the estimator.

What is ranked: `candidates`, `expand`, `naming`, `parts`, `views`, `controls`, `categorical`, `transforms`
beside it. How: `heuristics` names the scores, `engines` chooses what is accumulated, `tally` holds it,
`scoring` turns counts into rows. Batches as OutRank has them: `batches`, `batchlog`, `inputs`. Pairs:
`relations`, `combinationstate`, `jointcounts`, `similarity`, `schedule`. Rows that are kept: `rowsample`,
`rowtexts`, `checksums`. Models: `surrogates`, `forward`, `reference`.
"""
