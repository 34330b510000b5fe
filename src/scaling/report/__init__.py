"""The report of a study: page, tables, figures in place."""
