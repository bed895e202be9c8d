"""Learning from labels of which some are wrong: `classifier` is the estimator.

`design` checks what was asked for, `reading` takes tables and images in, `network` is a backbone whose features are
compressed, `curriculum` runs all trainings: `learning` trains one network or two, `coteaching` is the step of two that
choose rows for each other, `forgetting` estimates how many labels are wrong. `findings` turns what was learned into
scores, and `plots` draws accuracy over kept features.
"""
