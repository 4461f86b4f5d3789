"""What scripts ask for, by method and address; a file for each page.

Each takes the `Lab` and the request and returns JSON. What needs torch is asked of a child process.
"""

from __future__ import annotations

from honshi.web.answers import drawing, exam, inside, lecture, runs, trainings

ANSWERS = {**runs.ANSWERS, **trainings.ANSWERS, **drawing.ANSWERS, **exam.ANSWERS, **inside.ANSWERS, **lecture.ANSWERS}
