"""Which of someone's own pictures are for learning and which for the exam, and that it stays so.

A picture is known by its key, a hash of what it is before it is brought to a size: whatever it is called, wherever it
lies, whatever its label is. `units` say which pictures belong together, `alike` which are copies; `division` draws a
share of them, and the `register` remembers for ever what was drawn. `settle` brings them together.
"""
