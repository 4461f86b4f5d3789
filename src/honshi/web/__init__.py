"""The lab: a page on this machine on which one trains, watches, looks inside and sits the exam.

Nothing here computes. `app` says what is answered at which address and `guard` who may ask; `watch` looks at the runs
and tells every open page what changed; `child` is the process that loads torch and answers what needs it, by the same
actions as the command line. `serve` puts them together.
"""
