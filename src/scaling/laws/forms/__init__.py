"""Laws: terms, links and the forms that are known by name."""
