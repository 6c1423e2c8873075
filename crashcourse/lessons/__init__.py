"""From a text source to the notebook a learner opens, and to the learner's own workspace.

`source` reads a lesson, `expand` turns it into cells, `execute` runs them in a closed kernel, `normalise` and `check`
make the result comparable and fit to ship, `build` ties them together, `hashes` says what is out of date, and
`workspace` brings notebooks to a learner without ever losing an answer. Everything loads when it is asked for.
"""
