"""Libraries that call tools and ask for answers by schema, each in a process of its own, against a scripted model."""
