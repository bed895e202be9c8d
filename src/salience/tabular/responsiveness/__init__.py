"""What a person could change to turn a prediction: `scorer` is the estimator, `space` what people can change.

`feature`, `rule`, `rules` and `encodings` make up a space; `component` and `reachable` list the points
within reach, `solver` finds them where a list would be too long; `interventions` counts those that reach
the target, `recourse` looks at all columns together; `responses` is what comes back, `pictures` draws it.
"""
