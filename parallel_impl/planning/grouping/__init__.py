"""From the table to a draft: tasks become packages with scopes, reasons, weights and steps, and these a text."""
