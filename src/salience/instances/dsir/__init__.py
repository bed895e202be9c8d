"""Choose documents that look like a target, by importance resampling: `resampler` is the estimator.

`pools` reads texts wherever they are, `ngrams` turns them into hashed n-grams, `passes` goes over a pool with
mergeable states, `weights` has the mathematics, `choice` draws, `picture` draws the other way.
"""
