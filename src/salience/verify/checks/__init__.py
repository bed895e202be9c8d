"""The checks, one module per question.

==================  ========================================================================================
`performance`       `retention`, `curve`: does keeping the top keep the performance, does deleting it hurt
`faithfulness`      `fidelity`: do attributions predict what happens when parts are taken away
`stability`         `stability`, `repeat`: does the same come out of other seeds and other samples
`planted`           `controls`: are columns whose worth is known put where they belong
`invariance`        `invariance`: does what should not matter not matter
`relations`         `nuisance`, `agreement`: is it something else in disguise, does another method agree
`leakage`           `leak`: does one item know too much
`mislabelled`       `mislabelled`: are labels found that were made wrong on purpose
==================  ========================================================================================
"""
