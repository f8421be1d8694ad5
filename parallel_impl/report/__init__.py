"""The report room: the execution summary, as Markdown for people and JSON for programs."""
