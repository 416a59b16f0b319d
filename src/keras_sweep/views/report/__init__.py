"""A sweep as one page: facts are read first (`facts.py`), each section draws them, `page.py` puts all together.

The page asks nothing of anybody: style, script, drawings and data stand in the one file.
"""
