"""Columns scored one by one by mutual information: `screener` is the estimator.

`dependence` has the measures and the scalings by name, `screened` scores a block of columns, `pictures`
draws scores against their null.
"""
