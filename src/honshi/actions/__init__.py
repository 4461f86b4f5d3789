"""What each command does, from values to values: the command line prints it, a page can serve it, the library calls it.

An action takes what was asked for, tells how far it is by small events, and gives back one value that holds all that
was found out: numbers for programs (``to_dict``, what ``--json`` prints) and sentences for people
(`honshi.messages`). No action prints or asks.
"""
